// Elements: found or made. Text goes in as text nodes, so that it stays text.

/** The element that a selector names; a page that lacks it is at fault. */
export function find(selector, root = document) {
  const found = root.querySelector(selector);
  if (!found) throw new Error(`There is no ${selector} here.`);
  return found;
}

/**
 * A new element. `settings`: `class`, `data` (dataset), `style` (custom properties), anything else is an
 * attribute; `null`, `undefined` and `false` leave it out, `true` sets it empty.
 */
export function make(tag, settings = {}, ...children) {
  const made = document.createElement(tag);
  const { class: className, data = {}, style = {}, ...attributes } = settings;
  if (className) made.className = className;
  Object.assign(made.dataset, data);
  for (const [name, value] of Object.entries(style)) made.style.setProperty(name, value);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}
