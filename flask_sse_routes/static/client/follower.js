/** What every tab does: it hands on what the one that leads tells, in order and without a gap. */
import { isWithin, STATE } from "./arrival.js";
import { isLast } from "./source.js";
import { errorOf } from "./tabs.js";
/** Positions behind its own that a tab remembers. */
const PASSED_IDS = 4096;
/** Events that may wait for a slow loop before its tab has a connection of its own. */
const MAX_BEHIND = 1000;
export class TabFollower {
    #sink;
    #after;
    #position = null;
    #hasState = false;
    /** The id of the state that this tab has got by itself, until the others are past it. */
    #state = null;
    #hasBegun = false;
    #passed = new Set();
    #isOpen = false;
    #steps = [];
    #isWaiting = false;
    constructor(sink, after) {
        this.#sink = sink;
        this.#after = after;
    }
    /** The id of the last event that all tabs were told; `null` where no tab has led yet. */
    get position() {
        return this.#position;
    }
    /** From where this tab would go on by itself. */
    get ownPosition() {
        return this.#hasBegun ? (this.#state ?? this.#position ?? "") : "";
    }
    /** Whether the stream has begun with a state. */
    get hasState() {
        return this.#hasState;
    }
    get isOpen() {
        return this.#isOpen;
    }
    /** Go on with another leader, which is at this position. */
    follow(position, isOpen, hasState) {
        this.#hand(() => {
            this.#hasState ||= hasState;
            if (this.#position === null) {
                this.#moveTo(position);
                if (hasState)
                    return this.#join(isOpen);
            }
            if (!this.#passed.has(position))
                return this.#missed();
            this.#hasBegun = true;
            return this.#pass({ what: isOpen ? "opened" : "lost" });
        });
    }
    /** What the others are told waits until this tab knows what they know. */
    async #join(isOpen) {
        const state = await this.#after.join();
        if (state === null)
            return this.#missed();
        this.#hasBegun = true;
        this.#state = state.id;
        this.#turn(isOpen);
        await this.#sink.event(state);
    }
    hear(told) {
        this.#hand(() => this.#pass(told));
    }
    /** Hand on nothing any more, also not what has been heard. */
    stop() {
        this.#steps = [];
    }
    /** Take a step when those before it are done: a loop may have its source wait. */
    #hand(step) {
        this.#steps.push(step);
        if (this.#steps.length > MAX_BEHIND)
            this.#missed();
        else
            this.#step();
    }
    #step() {
        while (!this.#isWaiting) {
            const room = this.#steps.shift()?.();
            if (room === undefined && this.#steps.length === 0)
                return;
            this.#isWaiting = room !== undefined;
            void room?.then(() => {
                this.#isWaiting = false;
                this.#step();
            });
        }
    }
    #pass(told) {
        if (told.what === "event")
            return this.#event(told.after, told.event);
        if (told.what === "opened" || told.what === "lost") {
            this.#turn(told.what === "opened");
        }
        else if (told.what === "retries") {
            const { failure, ...times } = told.notice;
            this.#sink.retries({ ...times, error: errorOf(failure) });
        }
        else if (told.what === "troubled") {
            this.#sink.troubled(errorOf(told.failure));
        }
        else if (told.what === "over") {
            this.#after.ended();
            this.#sink.over(told.failure === null ? undefined : errorOf(told.failure));
        }
        return undefined;
    }
    #turn(isOpen) {
        const was = this.#isOpen;
        this.#isOpen = isOpen;
        if (isOpen)
            this.#sink.opened();
        else if (was)
            this.#sink.lost();
    }
    #event(after, event) {
        if (!this.#passed.has(after))
            return this.#missed();
        this.#moveTo(event.id);
        this.#hasState ||= event.event === STATE;
        if (this.#state !== null && isWithin(event.id, this.#state))
            return undefined;
        this.#state = null;
        const room = this.#sink.event(event);
        if (isLast(event))
            this.#after.ended();
        return room;
    }
    #moveTo(id) {
        // Among positions the beginning is none: nothing says what came since.
        if (id !== "")
            this.#passed.delete("");
        this.#passed.delete(id);
        this.#passed.add(id);
        const [oldest] = this.#passed;
        if (this.#passed.size > PASSED_IDS && oldest !== undefined)
            this.#passed.delete(oldest);
        this.#position = id;
    }
    #missed() {
        this.#after.missed();
    }
}
