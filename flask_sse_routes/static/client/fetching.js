/**
 * The source that is a request: it reads a stream of events, and comes back when it is lost.
 *
 * What ends it for good is in `#judge` and `#lost`; everything else is tried again.
 */
import { FIRST_RETRY, jittered, MAX_WAIT, pause, retryAfter, told } from "./backoff.js";
import { noAnswer, RouteError } from "./errors.js";
import { EventParser } from "./parser.js";
import { ask, Misled } from "./redirects.js";
import { givenHeaders } from "./request.js";
import { mediaType, refusal } from "./response.js";
import { brokenOff, notNow, refused, silent, unreached } from "./reasons.js";
import { isLast } from "./source.js";
/** Milliseconds without the head of a response until another attempt is made. */
const HEAD_TIME = 60_000;
/** Heartbeats that may stay out. */
const SILENCE = 3;
/** Failures in a row behind a redirect that a browser does not show. */
const MAX_MISLED = 6;
/** Milliseconds after which a connection has not failed, though no event came. */
const STOOD = 10_000;
/** Connections in a row that brought nothing, until the wait that they ask for is not enough. */
const PATIENT_WITH = 3;
/** Statuses below 500 that say nothing against a later attempt. */
const LATER = new Set([408, 425, 429]);
/** Events that a server can send which fails right after them: they do not end a row of failures. */
const SAYS_NOTHING = new Set(["ready", "reset", "error"]);
/** What a header can carry; an id of anything else comes from no server of this kind. */
const SENDABLE = /^[^\u0000-\u001f\u007f]+$/;
/** The source that makes this request, again and again where it may be repeated. */
export function fetching(target, options) {
    return (lastEventId, sink) => new FetchSource(target, options, lastEventId, sink);
}
class FetchSource {
    #target;
    #options;
    #sink;
    #lastEventId;
    #abort = new AbortController();
    #alarm;
    #stopped = false;
    #retry = FIRST_RETRY;
    #failures = 0;
    #misled = 0;
    #attempt = 0;
    #hasAnswered = false;
    constructor(target, options, lastEventId, sink) {
        this.#target = target;
        this.#options = options;
        this.#lastEventId = lastEventId;
        this.#sink = sink;
        void this.#run();
    }
    stop() {
        this.#stopped = true;
        this.#abort.abort();
        clearTimeout(this.#alarm);
    }
    get #repeatable() {
        return this.#target.method === "GET";
    }
    async #run() {
        // Whoever opened it has not got it yet.
        await Promise.resolve();
        while (!this.#stopped) {
            const verdict = await this.#visit();
            if (verdict === "over" || this.#stopped)
                return;
            this.#abort = new AbortController();
            this.#attempt += 1;
            this.#sink.retries({ attempt: this.#attempt, ...verdict });
            await pause(verdict.delay, this.#abort.signal);
            this.#abort = new AbortController();
        }
    }
    async #visit() {
        let given;
        let response;
        try {
            given = await givenHeaders(this.#options);
        }
        catch (error) {
            return this.#withoutHeaders(error);
        }
        try {
            response = await this.#request(given);
        }
        catch (error) {
            return this.#unanswered(error);
        }
        this.#misled = 0;
        this.#hasAnswered = true;
        if (this.#stopped) {
            void response.body?.cancel().catch(() => undefined);
            return "over";
        }
        return this.#judge(response);
    }
    async #request(given) {
        if (this.#stopped)
            throw new DOMException("The stream is closed.", "AbortError");
        const own = { Accept: "text/event-stream" };
        if (SENDABLE.test(this.#lastEventId))
            own["Last-Event-ID"] = bytes(this.#lastEventId);
        const { signal } = this.#abort;
        if (this.#repeatable)
            this.#expectWithin(HEAD_TIME, "No answer came");
        try {
            return await ask({ ...this.#target, own, given, cache: "no-store", signal }, this.#options);
        }
        finally {
            clearTimeout(this.#alarm);
        }
    }
    /** The function that was to give the headers failed: a token could not be had, for example. */
    #withoutHeaders(error) {
        if (this.#stopped)
            return "over";
        const status = error instanceof RouteError ? error.status : 0;
        const isRefused = status >= 400 && !isForLater(status);
        if (error instanceof RouteError && (isRefused || !this.#repeatable))
            return this.#over(error);
        if (!this.#repeatable)
            return this.#over(noAnswer("No headers", String(error), error));
        this.#sink.troubled(error instanceof Error ? error : new Error(String(error)));
        if (this.#stopped)
            return "over";
        return this.#lost(noAnswer("No headers", `The headers could not be had: ${String(error)}`, error));
    }
    #unanswered(error) {
        if (this.#stopped)
            return "over";
        // It is what the request rejects with, too.
        const { signal } = this.#abort;
        if (signal.aborted)
            return this.#lost(signal.reason);
        if (error instanceof Misled) {
            this.#misled += 1;
            if (this.#misled < MAX_MISLED)
                return this.#lost(error);
        }
        if (error instanceof RouteError)
            return this.#over(error);
        return this.#lost(unreached(this.#target, error, this.#hasAnswered));
    }
    /** What a response means, by its status and type. */
    async #judge(response) {
        const { status } = response;
        if (status === 204)
            return this.#over();
        if (isForLater(status))
            return this.#later(response);
        if (status !== 200)
            return this.#over(await refusal(response));
        if (mediaType(response) === "text/event-stream")
            return this.#read(response);
        void response.body?.cancel().catch(() => undefined);
        const type = mediaType(response) || "no type";
        const detail = `${this.#target.url.href} answered with ${type} instead of text/event-stream.`;
        return this.#over(noAnswer("No event stream", detail));
    }
    async #later(response) {
        if (!this.#repeatable)
            return this.#over(await refusal(response));
        const error = await notNow(response);
        if (this.#stopped)
            return "over";
        return this.#lost(error, retryAfter(response.headers.get("Retry-After")) ?? 0);
    }
    async #read(response) {
        const parser = new EventParser(this.#lastEventId);
        const reason = response.headers.get("SSE-Refused");
        if (reason === null)
            this.#opened();
        const openedAt = performance.now();
        let cause;
        try {
            if (await this.#readEvents(response, parser))
                return "over";
        }
        catch (error) {
            cause = error;
        }
        if (this.#stopped)
            return "over";
        if (parser.fault !== null)
            return this.#over(noAnswer("Stream too large", parser.fault));
        if (reason === null)
            this.#closed(openedAt);
        const error = reason === null ? this.#whyLost(cause) : refused(reason);
        if (parser.retry === null)
            return this.#lost(error);
        this.#retry = told(parser.retry);
        const verdict = this.#lost(error, this.#retry);
        if (verdict === "over" || this.#failures > PATIENT_WITH)
            return verdict;
        return { ...verdict, delay: this.#retry };
    }
    #opened() {
        this.#attempt = 0;
        this.#sink.opened();
    }
    #closed(openedAt) {
        if (performance.now() - openedAt >= STOOD)
            this.#failures = 0;
        this.#sink.lost();
    }
    #whyLost(cause) {
        const { signal } = this.#abort;
        return signal.aborted ? signal.reason : brokenOff(cause);
    }
    /** Read to the end of the response; return whether it is the end of the stream. */
    async #readEvents(response, parser) {
        const reader = response.body?.getReader();
        // For a `fetch` of the program's own that does not heed its signal any more.
        this.#abort.signal.addEventListener("abort", () => void reader?.cancel().catch(() => undefined));
        const silence = Number(response.headers.get("SSE-Heartbeat")) * SILENCE * 1000;
        for (;;) {
            this.#expectWithin(silence, "Three heartbeats stayed out: nothing came");
            const chunk = await reader?.read().finally(() => clearTimeout(this.#alarm));
            if (chunk === undefined || chunk.done)
                return false;
            for (const event of parser.feed(chunk.value)) {
                if (!SAYS_NOTHING.has(event.event))
                    this.#failures = 0;
                const room = this.#sink.event(event);
                if (isLast(event))
                    this.stop();
                if (room !== undefined)
                    await room;
                if (this.#stopped)
                    return true;
            }
            this.#lastEventId = parser.lastEventId;
            if (parser.fault !== null)
                return false;
        }
    }
    /** `delay`: what to wait for in any case. */
    #lost(error, delay = 0) {
        if (!this.#repeatable) {
            const { method } = this.#target;
            const detail = `There was no answer, or it broke off; a ${method} is not repeated by itself.`;
            return this.#over(noAnswer("Connection lost", detail, error));
        }
        this.#failures += 1;
        return { delay: delay + jittered(this.#retry, this.#failures - 1), error };
    }
    #over(error) {
        if (this.#stopped)
            return "over";
        this.stop();
        this.#sink.over(error);
        return "over";
    }
    #expectWithin(milliseconds, what) {
        const abort = this.#abort;
        if (milliseconds > 0 && !abort.signal.aborted) {
            // A timer of too many would fire at once.
            const time = Math.min(milliseconds, MAX_WAIT);
            this.#alarm = setTimeout(() => abort.abort(silent(what, time)), time);
        }
    }
}
function isForLater(status) {
    return status >= 500 || LATER.has(status);
}
/** Text as a header carries it: each character a byte of its UTF-8. */
function bytes(text) {
    return Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join("");
}
