/**
 * The table of a stream's events. It is brought up to date a few times a second, however fast
 * they come.
 */
import { h } from "./dom.js";
import { LIMIT } from "./eventlog.js";
import { timeText } from "./format.js";
import { coloured, valueText } from "./json.js";

/** @typedef {import("./eventlog.js").Entry} Entry */

// Milliseconds between two updates: what changes faster cannot be read.
const PAUSE = 100;
// Or so many times what an update takes, so that the page has time for everything else.
const SHARE = 8;
// Events in one update beyond which they are shown without colours, which nobody can see anyway.
const MANY = 40;
const LINE = 120;
const PREVIEW = 400;

export class EventTable {
  newestFirst = true;
  paused = false;
  #shown = 0;
  #next = 0;
  #frame = 0;
  #body = h("tbody", { role: "rowgroup" });
  #empty = h("p", { class: "empty" }, "No events yet.");

  /**
   * @param {import("./eventlog.js").EventLog} log
   * @param {() => void} updated Called after each update.
   */
  constructor(log, updated) {
    this.log = log;
    this.updated = updated;
    const titles = ["Time", "Event", "Id", "Data"];
    const cells = titles.map((title) => h("th", { scope: "col", role: "columnheader" }, title));
    const head = h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, ...cells));
    const table = h("table", { role: "table", "aria-label": "Events" }, head, this.#body);
    this.element = h("div", { class: "events", tabindex: 0, role: "region", "aria-label": "Events of the stream" }, table, this.#empty);
  }

  /** How many events came that it does not show yet. */
  get behind() {
    return this.log.total - this.#shown;
  }

  /** Have it brought up to date soon. */
  changed() {
    this.#frame ||= requestAnimationFrame((now) => this.#onFrame(now));
  }

  /** Make it anew: the order, the filter or the log is another. */
  rebuild() {
    const until = this.paused ? this.#shown : Infinity;
    this.#body.replaceChildren();
    this.#append(this.log.after(0).filter((entry) => entry.number <= until));
    this.#shown = Math.min(until, this.log.total);
    this.updated();
  }

  /** @param {boolean} paused */
  pause(paused) {
    this.paused = paused;
    this.changed();
  }

  /** @param {number} now */
  #onFrame(now) {
    this.#frame = 0;
    if (now < this.#next) {
      this.changed();
      return;
    }
    const start = performance.now();
    if (!this.paused) {
      this.#append(this.log.after(this.#shown));
    }
    this.updated();
    this.#next = now + Math.max(PAUSE, SHARE * (performance.now() - start));
  }

  /** @param {Entry[]} entries */
  #append(entries) {
    const follows = !this.newestFirst && this.#isAtEnd();
    const many = entries.length > MANY;
    const rows = entries.map((entry) => row(entry, many));
    if (this.newestFirst) {
      this.#body.prepend(...rows.reverse());
    } else {
      this.#body.append(...rows);
    }
    this.#shown = this.log.total;
    this.#trim();
    this.#empty.hidden = this.#body.childElementCount > 0;
    if (follows && rows.length) {
      this.element.scrollTop = this.element.scrollHeight;
    }
  }

  #trim() {
    for (let excess = this.#body.childElementCount - LIMIT; excess > 0; excess--) {
      const last = this.newestFirst ? this.#body.lastElementChild : this.#body.firstElementChild;
      last?.remove();
    }
  }

  #isAtEnd() {
    const { scrollTop, clientHeight, scrollHeight } = this.element;
    return scrollTop + clientHeight >= scrollHeight - 40;
  }
}

/** @param {Entry} entry @param {boolean} plain Whether to leave the colours out. */
function row({ time, event, id, data }, plain) {
  const name = h("span", { class: `event-name ${KNOWN.has(event) ? `is-${event}` : ""}` }, event);
  return h(
    "tr",
    { role: "row" },
    h("td", { role: "cell", class: "time" }, timeText(time)),
    h("td", { role: "cell" }, name),
    h("td", { role: "cell", class: "id", title: id }, id),
    h("td", { role: "cell", class: "data" }, dataView(data, plain)),
  );
}

const KNOWN = new Set(["message", "snapshot", "reset", "error", "end"]);

/** @param {unknown} data @param {boolean} plain */
function dataView(data, plain) {
  const text = valueText(data, LINE);
  const parts = () => (typeof data === "string" ? text : coloured(text));
  if (text.length <= PREVIEW && !text.includes("\n")) {
    return h("pre", {}, plain ? text : parts());
  }
  const preview = text.slice(0, LINE).replace(/\s+/g, " ");
  const details = h("details", {}, h("summary", {}, `${preview}…`));
  details.addEventListener("toggle", () => {
    if (details.open && details.childElementCount === 1) {
      details.append(h("pre", {}, parts()));
    }
  });
  return details;
}
