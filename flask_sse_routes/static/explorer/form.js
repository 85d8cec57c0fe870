/**
 * The input of a route: one field for each of its parts, or all of it as JSON.
 */
import { EntryError, readJson } from "./control.js";
import { announce, h, newId } from "./dom.js";
import { Field } from "./field.js";

/** @typedef {import("./catalogue.js").Route} Route */
/** @typedef {import("./schema.js").Schemas} Schemas */
/** @typedef {{ loc: (string | number)[], msg: string }} Fault */

export class InputForm {
  /** @type {Map<string, Field>} */
  #fields = new Map();
  #faults = h("div", { class: "fault", id: newId("fault"), hidden: true });
  #text = h("textarea", {
    class: "mono", rows: 8, spellcheck: "false", id: newId("input"),
    "aria-label": "The input as JSON", "aria-describedby": this.#faults.id,
  });
  #whole = h("div", { class: "field" }, this.#text);
  #parts = h("div", { class: "fields" });
  #toggle = h("button", { type: "button", class: "small", "aria-pressed": "false" }, "Edit as JSON");

  /**
   * @param {Route} route
   * @param {Schemas} schemas
   */
  constructor(route, schemas) {
    this.route = route;
    this.schemas = schemas;
    const fields = route.input && schemas.fields(route.input);
    const heading = h("h3", {}, "Input");
    const reset = h("button", { type: "button", class: "small", onclick: () => this.reset() }, "Reset");
    const tools = h("div", { class: "tools" }, fields && this.#toggle, reset);
    this.element = h(
      "div",
      { class: "input" },
      h("div", { class: "bar" }, heading, tools),
      this.#faults,
      this.#parts,
      this.#whole,
    );
    this.element.hidden = !route.input;
    this.#toggle.addEventListener("click", () => this.#switch());
    this.#build(fields ?? {});
    this.#show(Boolean(route.input && !fields));
    this.#text.value = fields ? "" : this.#sample();
  }

  /**
   * The input as it is typed. Raises `EntryError` where there is none.
   *
   * @returns {any}
   */
  read() {
    if (!this.#whole.hidden) {
      return readJson(this.#text.value) ?? {};
    }
    /** @type {Record<string, any>} */
    const input = {};
    for (const [name, field] of this.#fields) {
      const value = field.read();
      if (value !== undefined) {
        input[name] = value;
      }
    }
    return input;
  }

  /** Read it, and show at each field what is wrong with it; null if anything is. */
  check() {
    this.clear();
    const faults = this.#whole.hidden ? [...this.#fields.values()].flatMap(faultOf) : [];
    try {
      const input = faults.length ? {} : this.read();
      const missing = this.route.variables.filter((name) => (input?.[name] ?? "") === "");
      if (!faults.length && !missing.length) {
        return input;
      }
      this.showFaults(faults.length ? faults : missing.map(needed));
    } catch (error) {
      this.showFault(error);
    }
    return null;
  }

  /** Show why the input cannot be sent. @param {unknown} error */
  showFault(error) {
    this.showFaults([{ loc: [], msg: error instanceof Error ? error.message : String(error) }]);
  }

  /**
   * Show what the server finds wrong at the fields that it names.
   *
   * @param {Fault[]} faults
   */
  showFaults(faults) {
    this.clear();
    for (const { loc, msg } of faults) {
      const field = this.#whole.hidden ? this.#fields.get(String(loc[0])) : undefined;
      if (field) {
        field.fail(msg, loc.slice(1));
      } else {
        this.#faults.append(h("p", {}, loc.length ? `${loc.join(" → ")}: ${msg}` : msg));
        this.#faults.hidden = false;
      }
    }
    this.#point();
  }

  clear() {
    this.#fields.forEach((field) => field.clear());
    this.#faults.replaceChildren();
    this.#faults.hidden = true;
  }

  reset() {
    this.clear();
    this.#fields.forEach((field) => field.reset());
    this.#text.value = this.#fields.size ? JSON.stringify(this.read(), null, 2) : this.#sample();
    this.element.dispatchEvent(new Event("input", { bubbles: true }));
  }

  /** @param {Record<string, import("./catalogue.js").Schema>} fields */
  #build(fields) {
    const required = this.route.input ? this.schemas.resolve(this.route.input).required ?? [] : [];
    for (const [name, schema] of Object.entries(fields)) {
      const inPath = this.route.variables.includes(name);
      const place = {
        name,
        inPath,
        required: inPath || required.includes(name),
        body: this.route.body && !inPath,
      };
      this.#fields.set(name, new Field(place, schema, this.schemas));
    }
    this.#parts.append(...[...this.#fields.values()].map((field) => field.element));
  }

  #switch() {
    if (this.#whole.hidden) {
      if (this.check() !== null) {
        this.#text.value = JSON.stringify(this.read(), null, 2);
        this.#show(true);
      }
    } else if (this.check() !== null) {
      const input = this.read();
      this.#fields.forEach((field, name) => (name in input ? field.write(input[name]) : field.reset()));
      this.#show(false);
    }
  }

  /** @param {boolean} asJson */
  #show(asJson) {
    this.#whole.hidden = !asJson;
    this.#parts.hidden = asJson;
    this.#toggle.setAttribute("aria-pressed", String(asJson));
  }

  #sample() {
    return this.route.input ? JSON.stringify(this.schemas.sample(this.route.input), null, 2) : "";
  }

  /** Lead to the first fault. */
  #point() {
    const failed = [...this.#fields.values()].filter((field) => field.element.matches(".failed"));
    const count = failed.length + this.#faults.childElementCount;
    announce(count === 1 ? "One fault in the input." : `${count} faults in the input.`);
    if (failed.length) {
      failed[0]?.focus();
    } else if (!this.#whole.hidden) {
      this.#text.focus();
    }
  }
}

/**
 * What is wrong with a field that has no value to send.
 *
 * @param {Field} field
 * @returns {Fault[]}
 */
function faultOf(field) {
  try {
    field.read();
    return [];
  } catch (error) {
    if (error instanceof EntryError) {
      return [{ loc: [field.place.name], msg: error.message }];
    }
    throw error;
  }
}

/** @param {string} name A path variable without a value. @returns {Fault} */
function needed(name) {
  return { loc: [name], msg: "The path needs it." };
}
