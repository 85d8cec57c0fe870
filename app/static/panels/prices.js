// Prices of the past, month by month, as the replay comes to them.
import { $api, $sse } from "/api/client.js";
import { follow } from "../connection.js";
import { find } from "../dom.js";
import { number } from "../format.js";
import { path, shape, spread, ticks } from "../lines.js";

const MONTH = new Intl.DateTimeFormat("en", { month: "long", year: "numeric", timeZone: "UTC" });
const SPARK = { months: 24, height: 28 };
const panel = find("#prices");
const chart = find(".chart", panel);
const boxes = [...panel.querySelectorAll(".companies input")];
const scale = find("#scale");

// What has come of this round, month by month.
let months = [];
let of = 1;
let pointed = null;

const chosen = () => boxes.filter((box) => box.checked).map((box) => box.value);
const named = (month) => MONTH.format(new Date(month.month));
const quoted = (month, symbol) => month?.quotes.find((quote) => quote.symbol === symbol);

function open() {
  months = [];
  follow("prices", "Prices", (options) => $sse.prices({ symbols: chosen() }, { ...options, shared: true }), {
    onOpen() {
      if (!months.length) catchUp();
    },
    on: {
      begun,
      month(month) {
        if (month.number > months.length) catchUp();
        if (month.number !== months.length) return;
        months.push(month);
        show();
      },
    },
  });
}

// How often all months were told anew.
let beginnings = 0;

function begun(begun) {
  beginnings += 1;
  ({ months, of } = begun);
  show();
}

let isCatchingUp = false;

/** A tab that joins others which share a connection is not told of what came before. */
async function catchUp() {
  if (isCatchingUp) return;
  isCatchingUp = true;
  const before = beginnings;
  const symbols = chosen();
  try {
    const soFar = await $api.prices_so_far({ symbols });
    if (beginnings === before && String(symbols) === String(chosen())) begun(soFar);
  } catch {
    // The next month has it asked for again.
  } finally {
    isCatchingUp = false;
  }
}

function show() {
  const last = months.at(-1);
  find(".month", panel).textContent = named(last);
  find("#round").textContent =
    last.number === of - 1 ? "This was the last month of the data; the replay starts again in a moment." : `Month ${last.number + 1} of ${of}.`;
  for (const row of document.querySelectorAll(".prices tbody tr")) tell(row, last);
  draw();
}

// The table.

function tell(row, last) {
  const symbol = row.dataset.series;
  const quote = quoted(last, symbol);
  row.hidden = !chosen().includes(symbol);
  cell(row, "price", quote ? number(quote.price, 2) : "–");
  cell(row, "change", quote?.change);
  cell(row, "total", quote?.total);
  spark(find(".spark", row), symbol);
}

function cell(row, name, value) {
  const place = find(`[data-cell="${name}"]`, row);
  if (typeof value === "string") place.textContent = value;
  else {
    place.textContent = signed(value);
    place.dataset.tone = !value ? "none" : value > 0 ? "good" : "bad";
  }
}

function signed(value) {
  if (value === undefined || value === null) return "–";
  return `${value > 0 ? "+" : value < 0 ? "−" : ""}${number(Math.abs(value), Math.abs(value) < 1000 ? 1 : 0)}\u00a0%`;
}

function spark(place, symbol) {
  const width = chart.clientWidth < 400 ? 30 : 114;
  const recent = months.slice(-SPARK.months).map((month) => quoted(month, symbol)?.price);
  const known = recent.filter((price) => price !== undefined);
  if (known.length < 2) return place.replaceChildren();
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const y = (price) => SPARK.height - 3 - ((price - low) / (high - low || 1)) * (SPARK.height - 6);
  const points = recent.map((price, i) => (price === undefined ? null : [(i / (SPARK.months - 1)) * width, y(price)]));
  const line = shape("path", { class: "line", d: path(points) });
  return place.replaceChildren(shape("svg", { width, height: SPARK.height, "aria-hidden": "true" }, line));
}

// The chart.

const MARGIN = { top: 10, right: 48, bottom: 26, left: 46 };

