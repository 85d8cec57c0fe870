/** Events between a stream and the loop that takes them: bounded, and it makes the stream wait. */
import { noAnswer } from "./errors.js";
/** From here on a stream is asked to wait. */
const ROOM = { items: 256, weight: 1024 * 1024 };
/** One that does not wait fails here. */
const LIMIT = { items: 16_384, weight: 64 * 1024 * 1024 };
export class EventQueue {
    #entries = [];
    #weight = 0;
    #takers = [];
    #waiting = [];
    #over = null;
    /** Whether everything was taken. */
    get isEmpty() {
        return this.#entries.length === 0;
    }
    /** Add an item; a promise asks to wait for it. Throws a `RouteError` where nobody has waited. */
    put(item, weight) {
        const taker = this.#takers.shift();
        if (taker !== undefined) {
            taker.resolve({ done: false, value: item });
            return undefined;
        }
        this.#entries.push({ item, weight });
        this.#weight += weight;
        if (this.#isOver(LIMIT)) {
            throw noAnswer("Too slow", "Events came faster than they were taken, and none can wait.");
        }
        if (!this.#isOver(ROOM))
            return undefined;
        return new Promise((resolve) => this.#waiting.push(resolve));
    }
    /** The next item, the error that came after the last, or the end. */
    async take() {
        const entry = this.#entries.shift();
        if (entry !== undefined) {
            this.#weight -= entry.weight;
            if (!this.#isOver(ROOM))
                this.#letIn();
            return { done: false, value: entry.item };
        }
        if (this.#over === null) {
            return new Promise((resolve, reject) => this.#takers.push({ resolve, reject }));
        }
        const over = this.#over;
        this.#over = {};
        if ("error" in over)
            throw over.error;
        return { done: true, value: undefined };
    }
    /** Nothing comes after what is there. */
    end(over = {}) {
        this.#over = over;
        this.#letIn();
        const [first, ...rest] = this.#takers;
        this.#takers = [];
        if (first !== undefined && "error" in over) {
            this.#over = {};
            first.reject(over.error);
        }
        else {
            first?.resolve({ done: true, value: undefined });
        }
        for (const taker of rest)
            taker.resolve({ done: true, value: undefined });
    }
    /** Nothing comes any more, and what is there is dropped. */
    clear() {
        this.#entries = [];
        this.#weight = 0;
        this.end();
    }
    #isOver(bound) {
        return this.#entries.length > bound.items || this.#weight > bound.weight;
    }
    #letIn() {
        const waiting = this.#waiting;
        this.#waiting = [];
        for (const resolve of waiting)
            resolve();
    }
}
