/**
 * Between what produces a stream's events and the connection that a program holds.
 *
 * A source has its own way to get them (a request that is repeated, or another tab); it drops
 * nothing and understands only what ends it.
 */
import type { RouteError } from "./errors.js";
import type { RetryNotice } from "./types.js";

/** An event as it was sent; plain data that can be handed to another tab. */
export interface WireEvent {
  readonly event: string;
  readonly data: string;
  readonly id: string;
  /** Whether it came with the id itself, rather than after it. */
  readonly own: boolean;
}

/** What a source tells, never while it is being opened and never after it was stopped. */
export interface Sink {
  /** A connection is open: events of it follow. */
  opened(): void;
  /** The connection is gone; the source comes back by itself. */
  lost(): void;
  /** There is no connection, and the source waits before it asks again. */
  retries(notice: RetryNotice): void;
  /** An event. Where a promise is returned, the next one should wait for it. */
  event(event: WireEvent): Promise<void> | undefined;
  /** Something went wrong, and the source tries again all the same. */
  troubled(error: Error): void;
  /** It is over for good, in good order or by an error; nothing follows. */
  over(error?: RouteError): void;
}

export interface Source {
  /** Give everything up, at once and without a word. */
  stop(): void;
}

/** Start to produce what came after an id; an empty one asks for what is new. */
export type OpenSource = (lastEventId: string, sink: Sink) => Source;

/** Whether the server says with this event that the stream is over: no source comes back after. */
export function isLast(event: WireEvent): boolean {
  return event.event === "end" || (event.event === "error" && event.id.endsWith("~end"));
}
