// The time that charts show, and the moment of it that somebody points at. They scroll together.

export const calm = matchMedia("(prefers-reduced-motion: reduce)");
// The newest row slides in: what is shown ends this long ago.
const LAG = 1300;
// Without motion it moves on in steps, in milliseconds.
const STEP = 1000;

/** Charts of one past that show the same time, and the same moment of it where somebody points. */
export class Board {
  /** `onRead({at, index, ring} | null)` hears which row is pointed at, whenever that changes. */
  constructor(past, clock, { span, onRead }) {
    Object.assign(this, { past, clock, span, onRead, charts: [], cursor: null, reading: null });
    this.frame = this.frame.bind(this);
    this.seen = new IntersectionObserver((entries) => this.see(entries));
    addEventListener("themechange", () => this.each((chart) => chart.colour()));
    calm.addEventListener("change", () => this.touch());
    document.addEventListener("pointerdown", ({ target }) => {
      if (!this.charts.some(({ canvas }) => canvas === target)) this.point(null);
    });
  }

  add(chart) {
    this.charts.push(chart);
    this.seen.observe(chart.canvas);
  }

  each(act) {
    this.charts.forEach(act);
    this.touch();
  }

  /** Something else is to be shown. */
  touch() {
    this.read();
    for (const chart of this.charts) chart.isStale = true;
    this.run();
  }

  show(span) {
    this.span = span;
    this.cursor = null;
    this.touch();
  }

  see(entries) {
    for (const { target, isIntersecting } of entries) {
      const chart = this.charts.find(({ canvas }) => canvas === target);
      chart.isVisible = isIntersecting;
      chart.isStale = true;
    }
    this.run();
  }

  run() {
    if (this.running || !this.charts.some((chart) => chart.isVisible)) return;
    this.running = true;
    requestAnimationFrame(this.frame);
  }

  frame() {
    this.running = false;
    this.read();
    const right = this.right();
    for (const chart of this.charts) if (chart.isVisible) chart.update(right);
    this.run();
  }

  /** The end of what is shown. */
  right() {
    const now = this.clock.now() - LAG;
    return calm.matches ? Math.floor(now / STEP) * STEP : now;
  }

  /** Point at a part of the width (`part`), at a moment (`at`), or at nothing. */
  point(cursor) {
    if (cursor === this.cursor) return;
    this.cursor = cursor;
    this.touch();
  }

  read() {
    const { ring, apart } = this.past.view(this.span);
    const right = this.right();
    if (this.cursor?.at < right - this.span) this.cursor = null;
    const at = this.cursor && (this.cursor.at ?? right - (1 - this.cursor.part) * this.span);
    const index = at === null ? -1 : ring.nearest(at, apart);
    const row = index < 0 ? null : ring.at(index);
    if (row === this.reading) return;
    this.reading = row;
    for (const chart of this.charts) chart.isStale = true;
    this.onRead(row === null ? null : { at: row, index, ring });
  }

  /** Point at the row so many rows later, beginning with the newest one. */
  step(rows) {
    const { ring } = this.past.view(this.span);
    if (!ring.length) return;
    const oldest = ring.find(this.right() - this.span);
    const from = this.reading === null ? ring.length - 1 - Math.sign(rows) : ring.find(this.reading);
    const index = Math.min(Math.max(from + rows, Math.min(oldest, ring.length - 1)), ring.length - 1);
    this.point({ at: ring.at(index) });
  }
}
