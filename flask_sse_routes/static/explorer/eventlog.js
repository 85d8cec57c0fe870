/**
 * The last events of a stream, how many there were of each name, and which of them to show.
 */

/** How many events are kept and shown. */
export const LIMIT = 1000;
// Names are the server's to choose: no list of them grows without end.
const MOST_NAMES = 100;

/**
 * @typedef {object} Entry
 * @property {number} number
 * @property {number} time Milliseconds since 1970.
 * @property {string} event
 * @property {string} id
 * @property {unknown} data
 */

export class EventLog {
  /** @type {Entry[]} */
  #entries = [];
  /** @type {Map<string, number>} */
  names = new Map();
  total = 0;
  /** @type {string | null} The name of the events to show; null for all. */
  filter = null;

  /**
   * @param {{ event: string, data: unknown, id: string }} told
   */
  add({ event, data, id }) {
    this.total += 1;
    this.#entries.push({ number: this.total, time: Date.now(), event, id, data });
    if (this.#entries.length > 2 * LIMIT) {
      this.#entries = this.#entries.slice(-LIMIT);
    }
    if (this.names.has(event) || this.names.size < MOST_NAMES) {
      this.names.set(event, (this.names.get(event) ?? 0) + 1);
    }
  }

  clear() {
    this.#entries = [];
    this.names.clear();
  }

  /**
   * What to show of the events after one that is shown already, oldest first.
   *
   * @param {number} number
   */
  after(number) {
    const kept = this.#entries.slice(-LIMIT);
    const first = kept.findIndex((entry) => entry.number > number);
    const later = first < 0 ? [] : kept.slice(first);
    return later.filter((entry) => this.filter === null || entry.event === this.filter);
  }
}
