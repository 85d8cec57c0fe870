/**
 * Events per second over the last minute, as bars.
 */
import { h, svg } from "./dom.js";
import { countText } from "./format.js";

const SECONDS = 60;
const HEIGHT = 40;
const BAR = 4;

export class RateChart {
  /** @type {Map<number, number>} Counts by second. */
  #counts = new Map();
  #path = svg("path", {});
  #picture = svg(
    "svg",
    { viewBox: `0 0 ${SECONDS * BAR} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" },
    this.#path,
  );
  #text = h("figcaption");
  element = h("figure", { class: "rate" }, this.#picture, this.#text);

  /** An event came. */
  add() {
    const second = now();
    this.#counts.set(second, (this.#counts.get(second) ?? 0) + 1);
  }

  /** Draw what was counted up to the last full second. */
  draw() {
    const last = now() - 1;
    for (const second of this.#counts.keys()) {
      if (second <= last - SECONDS) {
        this.#counts.delete(second);
      }
    }
    const bars = Array.from({ length: SECONDS }, (_, index) => (
      this.#counts.get(last - SECONDS + 1 + index) ?? 0
    ));
    const most = Math.max(1, ...bars);
    this.#path.setAttribute("d", bars.map((count, index) => bar(index, count / most)).join(""));
    const current = bars.at(-1) ?? 0;
    this.#text.textContent = `${countText(current)}/s, at most ${countText(Math.max(...bars))}/s in the last minute`;
  }
}

/** @param {number} index @param {number} share */
function bar(index, share) {
  const height = share ? Math.max(1.5, share * HEIGHT) : 0;
  return height ? `M${index * BAR} ${HEIGHT}v${-height.toFixed(2)}h${BAR - 1}V${HEIGHT}z` : "";
}

function now() {
  return Math.floor(Date.now() / 1000);
}
