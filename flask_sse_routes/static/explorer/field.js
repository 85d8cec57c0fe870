/**
 * One field of a form: a label, a control, what there is to know of it, and its fault.
 */
import { controlFor } from "./control.js";
import { h, newId } from "./dom.js";
import { constraints } from "./schema.js";

/** @typedef {import("./catalogue.js").Schema} Schema */
/** @typedef {import("./schema.js").Schemas} Schemas */

/**
 * @typedef {object} Place
 * @property {string} name
 * @property {boolean} required
 * @property {boolean} body Whether it goes to a JSON body, where null can be said.
 * @property {boolean} inPath
 */

export class Field {
  /** @type {HTMLInputElement | null} */
  #null = null;
  #fault = h("p", { class: "fault", id: newId("fault"), hidden: true });

  /**
   * @param {Place} place
   * @param {Schema} declared
   * @param {Schemas} schemas
   */
  constructor(place, declared, schemas) {
    const { schema, nullable } = schemas.withoutNull(declared);
    this.place = place;
    this.schema = schema;
    this.schemas = schemas;
    this.control = controlFor(place.body ? schema : asText(schema), schemas, place.required);
    this.element = h("div", { class: "field", "data-field": place.name });
    this.#build(nullable && place.body && schema.default !== null);
    this.reset();
  }

  /** The value, or undefined for one that is to be left out. */
  read() {
    if (this.#null?.checked) {
      return null;
    }
    const value = this.control.read();
    const asDefault = same(value, this.schema.default);
    if (!this.place.required && (asDefault || value === undefined && !this.#wasCleared())) {
      return undefined;
    }
    return value === undefined && this.#wasCleared() ? this.#empty() : value;
  }

  /** @param {any} value Null where null cannot be said is no value. */
  write(value) {
    if (this.#null) {
      this.#null.checked = value === null;
      this.#showNull();
    }
    this.control.write(value ?? undefined);
  }

  /** Show the default. */
  reset() {
    this.write(this.schema.default);
  }

  /**
   * @param {string} message
   * @param {(string | number)[]} path Where in the value the fault is.
   */
  fail(message, path = []) {
    const item = typeof path[0] === "number" ? this.control.item?.(path[0]) : undefined;
    const place = path.map((part, index) => (item && index === 0 ? `item ${Number(part) + 1}` : part));
    const text = place.length ? `${place.join(" → ")}: ${message}` : message;
    this.#fault.append(h("span", {}, text));
    this.#fault.hidden = false;
    (item ?? this.control.main).setAttribute("aria-invalid", "true");
    this.element.classList.add("failed");
  }

  clear() {
    this.#fault.replaceChildren();
    this.#fault.hidden = true;
    this.element.classList.remove("failed");
    this.element.querySelectorAll("[aria-invalid]").forEach((one) => one.removeAttribute("aria-invalid"));
  }

  focus() {
    const invalid = /** @type {HTMLElement | null} */ (this.element.querySelector("[aria-invalid]"));
    (invalid ?? this.control.main).focus();
  }

  /** @param {boolean} canBeNull */
  #build(canBeNull) {
    const { control, place } = this;
    const hint = this.#hint();
    const isGroup = control.element.getAttribute("role") === "group";
    const label = isGroup ? h("span", { id: newId("label") }) : h("label", { for: control.main.id });
    label.append(h("span", { class: "name" }, place.name));
    const facts = h("span", { class: "facts" }, this.#facts());
    const head = h("div", { class: "label" }, label, facts);
    if (place.required) {
      head.append(h("span", { class: "required" }, "required"));
      if (!control.main.matches("button, [type=checkbox]")) {
        control.main.setAttribute("aria-required", "true");
      }
    }
    const described = [hint?.id, this.#fault.id].filter(Boolean).join(" ");
    control.main.setAttribute("aria-describedby", described);
    if (isGroup) {
      control.element.setAttribute("aria-labelledby", label.id);
    }
    if (control.element instanceof HTMLInputElement && control.element.type === "checkbox") {
      this.element.classList.add("check");
    }
    this.element.append(head, control.element);
    if (canBeNull) {
      this.#null = h("input", { type: "checkbox", onchange: () => this.#showNull() });
      this.element.append(h("label", { class: "null" }, this.#null, "null"));
    }
    this.element.append(...[hint, this.#fault].filter((one) => one !== null));
  }

  #facts() {
    const { schema, schemas, place } = this;
    const facts = [schemas.title(schema), ...constraints(schema)];
    return [...facts, place.inPath && "in the path"].filter(Boolean).join(", ");
  }

  #hint() {
    const { description, default: value } = this.schema;
    const shown = value === undefined || value === null ? "" : `Default: ${JSON.stringify(value)}`;
    const text = [description, shown].filter(Boolean).join(" · ");
    return text ? h("p", { class: "hint", id: newId("hint") }, text) : null;
  }

  #showNull() {
    const off = Boolean(this.#null?.checked);
    const inputs = "input, textarea, select, button";
    const { element } = this.control;
    for (const one of [element, ...element.querySelectorAll(inputs)]) {
      one.toggleAttribute("disabled", off && one.matches(inputs));
    }
  }

  /** Whether somebody emptied what had a default that is not empty. */
  #wasCleared() {
    const value = this.schema.default;
    const emptied = this.control.element instanceof HTMLSelectElement ? undefined : this.#empty();
    return emptied !== undefined && Boolean(value?.length) && this.control.read() === undefined;
  }

  #empty() {
    return { string: "", array: [] }[/** @type {string} */ (this.schema.type)];
  }
}

/** A URL carries texts: there, what has no type needs no JSON. @param {Schema} schema */
function asText(schema) {
  const hasType = ["type", "enum", "const", "anyOf"].some((key) => key in schema);
  return hasType ? schema : { ...schema, type: "string" };
}

/** @param {any} value @param {any} other */
function same(value, other) {
  return JSON.stringify(value) === JSON.stringify(other)
    || typeof value === "string" && typeof other === "number" && value === String(other);
}
