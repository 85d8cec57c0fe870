// The machine: its figures now, and their course over the time that is chosen.
import { $sse } from "/api/client.js";
import { Board } from "../board.js";
import { Chart } from "../charts.js";
import { follow } from "../connection.js";
import { find, make } from "../dom.js";
import { number, percent } from "../format.js";
import { keep, kept } from "../kept.js";
import { Clock, Past } from "../series.js";
import { rate, rateTop } from "../units.js";
import { show } from "./machine.js";

// What charts draw, in the order in which the server keeps it.
const LINES = [
  { key: "cpu", name: "CPU", take: (now) => now.cpu, words: (value) => percent(value, 1) },
  { key: "memory", name: "Memory", take: (now) => now.memory.percent, words: (value) => percent(value, 1) },
  { key: "swap", name: "Swap", take: (now) => now.swap.percent, words: (value) => percent(value, 1) },
  { key: "load", name: "Load", take: (now) => now.load.one, words: (value) => number(value, 2) },
  { key: "read", name: "Disk, read", take: (now) => now.disks.read, words: rate },
  { key: "written", name: "Disk, written", take: (now) => now.disks.written, words: rate },
  { key: "received", name: "Network, received", take: (now) => now.network.received, words: rate },
  { key: "sent", name: "Network, sent", take: (now) => now.network.sent, words: rate },
];
const COLUMN = Object.fromEntries(LINES.map(({ key }, column) => [key, column]));
const WHOLE = { ceiling: () => 100, label: (value) => `${value} %` };
const RATES = { ceiling: rateTop, label: (value) => rate(value, 0) };
const CHARTS = [
  { name: "cpu", lines: { cpu: "--accent" }, ...WHOLE },
  { name: "memory", lines: { memory: "--accent", swap: "--third" }, ...WHOLE },
  { name: "network", lines: { received: "--accent", sent: "--second" }, ...RATES },
  { name: "disks", lines: { read: "--accent", written: "--third" }, ...RATES },
];
const MINUTE = 60_000;
const KEPT = "dashboard-minutes";

const past = new Past(LINES.length);
const board = new Board(past, new Clock(), { span: MINUTE, onRead: read });
const values = find("#values tbody");
let isPointing = false;

/** The values of the row that is pointed at, or the newest ones. */
function read(reading) {
  isPointing = reading !== null;
  const { ring } = reading ?? past.view(0);
  const index = reading?.index ?? ring.length - 1;
  for (const { key, words } of LINES) {
    for (const place of document.querySelectorAll(`[data-value="${key}"]`)) {
      place.textContent = index < 0 ? "–" : words(ring.value(index, COLUMN[key]));
    }
  }
}

function draw({ name, lines, ...scale }) {
  const keys = Object.keys(lines);
  const words = ({ ring, index }) => keys.map((key) => told(key, ring, index)).join(", ");
  new Chart(find(`#chart-${name}`), board, {
    ...scale,
    name: find(`#chart-${name}-title`).textContent,
    lines: keys.map((key) => ({ column: COLUMN[key], colour: lines[key] })),
    words,
  });
}

function told(key, ring, index) {
  const { name, words } = LINES[COLUMN[key]];
  return `${name} ${words(ring.value(index, COLUMN[key]))}`;
}

/** The same as the charts, in a table: the newest value, and the least, the mean and the most of what is shown. */
function tabulate() {
  if (!find("#values").open) return;
  const { ring, low, high } = past.view(board.span);
  const first = ring.find(board.right() - board.span);
  for (const { key, words } of LINES) {
    const column = COLUMN[key];
    let [least, sum, most] = [Infinity, 0, -Infinity];
    for (let i = first; i < ring.length; i += 1) {
      least = Math.min(least, ring.value(i, low + column));
      most = Math.max(most, ring.value(i, high + column));
      sum += ring.value(i, column);
    }
    const row = find(`[data-row="${key}"]`, values);
    const numbers = ring.length > first ? [ring.value(ring.length - 1, column), least, sum / (ring.length - first), most] : [];
    [...row.cells].slice(1).forEach((cell, i) => { cell.textContent = numbers.length ? words(numbers[i]) : "–"; });
  }
}

function choose(minutes) {
  for (const button of document.querySelectorAll("[data-minutes]")) {
    button.setAttribute("aria-pressed", String(Number(button.dataset.minutes) === minutes));
  }
  board.show(minutes * MINUTE);
  tabulate();
}

for (const { key, name } of LINES) {
  const cells = [1, 2, 3, 4].map(() => make("td", { class: "number" }, "–"));
  values.append(make("tr", { data: { row: key } }, make("th", { scope: "row" }, name), ...cells));
}
CHARTS.forEach(draw);
for (const button of document.querySelectorAll("[data-minutes]")) {
  button.addEventListener("click", () => {
    const minutes = Number(button.dataset.minutes);
    keep(KEPT, minutes);
    choose(minutes);
  });
}
choose([1, 5, 15, 60].find((minutes) => minutes === Number(kept(KEPT))) ?? 5);
find("#values").addEventListener("toggle", tabulate);

function tell(now) {
  show(now);
  if (!isPointing) read(null);
}

follow("metrics", "Machine", (options) => $sse.metrics({}, { ...options, shared: true }), {
  on: {
    snapshot(before) {
      past.load(before);
      board.touch();
      if (before.latest) tell(before.latest);
      tabulate();
    },
  },
  onMessage(now) {
    const at = Date.parse(now.at);
    board.clock.hear(at);
    past.add(at, LINES.map(({ take }) => take(now)));
    board.touch();
    tell(now);
    tabulate();
  },
  onState({ name }) {
    find("main").dataset.stale = name === "live" ? "no" : "yes";
  },
});
