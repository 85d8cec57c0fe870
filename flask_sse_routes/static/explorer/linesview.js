/**
 * The lines to copy, one set at a time.
 */
import { announce, h, newId } from "./dom.js";

/** @typedef {import("./lines.js").Lines} Lines */

// What was looked at last is what the next route shows.
let preferred = "curl";

export class LinesView {
  #choice = newId("lines");
  #choices = h("div", { class: "segments", role: "radiogroup", "aria-label": "Language" });
  #code = h("code");
  #copy = h("button", { type: "button", class: "small" }, "Copy");
  /** @type {Lines[]} */
  #lines = [];

  constructor() {
    this.#copy.addEventListener("click", () => this.#copyText());
    this.element = h(
      "section",
      { class: "lines" },
      h("div", { class: "bar" }, h("h3", {}, "Copy as"), this.#choices, this.#copy),
      h("pre", { tabindex: 0 }, this.#code),
    );
  }

  /** @param {Lines[]} lines */
  show(lines) {
    const titles = lines.map(({ title }) => title);
    if (titles.join() !== this.#lines.map(({ title }) => title).join()) {
      this.#choices.replaceChildren(...titles.map((title) => this.#radio(title)));
    }
    this.#lines = lines;
    this.refresh();
  }

  /** Show what is preferred now. */
  refresh() {
    const lines = this.#current();
    this.#code.textContent = lines?.text ?? "";
    for (const input of this.#choices.querySelectorAll("input")) {
      input.checked = input.value === lines?.title;
    }
  }

  #current() {
    return this.#lines.find(({ title }) => title === preferred) ?? this.#lines[0];
  }

  /** @param {string} title */
  #radio(title) {
    const choose = () => {
      preferred = title;
      this.refresh();
    };
    const input = h("input", { type: "radio", name: this.#choice, value: title, onchange: choose });
    return h("label", {}, input, h("span", {}, title));
  }

  async #copyText() {
    const said = (await copied(this.#code)) ? "Copied" : "Not copied";
    announce(said);
    this.#copy.textContent = said;
    setTimeout(() => { this.#copy.textContent = "Copy"; }, 1500);
  }
}

/**
 * Without a secure context there is no clipboard but that of the selection.
 *
 * @param {HTMLElement} element
 */
async function copied(element) {
  try {
    await navigator.clipboard.writeText(element.textContent ?? "");
    return true;
  } catch {
    getSelection()?.selectAllChildren(element);
    return document.execCommand("copy");
  }
}
