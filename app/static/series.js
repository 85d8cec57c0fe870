// Figures over time: rows in arrays of a fixed length, so that a page that stays open needs no more memory.

const SECOND = 1000;
const MINUTE = 60 * SECOND;
// Ten seconds make one row of the long ring.
const SPAN = 10 * SECOND;
// A clock that differs by more than this has been set.
const SET = 5 * SECOND;
const SLOW = 0.5;

/** Rows of numbers with their times, in milliseconds; the newest push out the oldest. */
export class Ring {
  constructor(width, capacity) {
    Object.assign(this, { width, capacity, begin: 0, length: 0 });
    this.times = new Float64Array(capacity);
    this.values = new Float64Array(capacity * width);
  }

  clear() {
    this.begin = 0;
    this.length = 0;
  }

  push(at, row) {
    if (this.length === this.capacity) this.begin = (this.begin + 1) % this.capacity;
    else this.length += 1;
    const place = this.place(this.length - 1);
    this.times[place] = at;
    for (let column = 0; column < this.width; column += 1) this.values[place * this.width + column] = row[column];
  }

  place(index) {
    return (this.begin + index) % this.capacity;
  }

  at(index) {
    return this.times[this.place(index)];
  }

  value(index, column) {
    return this.values[this.place(index) * this.width + column];
  }

  get newest() {
    return this.length ? this.at(this.length - 1) : -Infinity;
  }

  /** The first row at this time or after it. */
  find(at) {
    let [low, high] = [0, this.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.at(middle) < at) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The row nearest to this time; -1 where there is none within `reach`. */
  nearest(at, reach) {
    const after = this.find(at);
    const index = after > 0 && (after === this.length || at - this.at(after - 1) < this.at(after) - at) ? after - 1 : after;
    return index < this.length && Math.abs(this.at(index) - at) <= reach ? index : -1;
  }
}

/** A quarter of an hour second by second, and an hour in spans: their means, least and most. */
export class Past {
  constructor(width) {
    this.width = width;
    this.points = new Ring(width, 960);
    this.spans = new Ring(3 * width, 400);
    this.gathered = [];
  }

  /** Begin anew with what the server kept; its times are in seconds. */
  load({ points, spans }) {
    this.clear();
    spans.at.forEach((at, i) => this.spans.push(at * SECOND, [...spans.mean[i], ...spans.low[i], ...spans.high[i]]));
    points.at.forEach((at, i) => this.add(at * SECOND, points.rows[i]));
  }

  clear() {
    this.points.clear();
    this.spans.clear();
    this.gathered = [];
  }

  add(at, row) {
    // The server's clock was set back: what came before has times that are still to come.
    if (at < this.points.newest - MINUTE) this.clear();
    if (at <= this.points.newest) return;
    this.points.push(at, row);
    if (at > this.spans.newest) this.gather(at, row);
  }

  gather(at, row) {
    const isNext = this.gathered.length && Math.floor(at / SPAN) !== Math.floor(this.gathered.at(-1).at / SPAN);
    if (isNext) {
      this.spans.push(this.gathered.at(-1).at, this.summary());
      this.gathered = [];
    }
    this.gathered.push({ at, row });
  }

  summary() {
    const columns = Array.from({ length: this.width }, (_, column) => this.gathered.map(({ row }) => row[column]));
    const means = columns.map((column) => column.reduce((sum, value) => sum + value, 0) / column.length);
    return [...means, ...columns.map((column) => Math.min(...column)), ...columns.map((column) => Math.max(...column))];
  }

  /** What to draw of so many milliseconds: the rows, how far apart two may be, and where least and most stand. */
  view(span) {
    if (span <= 15 * MINUTE) return { ring: this.points, apart: 3.5 * SECOND, low: 0, high: 0 };
    return { ring: this.spans, apart: 2.5 * SPAN, low: this.width, high: 2 * this.width };
  }
}

/** The server's time, as far as can be told from when its samples arrive. */
export class Clock {
  constructor(now = () => performance.now()) {
    this.here = now;
    // Until a sample was heard, this machine's own clock has to do.
    this.behind = now() - Date.now();
    this.isHeard = false;
  }

  /** A sample of the server's time `at` has just arrived; the quickest ones tell best. */
  hear(at) {
    const behind = this.here() - at;
    const later = behind - this.behind;
    if (this.isHeard && later >= 0 && later < SET) this.behind += Math.min(later, SLOW);
    else this.behind = behind;
    this.isHeard = true;
  }

  now() {
    return this.here() - this.behind;
  }
}
