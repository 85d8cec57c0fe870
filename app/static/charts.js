// Lines over time, drawn on a canvas as its board says.
import { calm } from "./board.js";

// Pixels above and below the lines, for the words there.
const ABOVE = 18;
const BELOW = 20;
// Milliseconds between two words of the time axis: the least of these that leaves room.
const TICKS = [10, 15, 30, 60, 120, 300, 600, 900, 1800].map((seconds) => 1000 * seconds);
const ROOM = 84;
// Pixels from row to row below which dashes would be noise.
const DENSE = 3;
const TIME = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const MINUTE = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

/** One canvas with its lines; `words(reading)` says for a screen reader what is pointed at. */
export class Chart {
  /** `lines`: `{column, colour}`; `ceiling(most)` is the top of the axis, `label(value)` its words. */
  constructor(canvas, board, { name, lines, ceiling, label, words }) {
    Object.assign(this, { canvas, board, lines, ceiling, label, words, top: ceiling(0), isVisible: false, isStale: true });
    this.pen = canvas.getContext("2d");
    this.drawn = 0;
    this.attributes(name);
    this.colour();
    this.listen();
    new ResizeObserver(([{ contentRect }]) => this.resize(contentRect)).observe(canvas);
    board.add(this);
  }

  attributes(name) {
    const settings = { tabindex: 0, role: "slider", "aria-label": `${name}: read values`, "aria-valuemin": 0, "aria-valuemax": 100 };
    for (const [key, value] of Object.entries(settings)) this.canvas.setAttribute(key, value);
    this.say(null);
  }

  /** A slider from the beginning of what is shown to its end. */
  say(reading) {
    const { span } = this.board;
    const part = reading ? 100 - (100 * (this.board.right() - reading.at)) / span : 100;
    this.canvas.setAttribute("aria-valuenow", Math.round(Math.min(Math.max(part, 0), 100)));
    this.canvas.setAttribute("aria-valuetext", reading ? `${TIME.format(reading.at)}: ${this.words(reading)}` : "now; arrow keys go back");
  }

  colour() {
    const style = getComputedStyle(this.canvas);
    const colours = ["--text", "--muted", "--line", ...this.lines.map(({ colour }) => colour)];
    this.colours = Object.fromEntries(colours.map((name) => [name, style.getPropertyValue(name)]));
    this.font = `11px ${style.fontFamily}`;
  }

  resize({ width, height }) {
    Object.assign(this, { width, height, ratio: 0 });
    this.board.touch();
  }

  listen() {
    const { canvas, board } = this;
    const point = ({ clientX }) => {
      const { left, width } = canvas.getBoundingClientRect();
      board.point({ part: (clientX - left) / width });
    };
    canvas.addEventListener("pointermove", point);
    canvas.addEventListener("pointerdown", point);
    canvas.addEventListener("pointerleave", ({ pointerType }) => pointerType === "mouse" && board.point(null));
    canvas.addEventListener("blur", () => board.point(null));
    canvas.addEventListener("keydown", (event) => this.key(event));
  }

