/**
 * The text of an event stream to its events, exact to WHATWG HTML section 9.2.6.
 *
 * One parser reads one connection; what is unfinished when that ends goes with it.
 */
import type { WireEvent } from "./source.js";

/** Characters of one line, or of one event's data: more is taken for a fault of the server. */
export const MAX_LENGTH = 16 * 1024 * 1024;

const LINE_END = /\r\n?|\n/g;

export class EventParser {
  /** Where a reconnect goes on; empty: from what is new. */
  lastEventId: string;
  /** The last reconnection time told, in milliseconds. */
  retry: number | null = null;
  /** Why it stopped reading. */
  fault: string | null = null;
  readonly #maxLength: number;
  // It would drop a byte order mark at the beginning; Deno's drops a later one, too.
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  #hasBegun = false;
  #afterCr = false;
  #line = "";
  #data = "";
  #hasData = false;
  #event = "";
  #id: string;
  #own = false;

  constructor(lastEventId = "", maxLength = MAX_LENGTH) {
    this.lastEventId = this.#id = lastEventId;
    this.#maxLength = maxLength;
  }

  /** The events that these bytes complete; none any more once there is a `fault`. */
  feed(chunk: Uint8Array): WireEvent[] {
    const events: WireEvent[] = [];
    if (this.fault !== null) return events;
    const decoded = this.#decoder.decode(chunk, { stream: true });
    const text = this.#withoutLf(this.#withoutMark(decoded));
    let start = 0;
    for (const end of text.matchAll(LINE_END)) {
      this.#read(this.#line + text.slice(start, end.index), events);
      this.#line = "";
      start = end.index + end[0].length;
      if (this.fault !== null) return events;
    }
    this.#line += text.slice(start);
    this.#check(this.#line.length, "line");
    return events;
  }

  /** The standard drops a byte order mark at the very beginning. */
  #withoutMark(text: string): string {
    if (this.#hasBegun || text === "") return text;
    this.#hasBegun = true;
    return text.startsWith("\ufeff") ? text.slice(1) : text;
  }

  /** The second half of a CRLF whose first half ended the chunk before ends no line. */
  #withoutLf(text: string): string {
    if (text === "") return text;
    const rest = this.#afterCr && text.startsWith("\n") ? text.slice(1) : text;
    this.#afterCr = text.endsWith("\r");
    return rest;
  }

  #read(line: string, events: WireEvent[]): void {
    this.#check(line.length, "line");
    if (line === "") {
      this.#dispatch(events);
      return;
    }
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    this.#readField(name, value);
  }

  #readField(name: string, value: string): void {
    if (name === "data") {
      this.#data += this.#hasData ? `\n${value}` : value;
      this.#hasData = true;
      this.#check(this.#data.length, "event");
    } else if (name === "event") {
      this.#event = value;
    } else if (name === "id" && !value.includes("\0")) {
      this.#id = value;
      this.#own = true;
    } else if (name === "retry" && /^[0-9]+$/.test(value)) {
      this.retry = Number(value);
    }
  }

  #dispatch(events: WireEvent[]): void {
    this.lastEventId = this.#id;
    if (this.#hasData) {
      const event = this.#event || "message";
      events.push({ event, data: this.#data, id: this.#id, own: this.#own });
    }
    this.#data = this.#event = "";
    this.#hasData = this.#own = false;
  }

  #check(length: number, what: string): void {
    if (length > this.#maxLength) {
      this.fault = `The server sent ${what === "line" ? "a line" : "an event"} of over ${this.#maxLength} characters.`;
      this.#line = this.#data = "";
    }
  }
}