function draw() {
  const { clientWidth: width, clientHeight: height } = chart;
  if (!months.length || width < 100) return;
  const symbols = chosen();
  const values = months.flatMap((month) => month.quotes.map((quote) => quote[scale.value]));
  const marks = ticks(Math.min(0, ...values), Math.max(1, ...values), height < 300 ? 4 : 6);
  const [low, high] = [marks[0], marks.at(-1)];
  const x = (i) => MARGIN.left + (i / (of - 1)) * (width - MARGIN.left - MARGIN.right);
  const y = (value) => height - MARGIN.bottom - ((value - low) / (high - low)) * (height - MARGIN.top - MARGIN.bottom);
  const at = pointed === null ? months.length - 1 : Math.min(pointed, months.length - 1);
  const label = `${scale.selectedOptions[0].text}, ${symbols.join(", ")}; the values of the month are in the table below.`;
  const drawn = shape("svg", { width, height, role: "img", "aria-label": label });
  drawn.append(...marks.flatMap((mark) => rule(mark, y(mark), width)), ...years(x, height, width));
  drawn.append(...symbols.map((symbol) => line(symbol, x, y)));
  if (pointed !== null) drawn.append(...hand(x(at), height, months[at], width));
  drawn.append(...ends(symbols, months[at], x(at), y, height));
  chart.replaceChildren(drawn);
}

function rule(mark, y, width) {
  const line = shape("line", { class: "rule", x1: MARGIN.left, x2: width - MARGIN.right, y1: y, y2: y });
  return [line, shape("text", { x: MARGIN.left - 8, y: y + 4, "text-anchor": "end" }, number(mark))];
}

/** Every January; on a narrow chart every second one. The data begin with one. */
function years(x, height, width) {
  const step = width < 560 ? 24 : 12;
  const first = new Date(months[0].month).getUTCFullYear();
  const marks = [];
  for (let i = 0; i < of - 2; i += step) {
    marks.push(shape("text", { x: x(i), y: height - 6, "text-anchor": "middle" }, String(first + i / 12)));
  }
  return marks;
}

function line(symbol, x, y) {
  const points = months.map((month, i) => {
    const quote = quoted(month, symbol);
    return quote ? [x(i), y(quote[scale.value])] : null;
  });
  const drawn = shape("path", { class: "line", d: path(points) });
  drawn.dataset.series = symbol;
  return drawn;
}

function hand(x, height, month, width) {
  const anchor = x > width / 2 ? "end" : "start";
  return [
    shape("line", { class: "hand", x1: x, x2: x, y1: MARGIN.top, y2: height - MARGIN.bottom }),
    shape("text", { x: x + (anchor === "end" ? -8 : 8), y: MARGIN.top + 4, "text-anchor": anchor }, named(month)),
  ];
}

/** A dot on each line and its name beside it; with its value, where somebody points. */
function ends(symbols, month, x, y, height) {
  const labels = symbols
    .filter((symbol) => quoted(month, symbol))
    .map((symbol) => ({ symbol, value: quoted(month, symbol)[scale.value] }))
    .map((label) => ({ ...label, y: y(label.value), of: y(label.value) }));
  spread(labels, 15, MARGIN.top + 4, height - MARGIN.bottom);
  return labels.flatMap(({ symbol, value, y: at, of: dot }) => {
    const text = pointed === null ? symbol : `${symbol} ${scale.value === "price" ? number(value, 2) : signed(value)}`;
    const end = x + 160 > chart.clientWidth && pointed !== null;
    const made = [
      shape("circle", { class: "dot", cx: x, cy: dot, r: 4.5 }),
      shape("text", { class: "name", x: x + (end ? -9 : 9), y: at + 4, "text-anchor": end ? "end" : "start" }, text),
    ];
    for (const each of made) each.dataset.series = symbol;
    return made;
  });
}

function point(event) {
  const { left, width } = chart.getBoundingClientRect();
  const part = (event.clientX - left - MARGIN.left) / (width - MARGIN.left - MARGIN.right);
  pointed = part < 0 || part > 1 ? null : Math.round(part * (of - 1));
  draw();
}

chart.addEventListener("pointermove", point);
chart.addEventListener("pointerdown", point);
chart.addEventListener("pointerleave", () => {
  pointed = null;
  draw();
});
new ResizeObserver(() => months.length && show()).observe(chart);
scale.addEventListener("change", draw);

/** One company at least is shown. */
function choose() {
  const last = chosen().length === 1;
  for (const box of boxes) box.disabled = last && box.checked;
}

for (const box of boxes) {
  box.addEventListener("change", () => {
    choose();
    open();
  });
}
choose();
open();
