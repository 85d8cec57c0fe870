// Forms that are sent without leaving the page, and what is said when that fails.
import { RouteError } from "/api/client.js";
import { find } from "./dom.js";

/** Have `send(values)` called in place of a submit; the button waits for it, a failure is shown in the form. */
export function form(element, send) {
  element.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = find("button:not([type=button])", element);
    if (button.getAttribute("aria-busy") === "true") return;
    explain(element, null);
    button.setAttribute("aria-busy", "true");
    try {
      await send(values(element));
    } catch (error) {
      if (!(error instanceof RouteError)) throw error;
      explain(element, error);
    } finally {
      button.removeAttribute("aria-busy");
    }
  });
}

/** What the fields of a form hold, by their names; those for numbers as numbers. */
export function values(element) {
  const held = {};
  for (const field of element.elements) {
    if (field.name) held[field.name] = field.type === "number" ? field.valueAsNumber : field.value;
  }
  return held;
}

/** Show an error in the `.problem` of an element, and mark the fields that it is about; `null` takes it away. */
export function explain(element, error) {
  const place = find(".problem", element);
  for (const field of element.querySelectorAll("[aria-invalid]")) field.removeAttribute("aria-invalid");
  place.textContent = error ? words(error) : "";
  place.hidden = !error;
  for (const { loc } of error?.errors ?? []) {
    element.querySelector(`[name="${CSS.escape(loc[0])}"]`)?.setAttribute("aria-invalid", "true");
  }
  element.querySelector("[aria-invalid]")?.focus();
}

/** An error of `$api` or `$sse` in a sentence. */
export function words(error) {
  if (error.title === "No answer") return "The server did not answer.";
  const faults = (error.errors ?? []).map(({ loc, msg }) => `${loc.join(".")}: ${msg}`);
  return faults.join("; ") || error.detail || error.title || error.message;
}
