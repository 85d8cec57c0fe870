/** From a route and its input to a request. */
import type { ConnectOptions, RouteRow } from "./types.js";

/** A request but for its headers. */
export interface Target {
  readonly url: URL;
  readonly method: string;
  readonly body: string | null;
}

/**
 * The request that calls a route.
 *
 * Path variables are taken out of the input, the rest goes to the body or the query string.
 * Throws a `TypeError` for what a URL cannot carry, or `fetch` would refuse.
 */
export function targetOf(name: string, row: RouteRow, base: URL, input: unknown): Target {
  if (!["http:", "https:"].includes(base.protocol) || base.username || base.password) {
    throw new TypeError(`${name}: ${base.href} is no URL for requests; http(s)://host/path is.`);
  }
  const fields = new Map(Object.entries(inputObject(name, input)));
  const url = new URL(base);
  // Set, not resolved: a path of two slashes would lead to another host.
  url.pathname = url.pathname.replace(/\/$/, "") + expanded(name, row, fields);
  if (row.body) {
    // Not assigned one by one: `__proto__` is a field like any other.
    return { url, method: row.method, body: JSON.stringify(Object.fromEntries(fields)) };
  }
  url.search = query(name, fields).toString();
  return { url, method: row.method, body: null };
}

/** The headers that `connect` was given, asked for anew. */
export async function givenHeaders(options: ConnectOptions): Promise<Headers> {
  const { headers } = options;
  return new Headers(typeof headers === "function" ? await headers() : headers);
}

function inputObject(name: string, input: unknown): object {
  if (input === undefined || input === null) return {};
  if (typeof input !== "object" || Symbol.iterator in input) {
    throw new TypeError(`${name}: its input is an object of named fields.`);
  }
  return input;
}

function expanded(name: string, row: RouteRow, fields: Map<string, unknown>): string {
  const values = new Map<string, string>();
  for (const variable of row.variables) {
    const value = fields.get(variable);
    if (value === undefined || value === null || value === "") {
      throw new TypeError(`${name}: the URL needs ${variable}.`);
    }
    values.set(variable, text(name, variable, value));
    fields.delete(variable);
  }
  const path = row.path.replace(/\{(\+?)([^}]+)\}/g, (_, plus: string, variable: string) => {
    const value = encodeURIComponent(values.get(variable) ?? "");
    return plus ? value.replaceAll("%2F", "/") : value;
  });
  if (path.split("/").some((segment) => segment === "." || segment === "..")) {
    throw new TypeError(`${name}: "." and ".." are no part of a path.`);
  }
  return path;
}

function query(name: string, fields: Map<string, unknown>): URLSearchParams {
  const found = new URLSearchParams();
  for (const [field, value] of fields) {
    if (value === undefined || value === null) continue;
    for (const one of Array.isArray(value) ? (value as unknown[]) : [value]) {
      found.append(field, text(name, field, one));
    }
  }
  return found;
}

function text(name: string, field: string, value: unknown): string {
  const plain = value instanceof Date ? value.toISOString() : value;
  if (["object", "function", "symbol", "undefined"].includes(typeof plain)) {
    throw new TypeError(`${name}: ${field} is no value that a URL can carry.`);
  }
  const found = String(plain);
  // Half a character: a path would throw at it, and a query would send another in its place.
  if (/\p{Surrogate}/u.test(found)) {
    throw new TypeError(`${name}: ${field} holds a lone surrogate, which no URL can carry.`);
  }
  return found;
}
