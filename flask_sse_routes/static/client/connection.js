/** The stream that a program holds: it makes of a source's events what handlers and loops see. */
import { problemError, RouteError } from "./errors.js";
import { EventQueue } from "./queue.js";
import { SeenIds } from "./seen.js";
import { isLast } from "./source.js";
import { parsed } from "./values.js";
/** Events about the stream itself; that one of them was told before says nothing. */
const ABOUT_THE_STREAM = new Set(["ready", "snapshot", "reset", "end", "error"]);
export class Connection {
    #options;
    #queue = new EventQueue();
    #seen = new SeenIds();
    #source;
    #readyState = 0;
    #lastEventId;
    #isIterated;
    constructor(open, options) {
        this.#options = options;
        this.#lastEventId = options.lastEventId ?? "";
        if (this.#lastEventId !== "")
            this.#seen.isRepeated(this.#lastEventId);
        // Without a handler to take them, or one for what comes after them, they wait for a loop.
        const { onMessage, onEvent, onReset, onEnd, on } = options;
        this.#isIterated = ![onMessage, onEvent, onReset, onEnd, on].some(Boolean);
        this.#source = options.signal?.aborted ? null : open(this.#lastEventId, this);
        if (this.#source === null)
            this.close();
        else
            options.signal?.addEventListener("abort", this.#aborted);
    }
    get readyState() {
        return this.#readyState;
    }
    get lastEventId() {
        return this.#lastEventId;
    }
    close() {
        if (this.#close())
            this.#queue.clear();
    }
    [Symbol.asyncIterator]() {
        this.#isIterated = true;
        return {
            next: async () => {
                const result = await this.#queue.take();
                if (!result.done)
                    this.#lastEventId = result.value.id;
                return result;
            },
            return: () => {
                this.close();
                return Promise.resolve({ done: true, value: undefined });
            },
        };
    }
    opened() {
        if (this.#readyState === 2)
            return;
        this.#readyState = 1;
        this.#seen.reconnected();
        this.#tell(this.#options.onOpen);
    }
    lost() {
        if (this.#readyState === 1)
            this.#readyState = 0;
    }
    retries(notice) {
        this.#tellIfOpen(this.#options.onRetry, notice);
    }
    event(event) {
        if (this.#readyState === 2 || this.#isRepeated(event))
            return undefined;
        const data = parsed(event.data);
        if (event.event === "ready")
            this.#move(event.id);
        else if (event.event === "end")
            this.#finish(data);
        else if (isLast(event))
            this.#fail(problemError(data, 500, "Error"));
        else if (event.event === "error")
            this.troubled(problemError(data, 500, "Error"));
        else
            return this.#dispatch({ event: event.event, data, id: event.id }, event.data.length);
        return undefined;
    }
    troubled(error) {
        if (this.#readyState !== 2)
            this.#tell(this.#options.onError, error);
    }
    over(error) {
        if (error === undefined)
            this.#finish(undefined);
        else
            this.#fail(error);
    }
    #aborted = () => this.close();
    #close() {
        if (this.#readyState === 2)
            return false;
        this.#readyState = 2;
        this.#options.signal?.removeEventListener("abort", this.#aborted);
        this.#source?.stop();
        return true;
    }
    #finish(data) {
        if (!this.#close())
            return;
        this.#queue.end();
        this.#tell(this.#options.onEnd, data);
    }
    #fail(error) {
        if (!this.#close())
            return;
        this.#queue.end({ error });
        if (this.#options.onError)
            this.#tell(this.#options.onError, error);
        else if (!this.#isIterated)
            report(error);
    }
    #isRepeated(event) {
        if (event.event === "reset")
            this.#seen.forget();
        const counts = event.own && event.id !== "" && !ABOUT_THE_STREAM.has(event.event);
        return counts && this.#seen.isRepeated(event.id);
    }
    /** A position that came without an event; what waits in the queue is before it. */
    #move(id) {
        if (!this.#isIterated || this.#queue.isEmpty)
            this.#lastEventId = id;
    }
    #dispatch(event, weight) {
        const { on, onMessage, onReset, onEvent } = this.#options;
        if (!this.#isIterated)
            this.#lastEventId = event.id;
        if (on && Object.hasOwn(on, event.event))
            this.#tell(on[event.event], event.data, event);
        if (event.event === "message")
            this.#tellIfOpen(onMessage, event.data, event);
        if (event.event === "reset")
            this.#tellIfOpen(onReset, event.data, event);
        this.#tellIfOpen(onEvent, event);
        if (!this.#isIterated || this.readyState === 2)
            return undefined;
        return this.#offer(event, weight);
    }
    #offer(event, weight) {
        try {
            return this.#queue.put(event, weight);
        }
        catch (error) {
            this.#fail(error);
            return undefined;
        }
    }
    /** A handler before it may have closed the stream. */
    #tellIfOpen(handler, ...values) {
        if (this.#readyState !== 2)
            this.#tell(handler, ...values);
    }
    /** Call a handler; what it throws is the program's, and does the stream no harm. */
    #tell(handler, ...values) {
        try {
            handler?.(...values);
        }
        catch (error) {
            report(error);
        }
    }
}
/** Show an error as an uncaught one. */
function report(error) {
    if (typeof reportError === "function")
        reportError(error);
    else
        setTimeout(() => { throw error; });
}
