// Signing in.
import { $api } from "/api/client.js";
import { find } from "../dom.js";
import { form } from "../form.js";
import { tellTabs } from "../session.js";

const login = find("#login");
const name = find("[name=name]", login);
const password = find("[name=password]", login);

form(login, async ({ after, ...claim }) => {
  try {
    await $api.login(claim);
  } catch (error) {
    password.select();
    throw error;
  }
  tellTabs();
  location.assign(after);
});

for (const button of document.querySelectorAll(".use")) {
  button.addEventListener("click", () => {
    name.value = button.dataset.name;
    password.value = button.dataset.password;
    login.requestSubmit();
  });
}
