/**
 * Elements, made without any markup: what comes from a server is only ever text.
 */

/** @typedef {Node | string | number | null | undefined | false} Child */

/**
 * Make an element. Functions among the attributes are listeners (`onclick`), booleans are
 * switched on or left out.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, unknown>} [attributes]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") {
      element.addEventListener(name.slice(2), /** @type {EventListener} */ (value));
    } else if (value !== false && value !== null && value !== undefined) {
      element.setAttribute(name, value === true ? "" : String(value));
    }
  }
  element.append(...kept(children));
  return element;
}

/**
 * Make an SVG element.
 *
 * @param {string} tag
 * @param {Record<string, string | number>} attributes
 * @param {...Node} children
 */
export function svg(tag, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) {
    element.setAttribute(name, String(value));
  }
  element.append(...children);
  return element;
}

/**
 * @param {Child[]} children
 * @returns {(Node | string)[]}
 */
function kept(children) {
  const found = [];
  for (const child of children) {
    if (child !== null && child !== undefined && child !== false) {
      found.push(child instanceof Node ? child : String(child));
    }
  }
  return found;
}

/** A path that is broken after its slashes, where it has to be. @param {string} path */
export function breakable(path) {
  return path.split(/(?<=[^/]\/)/).flatMap((part) => [part, h("wbr")]);
}

/** Tell people who listen to the page what has changed. @param {string} text */
export function announce(text) {
  const announcer = document.getElementById("announcer");
  if (announcer) {
    announcer.textContent = text;
  }
}

let count = 0;

/** An id that no other element of the page has. @param {string} what */
export function newId(what) {
  count += 1;
  return `${what}-${count}`;
}
