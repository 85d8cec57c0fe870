// Charts of lines, drawn as SVG: colours and widths are those of style sheets, so they follow the theme.

import { find } from "./dom.js";

// Every page has icons.
const SVG = find("svg").namespaceURI;

/** A new SVG element with attributes; a text goes in as a text node. */
export function shape(tag, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** A path through `[x, y]`; a point that is missing leaves a gap. */
export function path(points) {
  let pen = "M";
  let drawn = "";
  for (const point of points) {
    if (point) drawn += `${pen}${point[0].toFixed(1)} ${point[1].toFixed(1)}`;
    pen = point ? "L" : "M";
  }
  return drawn;
}

/** Round values from `low` to `high`, about as many as asked for. */
export function ticks(low, high, about) {
  const rough = (high - low) / about || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough);
  const first = Math.floor(low / step);
  const count = Math.ceil(high / step) - first;
  return Array.from({ length: count + 1 }, (_, i) => (first + i) * step);
}

/** Move labels apart, so that each has `room`, between `low` and `high`; in place, by their `y`. */
export function spread(labels, room, low, high) {
  labels.sort((a, b) => a.y - b.y);
  let free = low;
  for (const label of labels) {
    label.y = Math.max(label.y, free);
    free = label.y + room;
  }
  free = high;
  for (const label of [...labels].reverse()) {
    label.y = Math.min(label.y, free);
    free = label.y - room;
  }
}
