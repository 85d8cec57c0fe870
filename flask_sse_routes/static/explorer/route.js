/**
 * One route: what it is, its input, and what came of its calls.
 */
import { call, faultsOf } from "./call.js";
import { pathText } from "./catalogue.js";
import { announce, breakable, h, newId } from "./dom.js";
import { InputForm } from "./form.js";
import { linesFor } from "./lines.js";
import { LinesView } from "./linesview.js";
import { requestOf } from "./request.js";
import { failureView, resultView } from "./result.js";
import { StreamView } from "./streamview.js";

/** @typedef {import("./catalogue.js").Route} Route */
/** @typedef {import("./request.js").Asked} Asked */
/** @typedef {import("./settings.js").Settings} Settings */

// Browsers open no more to one server over HTTP/1.1; what is asked for beyond has to wait.
const CONNECTIONS = 6;

export class RouteView {
  #lines = new LinesView();
  #results = h("div", { class: "results" });
  #streams = /** @type {Set<StreamView>} */ (new Set());
  #notice = h("p", { class: "notice", hidden: true });
  /** @type {AbortController | null} */
  #running = null;

  /**
   * @param {Route} route
   * @param {import("./schema.js").Schemas} schemas
   * @param {Settings} settings
   * @param {() => void} changed Called when another number of streams is open.
   */
  constructor(route, schemas, settings, changed) {
    this.route = route;
    this.settings = settings;
    this.changed = changed;
    this.heading = h("h2", { id: newId("route"), tabindex: -1 }, route.name);
    this.form = new InputForm(route, schemas);
    this.button = h("button", { class: "primary" }, route.streams ? "Open the stream" : "Call");
    const form = h(
      "form",
      { novalidate: true, onsubmit: (/** @type {Event} */ event) => this.#onSubmit(event) },
      this.form.element,
      h("div", { class: "actions" }, this.button),
    );
    form.addEventListener("input", () => this.showLines());
    form.addEventListener("change", () => this.showLines());
    this.element = h(
      "article",
      { "aria-labelledby": this.heading.id },
      this.#introduction(),
      form,
      this.#lines.element,
      this.#notice,
      this.#results,
    );
    this.showLines();
  }

  /** How many of its streams are open. */
  get open() {
    return [...this.#streams].filter((view) => !view.stream.isOver).length;
  }

  /** Show the lines to copy for the input as it is. */
  showLines() {
    try {
      this.#lines.show(linesFor(this.route, this.form.read(), this.settings.headers));
    } catch {
      // What is being typed is no value yet: the last lines that could be made stay.
    }
  }

  #introduction() {
    const { route } = this;
    const permanent = h("a", { class: "permanent", href: `#${route.name}`, "aria-label": "Link to this route" }, "#");
    const schemes = Object.keys(route.security);
    return h(
      "header",
      {},
      h("a", { class: "back", href: "#" }, "← All routes"),
      h("div", { class: "bar" }, this.heading, permanent),
      h(
        "p",
        { class: "bar" },
        h("span", { class: `method is-${route.method}` }, route.method),
        h("code", { class: "path" }, ...breakable(pathText(route))),
        h("span", { class: `kind is-${route.kind}` }, route.kind),
        route.deprecated && h("span", { class: "deprecated" }, "deprecated"),
      ),
      route.summary && h("p", { class: "summary" }, route.summary),
      route.description && h("p", { class: "description" }, route.description),
      schemes.length > 0 && h("p", { class: "hint" }, `Asks for ${schemes.join(", ")}: set it under Headers.`),
    );
  }

  /** @param {Event} event */
  #onSubmit(event) {
    event.preventDefault();
    if (this.#running) {
      this.#running.abort();
      return;
    }
    const input = this.form.check();
    if (input === null) {
      return;
    }
    try {
      const asked = requestOf(this.route, input, this.settings.headers);
      if (this.route.streams) {
        this.#openStream(input, asked);
      } else {
        void this.#call(asked);
      }
    } catch (error) {
      this.form.showFault(error);
    }
  }

  /** @param {Asked} asked */
  async #call(asked) {
    this.#running = new AbortController();
    this.button.textContent = "Cancel";
    this.#results.setAttribute("aria-busy", "true");
    try {
      const answer = await call(asked, this.#running.signal);
      this.#results.replaceChildren(h("h3", {}, "Answer"), resultView(answer));
      announce(`${answer.status} ${answer.statusText}`);
      const faults = faultsOf(answer);
      if (faults.length) {
        this.form.showFaults(faults);
      } else {
        this.#results.scrollIntoView({ block: "nearest" });
      }
    } catch (error) {
      this.#results.replaceChildren(failureView(error));
      announce("No answer.");
    } finally {
      this.#running = null;
      this.button.textContent = "Call";
      this.#results.removeAttribute("aria-busy");
    }
  }

  /** @param {any} input @param {Asked} asked The request that it will be. */
  #openStream(input, { method, url }) {
    const line = `${method} ${url.pathname}${url.search}`;
    const view = new StreamView(
      this.route, input, () => this.settings.headers, line, (one) => this.#onStream(one),
    );
    this.#streams.add(view);
    this.#results.prepend(view.element);
    view.element.scrollIntoView({ block: "nearest" });
    this.#onStream(view);
  }

  /** @param {StreamView} view Its state is another one, or it was removed. */
  #onStream(view) {
    if (!view.element.isConnected && view.stream.isOver) {
      this.#streams.delete(view);
    }
    const faults = view.stream.failure?.errors;
    if (faults?.length) {
      this.form.showFaults(faults);
    }
    this.changed();
  }

  /** @param {number} open How many streams of all routes are open. */
  warn(open) {
    this.#notice.hidden = open < CONNECTIONS || location.protocol === "https:";
    this.#notice.textContent = `${open} streams are open. Over HTTP/1.1 a browser opens ${CONNECTIONS} `
      + "connections to a server: further calls wait until one is closed.";
  }
}
