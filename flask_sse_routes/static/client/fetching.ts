/**
 * The source that is a request: it reads a stream of events, and comes back when it is lost.
 *
 * What ends it for good is in `#judge` and `#lost`; everything else is tried again.
 */
import { FIRST_RETRY, jittered, MAX_WAIT, pause, retryAfter, told } from "./backoff.js";
import { noAnswer, RouteError } from "./errors.js";
import { EventParser } from "./parser.js";
import { ask, Misled } from "./redirects.js";
import { givenHeaders, type Target } from "./request.js";
import { mediaType, refusal } from "./response.js";
import { isLast, type OpenSource, type Sink, type Source } from "./source.js";
import type { ConnectOptions } from "./types.js";

/** Milliseconds without the head of a response until another attempt is made. */
const HEAD_TIME = 60_000;
/** Heartbeats that may stay out. */
const SILENCE = 3;
/** Failures in a row behind a redirect that a browser does not show. */
const MAX_MISLED = 6;
/** Connections in a row that brought nothing, until the wait that they ask for is not enough. */
const PATIENT_WITH = 3;
/** Statuses below 500 that say nothing against a later attempt. */
const LATER = new Set([408, 425, 429]);

/** Events that a server can send which fails right after them: they do not end a row of failures. */
const SAYS_NOTHING = new Set(["ready", "reset", "error"]);

/** What a header can carry; an id of anything else comes from no server of this kind. */
const SENDABLE = /^[^\u0000-\u001f\u007f]+$/;

/** Over for good, or milliseconds until the next attempt. */
type Verdict = "over" | number;

/** The source that makes this request, again and again where it may be repeated. */
export function fetching(target: Target, options: ConnectOptions): OpenSource {
  return (lastEventId, sink) => new FetchSource(target, options, lastEventId, sink);
}

class FetchSource implements Source {
  readonly #target: Target;
  readonly #options: ConnectOptions;
  readonly #sink: Sink;
  #lastEventId: string;
  #abort = new AbortController();
  #alarm: ReturnType<typeof setTimeout> | undefined;
  #stopped = false;
  #retry = FIRST_RETRY;
  #failures = 0;
  #misled = 0;

  constructor(target: Target, options: ConnectOptions, lastEventId: string, sink: Sink) {
    this.#target = target;
    this.#options = options;
    this.#lastEventId = lastEventId;
    this.#sink = sink;
    void this.#run();
  }

  stop(): void {
    this.#stopped = true;
    this.#abort.abort();
    clearTimeout(this.#alarm);
  }

  get #repeatable(): boolean {
    return this.#target.method === "GET";
  }

