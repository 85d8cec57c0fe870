// What every page has: colours, signing out, menus that close, curl lines that can be copied.
import { $api } from "/api/client.js";
import { find } from "./dom.js";
import { form } from "./form.js";
import { keep } from "./kept.js";
import { startAgain, tellTabs } from "./session.js";

function colours() {
  const choice = find("#theme");
  choice.value = document.documentElement.dataset.theme ?? "";
  const changed = () => dispatchEvent(new Event("themechange"));
  choice.addEventListener("change", () => {
    if (choice.value) document.documentElement.dataset.theme = choice.value;
    else delete document.documentElement.dataset.theme;
    keep("theme", choice.value);
    changed();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", changed);
}

function signingOut() {
  const logout = document.querySelector("#logout");
  if (!logout) return;
  form(logout, async () => {
    await $api.logout();
    tellTabs();
    startAgain();
  });
}

function menus() {
  const menus = [...document.querySelectorAll("details.menu")];
  document.addEventListener("click", ({ target }) => {
    for (const menu of menus) if (!menu.contains(target)) menu.open = false;
  });
  document.addEventListener("keydown", ({ key }) => {
    const open = key === "Escape" && menus.find((menu) => menu.open);
    if (!open) return;
    open.open = false;
    find("summary", open).focus();
  });
}

function copying() {
  for (const button of document.querySelectorAll(".copy")) {
    button.addEventListener("click", async () => {
      const code = button.previousElementSibling;
      try {
        await navigator.clipboard.writeText(code.textContent);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(code);
        button.textContent = "Selected";
      }
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
  }
}

colours();
signingOut();
menus();
copying();
document.querySelector("nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
