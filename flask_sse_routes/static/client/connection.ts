/** The stream that a program holds: it makes of a source's events what handlers and loops see. */
import { problemError, RouteError } from "./errors.js";
import { EventQueue } from "./queue.js";
import { SeenIds } from "./seen.js";
import { isLast, type OpenSource, type Sink, type Source, type WireEvent } from "./source.js";
import type {
  ResetData,
  RetryNotice,
  SseEvent,
  StreamConnection,
  StreamOptions,
} from "./types.js";
import { parsed } from "./values.js";

/** Events about the stream itself; that one of them was told before says nothing. */
const ABOUT_THE_STREAM = new Set(["ready", "snapshot", "reset", "end", "error"]);

type Handler = (...values: never[]) => unknown;

export class Connection implements StreamConnection, Sink {
  readonly #options: StreamOptions;
  readonly #queue = new EventQueue<SseEvent>();
  readonly #seen = new SeenIds();
  readonly #source: Source | null;
  #readyState: 0 | 1 | 2 = 0;
  #lastEventId: string;
  #isIterated: boolean;

  constructor(open: OpenSource, options: StreamOptions) {
    this.#options = options;
    this.#lastEventId = options.lastEventId ?? "";
    if (this.#lastEventId !== "") this.#seen.isRepeated(this.#lastEventId);
    // Without a handler to take them, or one for what comes after them, they wait for a loop.
    const { onMessage, onEvent, onReset, onEnd, on } = options;
    this.#isIterated = ![onMessage, onEvent, onReset, onEnd, on].some(Boolean);
    this.#source = options.signal?.aborted ? null : open(this.#lastEventId, this);
    if (this.#source === null) this.close();
    else options.signal?.addEventListener("abort", this.#aborted);
  }

  get readyState(): 0 | 1 | 2 {
    return this.#readyState;
  }

  get lastEventId(): string {
    return this.#lastEventId;
  }

  close(): void {
    if (this.#close()) this.#queue.clear();
  }

  [Symbol.asyncIterator](): AsyncIterator<SseEvent, undefined> {
    this.#isIterated = true;
    return {
      next: async () => {
        const result = await this.#queue.take();
        if (!result.done) this.#lastEventId = result.value.id;
        return result;
      },
      return: () => {
        this.close();
        return Promise.resolve({ done: true, value: undefined });
      },
    };
  }

  opened(): void {
    if (this.#readyState === 2) return;
    this.#readyState = 1;
    this.#seen.reconnected();
    this.#tell(this.#options.onOpen);
  }

  lost(): void {
    if (this.#readyState === 1) this.#readyState = 0;
  }

  retries(notice: RetryNotice): void {
    this.#tellIfOpen(this.#options.onRetry, notice);
  }

  event(event: WireEvent): Promise<void> | undefined {
    if (this.#readyState === 2 || this.#isRepeated(event)) return undefined;
    const data = parsed(event.data);
    if (event.event === "ready") this.#move(event.id);
    else if (event.event === "end") this.#finish(data);
    else if (isLast(event)) this.#fail(problemError(data, 500, "Error"));
    else if (event.event === "error") this.troubled(problemError(data, 500, "Error"));
    else return this.#dispatch({ event: event.event, data, id: event.id }, event.data.length);
    return undefined;
  }

  troubled(error: Error): void {
    if (this.#readyState !== 2) this.#tell(this.#options.onError, error);
  }

  over(error?: RouteError): void {
    if (error === undefined) this.#finish(undefined);
    else this.#fail(error);
  }

  readonly #aborted = (): void => this.close();

  #close(): boolean {
    if (this.#readyState === 2) return false;
    this.#readyState = 2;
    this.#options.signal?.removeEventListener("abort", this.#aborted);
    this.#source?.stop();
    return true;
  }

  #finish(data: unknown): void {
    if (!this.#close()) return;
    this.#queue.end();
    this.#tell(this.#options.onEnd, data);
  }

  #fail(error: RouteError): void {
    if (!this.#close()) return;
    this.#queue.end({ error });
    if (this.#options.onError) this.#tell(this.#options.onError, error);
    else if (!this.#isIterated) report(error);
  }

  #isRepeated(event: WireEvent): boolean {
    if (event.event === "reset") this.#seen.forget();
    const counts = event.own && event.id !== "" && !ABOUT_THE_STREAM.has(event.event);
    return counts && this.#seen.isRepeated(event.id);
  }

  /** A position that came without an event; what waits in the queue is before it. */
  #move(id: string): void {
    if (!this.#isIterated || this.#queue.isEmpty) this.#lastEventId = id;
  }

  #dispatch(event: SseEvent, weight: number): Promise<void> | undefined {
    const { on, onMessage, onReset, onEvent } = this.#options;
    if (!this.#isIterated) this.#lastEventId = event.id;
    if (on && Object.hasOwn(on, event.event)) this.#tell(on[event.event], event.data, event);
    if (event.event === "message") this.#tellIfOpen(onMessage, event.data, event);
    if (event.event === "reset") this.#tellIfOpen(onReset, event.data as ResetData, event);
    this.#tellIfOpen(onEvent, event);
    if (!this.#isIterated || this.readyState === 2) return undefined;
    return this.#offer(event, weight);
  }

  #offer(event: SseEvent, weight: number): Promise<void> | undefined {
    try {
      return this.#queue.put(event, weight);
    } catch (error) {
      this.#fail(error as RouteError);
      return undefined;
    }
  }

  /** A handler before it may have closed the stream. */
  #tellIfOpen(handler: Handler | undefined, ...values: unknown[]): void {
    if (this.#readyState !== 2) this.#tell(handler, ...values);
  }

  /** Call a handler; what it throws is the program's, and does the stream no harm. */
  #tell(handler: Handler | undefined, ...values: unknown[]): void {
    try {
      handler?.(...(values as never[]));
    } catch (error) {
      report(error);
    }
  }
}

/** Show an error as an uncaught one. */
function report(error: unknown): void {
  if (typeof reportError === "function") reportError(error);
  else setTimeout(() => { throw error; });
}