  key(event) {
    const steps = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10, Home: -Infinity, End: Infinity };
    const { key } = event;
    if (key === "Escape") this.board.point(null);
    else if (key in steps) this.board.step(steps[key]);
    else return;
    event.preventDefault();
    const { reading, past, span } = this.board;
    const { ring, apart } = past.view(span);
    this.say(reading === null ? null : { at: reading, index: ring.nearest(reading, apart), ring });
  }

  /** Draw, unless nobody could see a difference. */
  update(right) {
    if (!this.width) return;
    const moved = (Math.abs(right - this.drawn) / this.board.span) * this.width * devicePixelRatio;
    if (!this.isStale && moved < 0.5 && this.ratio === devicePixelRatio) return;
    this.isStale = false;
    this.drawn = right;
    this.fit();
    this.draw(right);
  }

  fit() {
    if (this.ratio === devicePixelRatio) return;
    this.ratio = devicePixelRatio;
    this.canvas.width = Math.round(this.width * this.ratio);
    this.canvas.height = Math.round(this.height * this.ratio);
  }

  draw(right) {
    const { pen, width, height, board } = this;
    const { span } = board;
    const view = { ...board.past.view(span), right };
    const x = (at) => width - ((right - at) / span) * width;
    const y = (value) => height - BELOW - (Math.min(value / this.top, 1) * (height - ABOVE - BELOW));
    pen.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    pen.font = this.font;
    const runs = this.runs(view, span);
    this.scale(view, runs);
    this.gaps(view, runs, x);
    this.axes(x, y, right, span);
    for (const line of this.lines) this.line(line, view, runs, x, y);
    this.marks(view, x, y);
  }

  /** Rows without a hole between them, as `[first, last]`; one before what is shown goes with them. */
  runs({ ring, apart, right }, span) {
    const runs = [];
    for (let index = Math.max(ring.find(right - span) - 1, 0); index < ring.length; index += 1) {
      const run = runs.at(-1);
      if (run && ring.at(index) - ring.at(run[1]) <= apart) run[1] = index;
      else runs.push([index, index]);
    }
    return runs;
  }

  /** Bring the top of the axis to what is to be seen, smoothly. */
  scale({ ring, high }, runs) {
    let most = 0;
    for (const { column } of this.lines) {
      for (const [first, last] of runs) for (let i = first; i <= last; i += 1) most = Math.max(most, ring.value(i, high + column));
    }
    const goal = this.ceiling(most);
    const gap = goal - this.top;
    const isThere = calm.matches || Math.abs(gap) < goal / 200;
    this.goal = goal;
    this.top = isThere ? goal : this.top + gap * 0.15;
    this.isStale = !isThere;
  }

  axes(x, y, right, span) {
    const { pen, width, height, colours } = this;
    const step = TICKS.find((tick) => (tick / span) * width >= ROOM) ?? TICKS.at(-1);
    const words = step % 60_000 ? TIME : MINUTE;
    pen.strokeStyle = colours["--line"];
    pen.fillStyle = colours["--muted"];
    pen.lineWidth = 1;
    pen.setLineDash([]);
    pen.beginPath();
    for (const part of [0, 0.5, 1]) {
      const level = Math.round(y(this.top * part)) + 0.5;
      pen.moveTo(0, level);
      pen.lineTo(width, level);
    }
    pen.textAlign = "center";
    for (let at = Math.ceil((right - span) / step) * step; at <= right; at += step) {
      pen.moveTo(x(at), ABOVE);
      pen.lineTo(x(at), height - BELOW);
      const half = pen.measureText(words.format(at)).width / 2;
      if (x(at) > half && x(at) < width - half) pen.fillText(words.format(at), x(at), height - 5);
    }
    pen.stroke();
    pen.textAlign = "left";
    pen.fillText(this.label(this.goal), 0, ABOVE - 6);
    pen.fillText(this.label(this.goal / 2), 0, y(this.top / 2) - 5);
  }

  /** Where nothing was heard: no line, and no doubt about it. */
  gaps({ ring, apart, right }, runs, x) {
    for (let i = 1; i < runs.length; i += 1) this.gap(x(ring.at(runs[i - 1][1])), x(ring.at(runs[i][0])));
    const last = runs.at(-1);
    if (last && right - ring.at(last[1]) > apart) this.gap(x(ring.at(last[1])), this.width);
  }

  gap(from, to) {
    const { pen, height, colours } = this;
    pen.globalAlpha = 0.6;
    pen.fillStyle = colours["--line"];
    pen.fillRect(from, ABOVE, to - from, height - ABOVE - BELOW);
    pen.globalAlpha = 1;
    if (to - from < 50) return;
    pen.fillStyle = colours["--muted"];
    pen.textAlign = "center";
    pen.fillText("no data", (Math.max(from, 0) + to) / 2, ABOVE + (height - ABOVE - BELOW) / 4 + 4);
  }

  line({ column, colour }, { ring, low, high }, runs, x, y) {
    const { pen } = this;
    const isFirst = this.lines[0].column === column;
    const isDense = runs.length > 0 && (x(ring.newest) - x(ring.at(runs[0][0]))) / (ring.length - runs[0][0]) < DENSE;
    pen.strokeStyle = this.colours[colour];
    pen.fillStyle = this.colours[colour];
    pen.lineWidth = isDense ? 1.25 : 1.75;
    pen.lineJoin = "round";
    // Dashed, so that a line of the same course below it can still be seen.
    pen.setLineDash(isFirst || isDense ? [] : [6, 3]);
    for (const [first, last] of runs) {
      const path = this.course(ring, column, first, last, x, y);
      pen.stroke(path);
      pen.globalAlpha = high ? 0.2 : 0.09;
      pen.fill(high ? this.band(ring, column, [low, high], first, last, x, y) : this.area(path, ring, first, last, x, y));
      pen.globalAlpha = 1;
      if (first === last) pen.fillRect(x(ring.at(first)) - 1.5, y(ring.value(first, column)) - 1.5, 3, 3);
    }
  }

  course(ring, column, first, last, x, y) {
    const path = new Path2D();
    let [x0, y0] = [x(ring.at(first)), y(ring.value(first, column))];
    path.moveTo(x0, y0);
    for (let i = first + 1; i <= last; i += 1) {
      const [x1, y1] = [x(ring.at(i)), y(ring.value(i, column))];
      const middle = (x0 + x1) / 2;
      if (x1 - x0 > 4) path.bezierCurveTo(middle, y0, middle, y1, x1, y1);
      else path.lineTo(x1, y1);
      [x0, y0] = [x1, y1];
    }
    return path;
  }

  area(course, ring, first, last, x, y) {
    const path = new Path2D(course);
    path.lineTo(x(ring.at(last)), y(0));
    path.lineTo(x(ring.at(first)), y(0));
    return path;
  }

  /** From the least to the most. */
  band(ring, column, [low, high], first, last, x, y) {
    const path = new Path2D();
    for (let i = first; i <= last; i += 1) path.lineTo(x(ring.at(i)), y(ring.value(i, high + column)));
    for (let i = last; i >= first; i -= 1) path.lineTo(x(ring.at(i)), y(ring.value(i, low + column)));
    return path;
  }

  /** The row that is pointed at. */
  marks({ ring, apart }, x, y) {
    const { pen, height, colours, board } = this;
    if (board.reading === null) return;
    const index = ring.nearest(board.reading, apart);
    if (index < 0) return;
    const at = x(ring.at(index));
    pen.setLineDash([]);
    pen.strokeStyle = colours["--muted"];
    pen.lineWidth = 1;
    pen.stroke(new Path2D(`M${at} ${ABOVE}V${height - BELOW}`));
    for (const { column, colour } of this.lines) {
      pen.fillStyle = colours[colour];
      pen.beginPath();
      pen.arc(at, y(ring.value(index, column)), 3.5, 0, 2 * Math.PI);
      pen.fill();
    }
    this.moment(at, ring.at(index));
  }

  moment(x, at) {
    const { pen, width, colours } = this;
    const text = TIME.format(at);
    const half = pen.measureText(text).width / 2;
    pen.fillStyle = colours["--text"];
    pen.textAlign = "center";
    pen.fillText(text, Math.min(Math.max(x, half + 70), width - half), ABOVE - 6);
  }
}
