/**
 * Controls: the part of a field that takes a value. What is left empty reads as `undefined`.
 */
import { h, newId } from "./dom.js";

/** @typedef {import("./catalogue.js").Schema} Schema */
/** @typedef {import("./schema.js").Schemas} Schemas */

/**
 * @typedef {object} Control
 * @property {HTMLElement} element
 * @property {HTMLElement} main What a label is for, and what takes the focus.
 * @property {() => any} read Raises `EntryError` for a text that is no value.
 * @property {(value: any) => void} write
 * @property {(index: number) => HTMLElement | undefined} [item] The control of one item of a list.
 */

/** What was typed cannot be sent as it is. */
export class EntryError extends Error {}

const INPUT_TYPES = /** @type {Record<string, string>} */ ({
  date: "date",
  email: "email",
  password: "password",
  uri: "url",
});
const EXAMPLES = /** @type {Record<string, string>} */ ({
  "date-time": "2026-01-31T12:00:00Z",
  time: "12:00:00",
  duration: "PT1H30M",
  uuid: "00000000-0000-0000-0000-000000000000",
});

/**
 * Make the control for a schema without null.
 *
 * @param {Schema} schema
 * @param {Schemas} schemas
 * @param {boolean} required
 * @returns {Control}
 */
export function controlFor(schema, schemas, required) {
  switch (schemas.control(schema)) {
    case "checkbox": return required || "default" in schema && schema.default !== null
      ? checkbox()
      : select([true, false], false);
    case "select": return select(schema.enum ?? [schema.const], required);
    case "number": return number(schema);
    case "text": return text(schema, schemas);
    case "area": return area();
    case "list": return list(schema, schemas);
    case "json": return json(schema, schemas);
  }
}

/** @returns {Control} */
function checkbox() {
  const element = h("input", { type: "checkbox", id: newId("input") });
  return {
    element,
    main: element,
    read: () => element.checked,
    write: (value) => { element.checked = value === true; },
  };
}

/** @param {any[]} values @param {boolean} required @returns {Control} */
function select(values, required) {
  const nothing = required ? "choose one" : "not set";
  const element = h("select", { id: newId("input") }, h("option", { value: "" }, nothing));
  element.append(...values.map((value, index) => h("option", { value: index }, shown(value))));
  return {
    element,
    main: element,
    read: () => (element.value === "" ? undefined : values[Number(element.value)]),
    write: (value) => { element.value = String(values.indexOf(value)).replace("-1", ""); },
  };
}

/** @param {Schema} schema @returns {Control} */
function number(schema) {
  const { minimum, maximum, type } = schema;
  const element = h("input", {
    type: "number",
    id: newId("input"),
    step: type === "integer" ? schema.multipleOf ?? 1 : "any",
    min: minimum,
    max: maximum,
    inputmode: type === "integer" ? "numeric" : "decimal",
  });
  return {
    element,
    main: element,
    read: () => {
      if (element.validity.badInput) {
        throw new EntryError("This is no number.");
      }
      return element.value === "" ? undefined : asNumber(element.value);
    },
    write: (value) => { element.value = value ?? ""; },
  };
}

/** @param {Schema} schema @param {Schemas} schemas @returns {Control} */
function text(schema, schemas) {
  const format = schema.format ?? "";
  const element = h("input", {
    type: INPUT_TYPES[format] ?? "text",
    id: newId("input"),
    placeholder: EXAMPLES[format],
    autocomplete: "off",
    spellcheck: "false",
  });
  const types = (schema.anyOf ?? []).map((/** @type {Schema} */ one) => schemas.resolve(one).type);
  return {
    element,
    main: element,
    read: () => (element.value === "" ? undefined : oneOf(types, element.value)),
    write: (value) => { element.value = value === undefined || value === null ? "" : shown(value); },
  };
}

/** @returns {Control} */
function area() {
  const element = h("textarea", { id: newId("input"), rows: 4 });
  return {
    element,
    main: element,
    read: () => element.value || undefined,
    write: (value) => { element.value = value ?? ""; },
  };
}

/** @param {Schema} schema @param {Schemas} schemas @returns {Control} */
function json(schema, schemas) {
  const sample = JSON.stringify(schemas.sample({ ...schema, default: undefined }), null, 2);
  const element = h("textarea", {
    id: newId("input"),
    class: "mono",
    rows: Math.min(8, Math.max(2, sample?.split("\n").length ?? 2)),
    placeholder: sample === "null" ? "JSON" : sample,
    spellcheck: "false",
  });
  return {
    element,
    main: element,
    read: () => readJson(element.value),
    write: (value) => {
      element.value = value === undefined || value === null ? "" : JSON.stringify(value, null, 2);
    },
  };
}

/** @param {Schema} schema @param {Schemas} schemas @returns {Control} */
function list(schema, schemas) {
  /** @type {{ control: Control, row: HTMLElement }[]} */
  let rows = [];
  const { schema: items } = schemas.withoutNull(schema.items);
  const add = h("button", { type: "button", class: "small", id: newId("input") }, "Add an item");
  const element = h("div", { class: "list", role: "group" }, add);

  const changed = () => element.dispatchEvent(new Event("input", { bubbles: true }));
  const append = (/** @type {any} */ value) => {
    const control = controlFor(items, schemas, true);
    control.write(value);
    const remove = h("button", { type: "button", class: "small", onclick: () => drop(entry) }, "Remove");
    const entry = { control, row: h("div", { class: "item" }, control.element, remove) };
    rows.push(entry);
    add.before(entry.row);
    number();
    return control;
  };
  const drop = (/** @type {{ control: Control, row: HTMLElement }} */ entry) => {
    rows = rows.filter((one) => one !== entry);
    entry.row.remove();
    number();
    add.focus();
    changed();
  };
  const number = () => rows.forEach(({ control, row }, index) => {
    control.main.setAttribute("aria-label", `Item ${index + 1}`);
    row.lastElementChild?.setAttribute("aria-label", `Remove item ${index + 1}`);
  });
  add.addEventListener("click", () => {
    append(undefined).main.focus();
    changed();
  });
  return {
    element,
    main: add,
    read: () => (rows.length ? rows.map(({ control }) => control.read() ?? "") : undefined),
    write: (value) => {
      rows.forEach(({ row }) => row.remove());
      rows = [];
      (Array.isArray(value) ? value : []).forEach(append);
    },
    item: (index) => rows[index]?.control.main,
  };
}

/** Read a text as JSON; nothing is no value. @param {string} text @returns {any} */
export function readJson(text) {
  if (text.trim() === "") {
    return undefined;
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new EntryError(`This is not JSON: ${error instanceof Error ? error.message : error}`);
  }
}

/** @param {any} value */
function shown(value) {
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** A number that JavaScript would round stays text, which the server reads. @param {string} text */
function asNumber(text) {
  const value = Number(text);
  return Number.isInteger(value) && !Number.isSafeInteger(value) ? text : value;
}

/** @param {string[]} types @param {string} text */
function oneOf(types, text) {
  if (types.includes("boolean") && (text === "true" || text === "false")) {
    return text === "true";
  }
  const whole = types.includes("integer") || !types.includes("string") && types.includes("number");
  return whole && text.trim() !== "" && String(Number(text)) === text ? asNumber(text) : text;
}
