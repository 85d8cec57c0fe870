/**
 * Headers that go with every call: asked for in a dialog, kept for this tab only.
 */
import { h, newId } from "./dom.js";

const KEY = `explorer headers ${new URL("../", import.meta.url).pathname}`;

export class Settings {
  /** @type {[string, string][]} */
  #headers = stored();
  #rows = h("div", { class: "rows" });
  #fault = h("p", { class: "fault", role: "alert", hidden: true });

  /** @param {HTMLButtonElement} button What opens the dialog. */
  constructor(button) {
    this.button = button;
    const title = h("h2", { id: newId("title") }, "Headers for all calls");
    const add = h("button", { type: "button", class: "small", onclick: () => this.#add("", "").focus() }, "Add a header");
    const cancel = h("button", { type: "button", onclick: () => this.dialog.close() }, "Cancel");
    const form = h(
      "form",
      { method: "dialog", onsubmit: (/** @type {SubmitEvent} */ event) => this.#save(event) },
      title,
      h("p", { class: "hint" }, "Such as Authorization. They stay in this tab and are gone when it is closed."),
      this.#rows,
      add,
      this.#fault,
      h("div", { class: "actions" }, h("button", { class: "primary" }, "Save"), cancel),
    );
    this.dialog = h("dialog", { "aria-labelledby": title.id }, form);
    document.body.append(this.dialog);
    button.addEventListener("click", () => this.#open());
    this.#showCount();
  }

  /** Called when the headers are others. */
  changed = () => {};

  /** @returns {Record<string, string>} */
  get headers() {
    return Object.fromEntries(this.#headers);
  }

  #open() {
    this.#rows.replaceChildren();
    this.#fault.hidden = true;
    const shown = this.#headers.length ? this.#headers : [["Authorization", ""]];
    shown.forEach(([name, value]) => this.#add(name ?? "", value ?? ""));
    this.dialog.showModal();
  }

  /** @param {string} name @param {string} value */
  #add(name, value) {
    const nameInput = h("input", { "aria-label": "Name", placeholder: "Name", spellcheck: "false", autocomplete: "off" });
    const valueInput = h("input", { "aria-label": "Value", placeholder: "Value", spellcheck: "false", autocomplete: "off" });
    nameInput.value = name;
    valueInput.value = value;
    const remove = h("button", { type: "button", class: "small", "aria-label": "Remove this header" }, "Remove");
    const row = h("div", { class: "row" }, nameInput, valueInput, remove);
    remove.addEventListener("click", () => row.remove());
    this.#rows.append(row);
    return nameInput;
  }

  /** @param {SubmitEvent} event */
  #save(event) {
    const typed = [...this.#rows.children].map((row) => (
      [...row.querySelectorAll("input")].map((input) => input.value.trim())
    ));
    const pairs = /** @type {[string, string][]} */ (typed.filter(([name, value]) => name && value));
    try {
      new Headers(pairs);
    } catch (error) {
      event.preventDefault();
      this.#fault.textContent = `This cannot be sent: ${error instanceof Error ? error.message : error}`;
      this.#fault.hidden = false;
      return;
    }
    this.#headers = pairs;
    store(pairs);
    this.#showCount();
    this.changed();
  }

  #showCount() {
    const count = this.#headers.length;
    this.button.textContent = count ? `Headers (${count})` : "Headers";
  }
}

/** @returns {[string, string][]} */
function stored() {
  try {
    return JSON.parse(sessionStorage.getItem(KEY) ?? "[]");
  } catch {
    return []; // storage is turned off, or holds what is not ours
  }
}

/** @param {[string, string][]} pairs */
function store(pairs) {
  try {
    sessionStorage.setItem(KEY, JSON.stringify(pairs));
  } catch {
    // Storage is turned off: they are kept until the page is left.
  }
}
