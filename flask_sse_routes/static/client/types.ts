/** The types that a program meets: what a route is, what a stream tells, what one may ask for. */
import type { RouteError } from "./errors.js";

/** What the client knows of a route. */
export interface RouteRow {
  readonly method: string;
  /** Below the base URL: `/orders/{order_id}`; a variable may hold slashes in `{+name}`. */
  readonly path: string;
  readonly variables: readonly string[];
  /** Whether input goes into a JSON body; else to the query string, but for what is `null`. */
  readonly body: boolean;
  /** Whether it answers with a stream of events. */
  readonly streams: boolean;
}

/** Where and how requests are made. */
export interface ConnectOptions {
  /** Sent with every request; a function is called again for each, also for every reconnect. */
  headers?: HeadersInit | (() => HeadersInit | Promise<HeadersInit>) | undefined;
  fetch?: typeof fetch | undefined;
  credentials?: RequestCredentials | undefined;
}

/** Settings of one call. */
export interface CallOptions {
  signal?: AbortSignal | undefined;
}

/** One event of a stream; its data is parsed where it is JSON, else it is the text. */
export interface SseEvent<Name extends string = string, Data = unknown> {
  event: Name;
  data: Data;
  /** The last id that the server had told when it was sent, or an empty text. */
  id: string;
}

/** That a stream has no connection, and waits before it asks for one again. */
export interface RetryNotice {
  /** 1 for the first since it was last open, or since it began. */
  attempt: number;
  /** Milliseconds until then. */
  delay: number;
  /** Why, in a sentence; its `status` is the server's where that was the reason. */
  error: RouteError;
}

/** Why a stream could not go on where it was left. */
export interface ResetData {
  reason: string;
}

/** The events of a union that may have the name. */
export type EventOf<E extends SseEvent, Name extends string> = E extends SseEvent<infer N, infer D>
  ? Name extends N
    ? SseEvent<Name, D>
    : never
  : never;

/** The handlers and settings of one stream. */
export interface StreamOptions<E extends SseEvent = SseEvent> {
  /** The server has let it in: at first, and again after each reconnect. */
  onOpen?: (() => void) | undefined;
  /**
   * The connection was lost or refused, and the stream comes back by itself after a wait, unless
   * it is closed here. With `shared`, every tab is told what the one that reads meets.
   */
  onRetry?: ((notice: RetryNotice) => void) | undefined;
  /** An event without a name. */
  onMessage?:
    | ((data: EventOf<E, "message">["data"], event: EventOf<E, "message">) => void)
    | undefined;
  /** Any event. */
  onEvent?: ((event: E) => void) | undefined;
  /**
   * The stream failed for good, unless its `readyState` tells that it is tried again: after an
   * `error` event that does not end it, or without headers. Any other retry is `onRetry`'s alone.
   */
  onError?: ((error: Error) => void) | undefined;
  /** The server has finished the stream; with what its handler returned. */
  onEnd?: ((data: unknown) => void) | undefined;
  /** Events were missed that cannot be sent any more: fetch anew what they were about. */
  onReset?: ((data: ResetData, event: SseEvent<"reset", ResetData>) => void) | undefined;
  /** By the event's name. */
  on?:
    | { [N in E["event"]]?: (data: EventOf<E, N>["data"], event: EventOf<E, N>) => void }
    | undefined;
  /** Closes the stream, as `close()` does. */
  signal?: AbortSignal | undefined;
  /** Where an earlier stream was left; such a stream is not shared, whatever `shared` says. */
  lastEventId?: string | undefined;
  /** One connection for all tabs of the browser; with a `lastEventId`, one of its own. */
  shared?: boolean | undefined;
}

/** An open stream. To iterate it is to take its events; to leave the loop closes it. */
export interface StreamConnection<E extends SseEvent = SseEvent> extends AsyncIterable<E> {
  close(): void;
  /** 0 connecting, also again, 1 open, 2 closed. */
  readonly readyState: 0 | 1 | 2;
  /** The id of the last event that was handed out: where another stream could go on. */
  readonly lastEventId: string;
}