  async #run(): Promise<void> {
    // Whoever opened it has not got it yet.
    await Promise.resolve();
    while (!this.#stopped) {
      const verdict = await this.#attempt();
      if (verdict === "over" || this.#stopped) return;
      this.#abort = new AbortController();
      await pause(verdict, this.#abort.signal);
      this.#abort = new AbortController();
    }
  }

  async #attempt(): Promise<Verdict> {
    let given: Headers;
    let response: Response;
    try {
      given = await givenHeaders(this.#options);
    } catch (error) {
      return this.#withoutHeaders(error);
    }
    try {
      response = await this.#request(given);
    } catch (error) {
      return this.#unanswered(error);
    }
    this.#misled = 0;
    if (this.#stopped) {
      void response.body?.cancel().catch(() => undefined);
      return "over";
    }
    return this.#judge(response);
  }

  async #request(given: Headers): Promise<Response> {
    if (this.#stopped) throw new DOMException("The stream is closed.", "AbortError");
    const own: Record<string, string> = { Accept: "text/event-stream" };
    if (SENDABLE.test(this.#lastEventId)) own["Last-Event-ID"] = bytes(this.#lastEventId);
    const { signal } = this.#abort;
    if (this.#repeatable) this.#expectWithin(HEAD_TIME);
    try {
      return await ask({ ...this.#target, own, given, cache: "no-store", signal }, this.#options);
    } finally {
      clearTimeout(this.#alarm);
    }
  }

  /** The function that was to give the headers failed: a token could not be had, for example. */
  #withoutHeaders(error: unknown): Verdict {
    if (this.#stopped) return "over";
    const status = error instanceof RouteError ? error.status : 0;
    const isRefused = status >= 400 && !isForLater(status);
    if (error instanceof RouteError && (isRefused || !this.#repeatable)) return this.#over(error);
    if (!this.#repeatable) return this.#over(noAnswer("No headers", String(error), error));
    this.#sink.troubled(error instanceof Error ? error : new Error(String(error)));
    return this.#stopped ? "over" : this.#lost(error);
  }

  #unanswered(error: unknown): Verdict {
    if (this.#stopped) return "over";
    if (error instanceof Misled) {
      this.#misled += 1;
      if (this.#misled < MAX_MISLED) return this.#lost();
    }
    if (error instanceof RouteError) return this.#over(error);
    return this.#lost(error);
  }

  /** What a response means, by its status and type. */
  async #judge(response: Response): Promise<Verdict> {
    const { status } = response;
    if (status === 204) return this.#over();
    if (isForLater(status)) return this.#later(response);
    if (status !== 200) return this.#over(await refusal(response));
    if (mediaType(response) === "text/event-stream") return this.#read(response);
    void response.body?.cancel().catch(() => undefined);
    const type = mediaType(response) || "no type";
    const detail = `${this.#target.url.href} answered with ${type} instead of text/event-stream.`;
    return this.#over(noAnswer("No event stream", detail));
  }

  async #later(response: Response): Promise<Verdict> {
    if (!this.#repeatable) return this.#over(await refusal(response));
    void response.body?.cancel().catch(() => undefined);
    const after = retryAfter(response.headers.get("Retry-After"));
    const wait = this.#lost();
    return after === null || wait === "over" ? wait : after + wait;
  }

  async #read(response: Response): Promise<Verdict> {
    const parser = new EventParser(this.#lastEventId);
    const refused = response.headers.has("SSE-Refused");
    if (!refused) this.#sink.opened();
    let cause: unknown;
    try {
      if (await this.#readEvents(response, parser)) return "over";
    } catch (error) {
      cause = error;
    }
    if (this.#stopped) return "over";
    if (parser.fault !== null) return this.#over(noAnswer("Stream too large", parser.fault));
    if (!refused) this.#sink.lost();
    if (parser.retry === null) return this.#lost(cause);
    this.#retry = told(parser.retry);
    const verdict = this.#lost(cause);
    if (verdict === "over") return verdict;
    return this.#failures > PATIENT_WITH ? this.#retry + verdict : this.#retry;
  }

  /** Read to the end of the response; return whether it is the end of the stream. */
  async #readEvents(response: Response, parser: EventParser): Promise<boolean> {
    const reader = response.body?.getReader();
    // For a `fetch` of the program's own that does not heed its signal any more.
    this.#abort.signal.addEventListener("abort", () => void reader?.cancel().catch(() => undefined));
    const silence = Number(response.headers.get("SSE-Heartbeat")) * SILENCE * 1000;
    for (;;) {
      this.#expectWithin(silence);
      const chunk = await reader?.read().finally(() => clearTimeout(this.#alarm));
      if (chunk === undefined || chunk.done) return false;
      for (const event of parser.feed(chunk.value)) {
        if (!SAYS_NOTHING.has(event.event)) this.#failures = 0;
        const room = this.#sink.event(event);
        if (isLast(event)) this.stop();
        if (room !== undefined) await room;
        if (this.#stopped) return true;
      }
      this.#lastEventId = parser.lastEventId;
      if (parser.fault !== null) return false;
    }
  }

  #lost(cause?: unknown): Verdict {
    if (!this.#repeatable) {
      const { method } = this.#target;
      const detail = `There was no answer, or it broke off; a ${method} is not repeated by itself.`;
      return this.#over(noAnswer("Connection lost", detail, cause));
    }
    this.#failures += 1;
    return jittered(this.#retry, this.#failures - 1);
  }

  #over(error?: RouteError): "over" {
    if (this.#stopped) return "over";
    this.stop();
    this.#sink.over(error);
    return "over";
  }

  #expectWithin(milliseconds: number): void {
    const abort = this.#abort;
    if (milliseconds > 0 && !abort.signal.aborted) {
      // A timer of too many would fire at once.
      this.#alarm = setTimeout(() => abort.abort(), Math.min(milliseconds, MAX_WAIT));
    }
  }
}

function isForLater(status: number): boolean {
  return status >= 500 || LATER.has(status);
}

/** Text as a header carries it: each character a byte of its UTF-8. */
function bytes(text: string): string {
  return Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join("");
}
