/**
 * The HTTP request for a route and its input: path variables go to the path, the rest to the
 * query string or to a JSON body.
 */
import { BASE } from "./catalogue.js";

/** @typedef {import("./catalogue.js").Route} Route */

/**
 * @typedef {object} Asked
 * @property {string} method
 * @property {URL} url
 * @property {Record<string, string>} headers
 * @property {string | null} body
 */

/**
 * @param {Route} route
 * @param {any} input
 * @param {Record<string, string>} headers Those that are sent with every call.
 * @throws {Error} For what no path can carry.
 * @returns {Asked}
 */
export function requestOf(route, input, headers) {
  const isObject = input !== null && typeof input === "object" && !Array.isArray(input);
  const rest = isObject ? { ...input } : {};
  const path = route.path.replace(/\{(\+?)([^{}]+)\}/g, (_, spans, name) => {
    const value = text(rest[name] ?? "");
    delete rest[name];
    return spans ? value.split("/").map(encodeURIComponent).join("/") : encodeURIComponent(value);
  });
  if (path.split("/").some((segment) => segment === "." || segment === "..")) {
    throw new Error('"." and ".." are no part of a path.');
  }
  const url = new URL(BASE.href.replace(/\/$/, "") + path);
  if (!route.body) {
    addQuery(url, rest);
    return { method: route.method, url, headers: { ...headers }, body: null };
  }
  return {
    method: route.method,
    url,
    headers: { "Content-Type": "application/json", ...headers },
    body: JSON.stringify(isObject ? rest : input),
  };
}

/** @param {URL} url @param {Record<string, any>} values */
function addQuery(url, values) {
  for (const [name, value] of Object.entries(values)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== null && one !== undefined) {
        url.searchParams.append(name, text(one));
      }
    }
  }
}

/** @param {any} value */
function text(value) {
  return typeof value === "object" && value !== null ? JSON.stringify(value) : String(value);
}
