/**
 * The page: puts its parts together, and shows the route that the address names.
 */
import { BASE, loadCatalogue } from "./catalogue.js";
import { h } from "./dom.js";
import { Navigation } from "./navigation.js";
import { RouteView } from "./route.js";
import { Schemas } from "./schema.js";
import { Settings } from "./settings.js";

/** @typedef {import("./catalogue.js").Catalogue} Catalogue */

class Explorer {
  /** @type {Map<string, RouteView>} What was visited; its streams go on while another is shown. */
  #views = new Map();

  /** @param {Catalogue} catalogue */
  constructor(catalogue) {
    this.catalogue = catalogue;
    this.schemas = new Schemas(catalogue.definitions);
    this.main = part("main");
    this.settings = new Settings(/** @type {HTMLButtonElement} */ (part("headers-open")));
    this.settings.changed = () => this.#views.forEach((view) => view.showLines());
    this.navigation = new Navigation(part("routes"), catalogue.routes);
    part("title").textContent = catalogue.title;
    part("version").textContent = catalogue.version === "0" ? "" : catalogue.version;
    part("skip").addEventListener("click", (event) => {
      event.preventDefault();
      (this.main.querySelector("h2") ?? this.main).focus();
    });
    addEventListener("hashchange", () => this.show(true));
    this.show(false);
  }

  /** Show what the address names. @param {boolean} moves Whether the focus goes there. */
  show(moves) {
    const { routes } = this.catalogue;
    const route = routes.find(({ name }) => `#${encodeURIComponent(name)}` === location.hash);
    document.body.classList.toggle("shows-route", Boolean(route));
    document.title = route ? `${route.name} · ${this.catalogue.title}` : `${this.catalogue.title} · Explorer`;
    this.navigation.mark(route?.name ?? null);
    const view = route && this.#view(route);
    this.main.replaceChildren(view ? view.element : this.#overview());
    view?.showLines();
    if (moves) {
      (view?.heading ?? this.main).focus();
      scrollTo(0, 0);
    }
  }

  /** @param {import("./catalogue.js").Route} route */
  #view(route) {
    let view = this.#views.get(route.name);
    if (!view) {
      view = new RouteView(route, this.schemas, this.settings, () => this.#count());
      this.#views.set(route.name, view);
    }
    return view;
  }

  #count() {
    let total = 0;
    for (const [name, view] of this.#views) {
      this.navigation.count(name, view.open);
      total += view.open;
    }
    this.#views.forEach((view) => view.warn(total));
  }

  #overview() {
    const { routes } = this.catalogue;
    const streams = routes.filter((route) => route.streams).length;
    const lines = `import { $api, $sse } from ${JSON.stringify(new URL("client.js", BASE).href)};`;
    return h(
      "article",
      { class: "overview" },
      h("h2", { tabindex: -1 }, routes.length ? "Choose a route" : "No routes yet"),
      h("p", {}, `${routes.length} routes below `, h("code", {}, BASE.pathname), `, ${streams} of them streams.`),
      h("p", { class: "hint" }, "Press ", h("kbd", {}, "/"), " to filter. Streams stay open while you look at another route."),
      h("h3", {}, "In a page of yours"),
      h("pre", { tabindex: 0 }, h("code", {}, lines)),
    );
  }
}

/** @param {string} id */
function part(id) {
  const element = document.getElementById(id);
  if (!element) {
    throw new Error(`The page lacks #${id}.`);
  }
  return element;
}

try {
  new Explorer(await loadCatalogue());
} catch (error) {
  part("main").replaceChildren(h("p", { class: "notice" }, error instanceof Error ? error.message : String(error)));
}
