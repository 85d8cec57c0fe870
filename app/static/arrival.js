// A tab that joins others which share a log's stream lacks the last lines: it asks for them by itself.

/** A position: `<inode>-<offset>-<check>`, in hexadecimal. */
const PLACE = /^([0-9a-f]+)-([0-9a-f]+)-[0-9a-f]+$/;

/** Whether a position is not after another one of the same file. */
function isWithin(id, other) {
  const [, file, offset] = PLACE.exec(id) ?? [];
  const [, ours, end] = PLACE.exec(other) ?? [];
  return file !== undefined && file === ours && parseInt(offset, 16) <= parseInt(end, 16);
}

/** Puts the last lines before those that come, each of them once. */
export class Arrival {
  #waiting = [];
  #hasBegun = false;
  #asked = null;
  // Where the last lines end, until what comes is past it.
  #end = null;

  /** `open(options)` opens the stream of this tab alone; `shown` has `begin(tail)` and `add(entries)`. */
  constructor(open, shown) {
    Object.assign(this, { open, shown });
  }

  /** The stream is there, maybe in the middle. */
  async ask() {
    if (this.#hasBegun || this.#asked) return;
    this.#asked = new AbortController();
    try {
      for await (const { event, data, id } of this.open({ signal: this.#asked.signal })) {
        if (event === "tail" && !this.#hasBegun) this.begin(data, id);
        return;
      }
    } catch {
      // The next that comes has it asked for again.
    } finally {
      this.#asked = null;
    }
  }

  /** Show the last lines, then what came while they were asked for. */
  begin(tail, id) {
    this.#hasBegun = true;
    this.#end = id;
    this.#asked?.abort();
    this.shown.begin(tail);
    for (const { entries, id: at } of this.#waiting.splice(0)) this.add(entries, at);
  }

  add(entries, id) {
    if (!this.#hasBegun) {
      this.#waiting.push({ entries, id });
      this.ask();
    } else if (this.#end === null || !isWithin(id, this.#end)) {
      this.#end = null;
      this.shown.add(entries);
    }
  }
}
