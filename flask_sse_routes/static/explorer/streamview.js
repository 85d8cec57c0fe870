/**
 * A stream to look at: its state, its counters, its rate and its events.
 */
import { announce, h } from "./dom.js";
import { EventLog, LIMIT } from "./eventlog.js";
import { EventTable } from "./eventtable.js";
import { bytesText, countText } from "./format.js";
import { RateChart } from "./ratechart.js";
import { headersView } from "./result.js";
import { Stream } from "./stream.js";

/** @typedef {import("./catalogue.js").Route} Route */

const STATES = {
  connecting: "connecting",
  open: "open",
  waiting: "waiting to reconnect",
  ended: "ended",
  failed: "failed",
  closed: "closed",
};
const ALL = "";

export class StreamView {
  #log = new EventLog();
  #chart = new RateChart();
  #table = new EventTable(this.#log, () => this.#count());
  #pill = h("span", { class: "state" });
  #reason = h("p", { class: "reason" });
  #head = h("div", { class: "head" });
  #counters = Object.fromEntries(["Events", "Received", "Reconnects", "Last event id"].map((title) => [title, h("dd")]));
  #names = h("select", { "aria-label": "Show events named" }, h("option", { value: ALL }, "All events"));
  #close = h("button", { type: "button", onclick: () => this.stream.close() }, "Close");
  #remove = h("button", { type: "button", hidden: true, onclick: () => this.#onRemove() }, "Remove");
  #pause = h("button", { type: "button", class: "small", "aria-pressed": "false", onclick: () => this.#onPause() }, "Pause");
  #timer = setInterval(() => this.#chart.draw(), 1000);

  /**
   * @param {Route} route
   * @param {any} input
   * @param {() => Record<string, string>} headers
   * @param {string} line What was asked for, on one line.
   * @param {(view: StreamView) => void} changed Called when its state is another one.
   */
  constructor(route, input, headers, line, changed) {
    this.changed = changed;
    this.element = this.#build(line);
    this.stream = new Stream(route, input, headers, {
      changed: () => queueMicrotask(() => this.#show()),
      told: (event) => this.#onEvent(event),
    });
    this.#chart.draw();
    this.#count();
    this.#show();
  }

  /** @param {string} line */
  #build(line) {
    const order = h("input", { type: "checkbox", onchange: () => this.#onOrder(order.checked) });
    order.checked = true;
    this.#names.addEventListener("change", () => this.#onFilter());
    const clear = h("button", { type: "button", class: "small", onclick: () => this.#onClear() }, "Clear");
    const newest = h("label", { class: "inline" }, order, "Newest first");
    const counters = Object.entries(this.#counters).map(([title, value]) => (
      h("div", {}, h("dt", {}, title), value)
    ));
    return h(
      "section",
      { class: "stream", "aria-label": `Stream ${line}` },
      h("div", { class: "bar" }, this.#pill, h("code", { class: "asked" }, line), this.#close, this.#remove),
      this.#reason,
      h("div", { class: "figures" }, h("dl", {}, ...counters), this.#chart.element),
      h("div", { class: "bar tools" }, this.#names, newest, this.#pause, clear),
      this.#table.element,
      h("p", { class: "hint" }, `The last ${countText(LIMIT)} events are kept.`),
      this.#head,
    );
  }

  /** @param {import("./stream.js").Told} event */
  #onEvent(event) {
    this.#log.add(event);
    this.#chart.add();
    this.#table.changed();
  }

  #show() {
    const { state, reason, isOver, headers } = this.stream;
    const before = this.#pill.textContent;
    this.#pill.textContent = STATES[state];
    this.#pill.dataset.state = state;
    this.#reason.textContent = reason;
    this.#reason.hidden = !reason;
    this.#close.hidden = isOver;
    this.#remove.hidden = !isOver;
    this.#head.replaceChildren(...(headers.length ? [headersView(headers)] : []));
    this.#table.changed();
    if (before !== STATES[state]) {
      announce(`Stream ${STATES[state]}. ${reason}`);
      this.changed(this);
    }
  }

  #count() {
    const { events, bytes, reconnects, lastEventId } = this.stream;
    const texts = [countText(events), bytesText(bytes), countText(reconnects), lastEventId || "none"];
    Object.values(this.#counters).forEach((element, index) => {
      element.textContent = texts[index] ?? "";
    });
    const waiting = this.#table.paused ? this.#table.behind : 0;
    this.#pause.textContent = waiting ? `Resume (${countText(waiting)} new)` : this.#table.paused ? "Resume" : "Pause";
    this.#listNames();
  }

  #listNames() {
    const known = new Set([...this.#names.options].map((option) => option.value));
    for (const name of this.#log.names.keys()) {
      if (!known.has(`=${name}`)) {
        this.#names.append(h("option", { value: `=${name}` }, name));
      }
    }
  }

  #onFilter() {
    const { value } = this.#names;
    this.#log.filter = value === ALL ? null : value.slice(1);
    this.#table.rebuild();
  }

  /** @param {boolean} newestFirst */
  #onOrder(newestFirst) {
    this.#table.newestFirst = newestFirst;
    this.#table.rebuild();
    this.#table.element.scrollTop = newestFirst ? 0 : this.#table.element.scrollHeight;
  }

  #onPause() {
    const paused = !this.#table.paused;
    this.#pause.setAttribute("aria-pressed", String(paused));
    this.#table.pause(paused);
  }

  #onClear() {
    this.#log.clear();
    this.#table.rebuild();
  }

  #onRemove() {
    clearInterval(this.#timer);
    this.element.remove();
    this.changed(this);
  }
}
