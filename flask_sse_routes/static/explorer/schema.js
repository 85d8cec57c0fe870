/**
 * JSON schemas, read as what a form has to offer.
 */

/** @typedef {import("./catalogue.js").Schema} Schema */
/** @typedef {"checkbox" | "select" | "number" | "text" | "area" | "list" | "json"} ControlKind */

const LONG = 200;

export class Schemas {
  /** @param {Record<string, Schema>} definitions What `$ref` refers to, by its last part. */
  constructor(definitions) {
    this.definitions = definitions;
  }

  /**
   * Follow references, and merge what stands beside them.
   *
   * @param {Schema} schema
   * @returns {Schema}
   */
  resolve(schema) {
    let found = schema;
    for (let hops = 0; hops < 32 && (found.$ref || found.allOf?.length === 1); hops++) {
      const { $ref, allOf, ...rest } = found;
      const name = String($ref ?? "").split("/").pop() ?? "";
      found = { ...($ref ? this.definitions[name] : allOf[0]), ...rest };
    }
    return found;
  }

  /**
   * Take null out of the choices.
   *
   * @param {Schema} schema
   * @returns {{ schema: Schema, nullable: boolean }}
   */
  withoutNull(schema) {
    const whole = this.resolve(schema);
    const choices = whole.anyOf ?? whole.oneOf;
    if (!choices) {
      return { schema: whole, nullable: false };
    }
    const { anyOf, oneOf, ...rest } = whole;
    const others = choices.filter((/** @type {Schema} */ one) => one.type !== "null");
    const nullable = others.length < choices.length;
    if (others.length === 1) {
      return { schema: { ...this.resolve(others[0]), ...rest }, nullable };
    }
    return { schema: { ...rest, anyOf: others }, nullable };
  }

  /**
   * The fields of an object; null for a schema that is none, or more than one.
   *
   * @param {Schema} schema
   * @returns {Record<string, Schema> | null}
   */
  fields(schema) {
    const whole = this.resolve(schema);
    return whole.type === "object" && whole.properties ? whole.properties : null;
  }

  /**
   * @param {Schema} schema One without null.
   * @returns {ControlKind}
   */
  control(schema) {
    if (schema.enum || "const" in schema) {
      return "select";
    }
    if (schema.anyOf) {
      return schema.anyOf.every((/** @type {Schema} */ one) => this.isScalar(one)) ? "text" : "json";
    }
    switch (schema.type) {
      case "boolean": return "checkbox";
      case "integer": case "number": return "number";
      case "string": return schema.maxLength > LONG ? "area" : "text";
      case "array": return this.isScalar(schema.items ?? {}) ? "list" : "json";
      default: return "json";
    }
  }

  /** @param {Schema} schema @returns {boolean} */
  isScalar(schema) {
    const whole = this.resolve(schema);
    const simple = ["string", "integer", "number", "boolean"].includes(whole.type);
    return simple || Boolean(whole.enum) || "const" in whole;
  }

  /**
   * A short name of the type: `integer`, `list of string`, `Address`.
   *
   * @param {Schema} schema
   * @returns {string}
   */
  title(schema) {
    const whole = this.resolve(schema);
    if (whole.enum || "const" in whole) {
      return "choice";
    }
    const choices = whole.anyOf ?? whole.oneOf;
    if (choices) {
      return choices.map((/** @type {Schema} */ one) => this.title(one)).join(" or ");
    }
    if (whole.type === "array") {
      return whole.items ? `list of ${this.title(whole.items)}` : "list";
    }
    return (whole.type === "object" && whole.properties && whole.title) || whole.format
      || whole.type || "anything";
  }

  /**
   * A value of that form, as a sample to start from.
   *
   * @param {Schema} schema
   * @param {number} [depth]
   * @returns {any}
   */
  sample(schema, depth = 0) {
    const { schema: whole } = this.withoutNull(schema);
    if ((whole.default ?? undefined) !== undefined) return whole.default;
    if ("const" in whole) return whole.const;
    if (whole.examples?.length) return whole.examples[0];
    if (whole.enum) return whole.enum[0];
    if (whole.anyOf) return depth > 4 ? null : this.sample(whole.anyOf[0], depth + 1);
    switch (whole.type) {
      case "string": return "";
      case "integer": case "number": return whole.minimum ?? 0;
      case "boolean": return false;
      case "array": return whole.items && depth < 3 ? [this.sample(whole.items, depth + 1)] : [];
      case "object": return depth > 4 ? {} : this.#object(whole, depth);
      default: return null;
    }
  }

  /** @param {Schema} whole @param {number} depth */
  #object(whole, depth) {
    const entries = Object.entries(whole.properties ?? {});
    return Object.fromEntries(entries.map(([name, one]) => [name, this.sample(one, depth + 1)]));
  }
}

/**
 * What a value has to hold to, in a few words each.
 *
 * @param {Schema} schema
 * @returns {string[]}
 */
export function constraints(schema) {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf } = schema;
  const { minLength, maxLength, minItems, maxItems, pattern, uniqueItems } = schema;
  return [
    minimum !== undefined && `≥ ${minimum}`,
    exclusiveMinimum !== undefined && `> ${exclusiveMinimum}`,
    maximum !== undefined && `≤ ${maximum}`,
    exclusiveMaximum !== undefined && `< ${exclusiveMaximum}`,
    multipleOf !== undefined && `multiple of ${multipleOf}`,
    span(minLength, maxLength, "characters"),
    span(minItems, maxItems, "items"),
    uniqueItems && "no item twice",
    pattern !== undefined && `like ${pattern}`,
  ].filter((text) => typeof text === "string");
}

/** @param {number | undefined} least @param {number | undefined} most @param {string} what */
function span(least, most, what) {
  if (least === undefined && most === undefined) {
    return false;
  }
  if (least !== undefined && most !== undefined) {
    return least === most ? `${least} ${what}` : `${least} to ${most} ${what}`;
  }
  return least !== undefined ? `at least ${least} ${what}` : `at most ${most} ${what}`;
}
