/**
 * The routes of the blueprint that this page is of, and where it is.
 */

/** @typedef {Record<string, any>} Schema */

/**
 * @typedef {object} Route
 * @property {string} name Dotted where its blueprint is nested: `admin.stats`.
 * @property {string} group Its first tag, else the blueprint that it is nested in, else "".
 * @property {string} kind
 * @property {string} method
 * @property {string} path `/orders/{order_id}`, `{+name}` where the value may hold slashes.
 * @property {string[]} variables
 * @property {boolean} body Whether its input goes to the body.
 * @property {boolean} streams
 * @property {string | null} summary
 * @property {string | null} description
 * @property {boolean} deprecated
 * @property {Schema | null} input
 * @property {Schema | null} output
 * @property {Record<string, Schema>} events
 * @property {Record<string, Schema>} security
 */

/**
 * @typedef {object} Catalogue
 * @property {string} title
 * @property {string} version
 * @property {Route[]} routes
 * @property {Record<string, Schema>} definitions
 */

/** The URL below which the blueprint's routes are, with a slash at its end. */
export const BASE = new URL("../", import.meta.url);

/**
 * Ask the server for the catalogue.
 *
 * @returns {Promise<Catalogue>}
 */
export async function loadCatalogue() {
  const response = await fetch(new URL("routes.json", import.meta.url));
  if (!response.ok) {
    throw new Error(`The list of routes could not be read: ${response.status}.`);
  }
  return response.json();
}

/**
 * Sort routes into groups; both keep the order of declaration.
 *
 * @param {Route[]} routes
 * @returns {Map<string, Route[]>}
 */
export function grouped(routes) {
  /** @type {Map<string, Route[]>} */
  const groups = new Map();
  for (const route of routes) {
    const title = route.group || "Routes";
    groups.set(title, [...(groups.get(title) ?? []), route]);
  }
  return groups;
}

/**
 * Tell whether a route has all words of a filter somewhere in what the list shows of it.
 *
 * @param {Route} route
 * @param {string} filter
 */
export function matches(route, filter) {
  const { name, group, kind, method, path, summary } = route;
  const text = [name, group, kind, method, path, summary ?? ""].join(" ").toLowerCase();
  return filter.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}

/** The path as people read it. @param {Route} route */
export function pathText(route) {
  return route.path.replaceAll("{+", "{");
}
