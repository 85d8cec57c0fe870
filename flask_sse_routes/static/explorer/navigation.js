/**
 * The list of routes, and the filter above it.
 */
import { grouped, matches, pathText } from "./catalogue.js";
import { announce, breakable, h, newId } from "./dom.js";

/** @typedef {import("./catalogue.js").Route} Route */

export class Navigation {
  #filter = h("input", {
    type: "search", id: newId("filter"), placeholder: "Filter routes", "aria-label": "Filter routes",
    autocomplete: "off", spellcheck: "false", "aria-keyshortcuts": "/",
  });
  #groups = h("div", { class: "groups" });
  #none = h("p", { class: "hint", hidden: true }, "No route fits.");
  /** @type {Map<string, HTMLAnchorElement>} */
  #links = new Map();

  /**
   * @param {HTMLElement} element
   * @param {Route[]} routes
   */
  constructor(element, routes) {
    this.routes = routes;
    for (const [title, members] of grouped(routes)) {
      this.#groups.append(this.#group(title, members));
    }
    element.append(this.#filter, this.#groups, this.#none);
    this.#filter.addEventListener("input", () => this.#onFilter());
    this.#filter.addEventListener("keydown", (event) => this.#onKey(event));
    document.addEventListener("keydown", (event) => this.#onShortcut(event));
  }

  /** Mark the route that is shown. @param {string | null} name */
  mark(name) {
    for (const [each, link] of this.#links) {
      if (each === name) {
        link.setAttribute("aria-current", "page");
        link.scrollIntoView({ block: "nearest" });
      } else {
        link.removeAttribute("aria-current");
      }
    }
  }

  /** Show how many streams of a route are open. @param {string} name @param {number} count */
  count(name, count) {
    const badge = this.#links.get(name)?.querySelector(".open");
    if (badge instanceof HTMLElement) {
      badge.hidden = count === 0;
      badge.textContent = `${count} open`;
    }
  }

  /** @param {string} title @param {Route[]} members */
  #group(title, members) {
    const heading = h("h2", { id: newId("group") }, title);
    const list = h("ul", { "aria-labelledby": heading.id }, ...members.map((route) => this.#item(route)));
    return h("section", {}, heading, list);
  }

  /** @param {Route} route */
  #item(route) {
    const link = h(
      "a",
      { href: `#${route.name}`, class: route.deprecated ? "is-deprecated" : null },
      h("span", { class: `method is-${route.method}` }, route.method),
      h("span", { class: "path" }, ...breakable(pathText(route))),
      h("span", { class: `kind is-${route.kind}` }, route.kind),
      h("span", { class: "open", hidden: true }),
      h("span", { class: "summary" }, route.summary || route.name),
      route.deprecated && h("span", { class: "deprecated" }, "deprecated"),
    );
    this.#links.set(route.name, link);
    return h("li", {}, link);
  }

  #onFilter() {
    const filter = this.#filter.value.trim();
    let count = 0;
    for (const route of this.routes) {
      const item = this.#links.get(route.name)?.closest("li");
      const fits = matches(route, filter);
      count += Number(fits);
      item?.toggleAttribute("hidden", !fits);
    }
    for (const section of this.#groups.children) {
      section.toggleAttribute("hidden", !section.querySelector("li:not([hidden])"));
    }
    this.#none.hidden = count > 0;
    announce(count === 1 ? "1 route" : `${count} routes`);
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    const first = this.routes.find((route) => matches(route, this.#filter.value.trim()));
    if (event.key === "Enter" && first) {
      location.hash = first.name;
    } else if (event.key === "Escape") {
      this.#filter.value = "";
      this.#onFilter();
    }
  }

  /** @param {KeyboardEvent} event */
  #onShortcut(event) {
    const { target } = event;
    const typing = target instanceof Element && target.closest("input, textarea, select, dialog");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      this.#filter.focus();
    }
  }
}
