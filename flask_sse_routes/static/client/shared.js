/**
 * One connection for all tabs of a browser: the tab that holds a lock reads the stream, and
 * tells every tab what comes, itself included.
 *
 * What is told on a channel arrives everywhere in one order. So when a tab is given the lock and
 * has heard what it says itself, it has heard all that the tab before it said, and goes on from
 * there. A tab that has missed something all the same goes on by a connection of its own.
 */
import { RouteError } from "./errors.js";
import { isLast } from "./source.js";
/** Changes with what tabs tell each other: those of two versions do not share. */
const SHARED_BY = "flask_sse_routes/1";
/** Milliseconds that the tab which reads may take to answer; up to twice that, so that not all ask at once. */
const PATIENCE = 10_000;
/** Positions behind its own that a tab remembers. */
const PASSED_IDS = 4096;
/** Events that may wait for a slow loop before its tab has a connection of its own. */
const MAX_BEHIND = 1000;
/** The source that all tabs with the same key have in common, where the browser can do that. */
export function openShared(key, open) {
    return (lastEventId, sink) => 
    // One with a position of its own gets what the others have had.
    lastEventId === "" && hasTabs()
        ? new SharedSource(`${SHARED_BY} ${key}`, open, sink)
        : open(lastEventId, sink);
}
/** Node has parts of this, and no pages; insecure pages have no locks. */
function hasTabs() {
    const { navigator } = globalThis;
    return ["BroadcastChannel", "addEventListener"].every((name) => name in globalThis)
        && Boolean(navigator?.locks);
}
/** What the tab that holds the lock does: it reads the stream and tells what comes. */
class SharedReader {
    #tell;
    #source;
    #position;
    #isOpen = false;
    constructor(open, position, tell) {
        this.#position = position;
        this.#tell = tell;
        tell(this.here("lead"));
        this.#source = open(position, this);
    }
    here(what = "here") {
        return { what, position: this.#position, isOpen: this.#isOpen };
    }
    stop() {
        this.#source.stop();
    }
    opened() {
        this.#isOpen = true;
        this.#tell({ what: "opened" });
    }
    lost() {
        this.#isOpen = false;
        this.#tell({ what: "lost" });
    }
    event(event) {
        const after = this.#position;
        this.#position = event.id;
        this.#tell({ what: "event", after, event });
    }
    troubled(error) {
        this.#tell({ what: "troubled", failure: failureOf(error) });
    }
    over(error) {
        this.#tell({ what: "over", failure: error === undefined ? null : failureOf(error) });
    }
}
/** One tab's part: it waits for the lock and meanwhile hands on what it hears. */
class SharedSource {
    #name;
    #open;
    #sink;
    #id = crypto.randomUUID();
    // A channel does not hear what it says itself; another one of the same tab does.
    #ears;
    #mouth;
    #watch;
    #asleep = new AbortController();
    #marks = [];
    #leader = null;
    #position = null;
    #passed = new Set();
    #isOpen = false;
    #hasHeard = false;
    #steps = [];
    #isWaiting = false;
    #turn = new AbortController();
    #reader = null;
    #release = () => undefined;
    #hasLeft = false;
    #own = null;
    constructor(name, open, sink) {
        this.#name = name;
        this.#open = open;
        this.#sink = sink;
        this.#ears = new BroadcastChannel(name);
        this.#mouth = new BroadcastChannel(name);
        this.#ears.onmessage = ({ data }) => this.#hear(data);
        this.#watch = setInterval(() => void this.#look(), PATIENCE * (1 + Math.random()));
        this.#listenToPage();
        this.#tell({ what: "ask" });
        void this.#waitForTurn();
    }
    stop() {
        this.#leave();
        this.#own?.stop();
    }
    #tell(told) {
        if (!this.#hasLeft)
            this.#mouth.postMessage({ ...told, from: this.#id });
    }
    /** Wait for the lock, and lead while it is held; one that has lost it waits again. */
    async #waitForTurn(options = {}) {
        const turn = (this.#turn = new AbortController());
        const how = options.steal ? options : { signal: turn.signal };
        try {
            await navigator.locks.request(this.#name, how, () => this.#lead(turn));
        }
        catch (error) {
            if (this.#hasLeft || turn.signal.aborted)
                return;
            this.#abdicate();
            if (error instanceof DOMException && error.name === "AbortError")
                void this.#waitForTurn();
            else
                this.#goAlone();
        }
    }
    async #lead(turn) {
        await this.#heardAll();
        if (this.#hasLeft || this.#turn !== turn || turn.signal.aborted)
            return;
        const released = new Promise((resolve) => (this.#release = resolve));
        this.#reader = new SharedReader(this.#open, this.#position ?? "", (told) => this.#tell(told));
        await released;
    }
    #abdicate() {
        this.#reader?.stop();
        this.#reader = null;
        this.#release();
    }
    /** A page that is put to sleep lets another one read. */
    #listenToPage() {
        const { signal } = this.#asleep;
        const rest = () => {
            this.#turn.abort();
            this.#abdicate();
        };
        const wake = () => {
            if (this.#turn.signal.aborted)
                void this.#waitForTurn();
        };
        // Those of the document do not bubble.
        const options = { signal, capture: true };
        for (const name of ["freeze", "pagehide"])
            addEventListener(name, rest, options);
        for (const name of ["resume", "pageshow"])
            addEventListener(name, wake, options);
    }
    /** Have the place of a tab that does not answer: it hangs. */
    async #look() {
        if (this.#reader !== null || this.#turn.signal.aborted)
            return;
        if (!this.#hasHeard)
            await this.#heardAll();
        if (this.#hasHeard || this.#reader !== null || this.#hasLeft) {
            this.#hasHeard = false;
            this.#tell({ what: "ask" });
        }
        else if (this.#position === null) {
            this.#goAlone();
        }
        else {
            this.#turn.abort();
            void this.#waitForTurn({ steal: true });
        }
    }
    #heardAll() {
        return new Promise((resolve) => {
            this.#marks.push(resolve);
            this.#tell({ what: "mark" });
        });
    }
    #hear(message) {
        const { what, from } = message;
        if (what === "mark") {
            if (from === this.#id)
                this.#marks.shift()?.();
        }
        else if (what === "ask") {
            if (this.#reader !== null)
                this.#tell(this.#reader.here());
        }
        else if (what === "lead" || (what === "here" && this.#leader === null)) {
            this.#follow(from, message.position, message.isOpen);
        }
        else if (from === this.#leader) {
            this.#hasHeard = true;
            this.#hand(() => this.#pass(message));
        }
    }
    #follow(leader, position, isOpen) {
        this.#leader = leader;
        this.#hasHeard = true;
        if (leader !== this.#id) {
            // The lock was taken from this tab, which is told so soon.
            this.#reader?.stop();
            this.#reader = null;
        }
        this.#hand(() => {
            if (this.#position === null)
                this.#moveTo(position);
            if (!this.#passed.has(position))
                return this.#goAlone();
            return this.#pass({ what: isOpen ? "opened" : "lost" });
        });
    }
    /** Take a step when those before it are done: a loop may have its source wait. */
    #hand(step) {
        this.#steps.push(step);
        if (this.#steps.length > MAX_BEHIND)
            this.#goAlone();
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
            const was = this.#isOpen;
            this.#isOpen = told.what === "opened";
            if (this.#isOpen)
                this.#sink.opened();
            else if (was)
                this.#sink.lost();
        }
        else if (told.what === "troubled") {
            this.#sink.troubled(errorOf(told.failure));
        }
        else if (told.what === "over") {
            this.#leave();
            this.#sink.over(told.failure === null ? undefined : errorOf(told.failure));
        }
        return undefined;
    }
    #event(after, event) {
        if (!this.#passed.has(after))
            return this.#goAlone();
        this.#moveTo(event.id);
        const room = this.#sink.event(event);
        if (isLast(event))
            this.#leave();
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
    #goAlone() {
        if (this.#hasLeft)
            return;
        this.#leave();
        if (this.#isOpen)
            this.#sink.lost();
        this.#own = this.#open(this.#position ?? "", this.#sink);
    }
    #leave() {
        this.#hasLeft = true;
        this.#steps = [];
        clearInterval(this.#watch);
        this.#asleep.abort();
        this.#turn.abort();
        this.#abdicate();
        for (const told of this.#marks)
            told();
        this.#ears.close();
        this.#mouth.close();
    }
}
function failureOf(error) {
    if (!(error instanceof RouteError))
        return { status: 0, title: error.message };
    const { status, title, detail, errors, problem } = error;
    return { status, title, detail, errors, problem };
}
function errorOf({ status, title, ...parts }) {
    return new RouteError(status, title, parts);
}
