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

/** Have `act()` called when a button is pressed, once at a time. It keeps the focus, which a disabled one loses. */
export function whenPressed(button, act) {
  button.addEventListener("click", async () => {
    if (button.getAttribute("aria-busy") === "true" || button.getAttribute("aria-disabled") === "true") return;
    button.setAttribute("aria-busy", "true");
    try {
      await act();
    } finally {
      button.removeAttribute("aria-busy");
    }
  });
}
