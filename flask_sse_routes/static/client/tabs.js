/**
 * What the tabs of a browser tell each other about a stream that they share.
 *
 * What is told on a channel arrives everywhere in one order, also at the tab that says it.
 */
import { RouteError } from "./errors.js";
/** One tab's end of the channel. */
export class TabChannel {
    id = crypto.randomUUID();
    // A channel does not hear what it says itself; another one of the same tab does.
    #ears;
    #mouth;
    #isClosed = false;
    constructor(name, hear) {
        this.#ears = new BroadcastChannel(name);
        this.#mouth = new BroadcastChannel(name);
        this.#ears.onmessage = ({ data }) => hear(data);
    }
    tell(told) {
        if (!this.#isClosed)
            this.#mouth.postMessage({ ...told, from: this.id });
    }
    close() {
        this.#isClosed = true;
        this.#ears.close();
        this.#mouth.close();
    }
}
export function failureOf(error) {
    if (!(error instanceof RouteError))
        return { status: 0, title: error.message };
    const { status, title, detail, errors, problem } = error;
    return { status, title, detail, errors, problem };
}
export function errorOf({ status, title, ...parts }) {
    return new RouteError(status, title, parts);
}
