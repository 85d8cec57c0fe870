/** What the tab that leads does: it reads the stream and tells all tabs what comes, itself too. */
import { STATE } from "./arrival.js";
import { failureOf } from "./tabs.js";
export class SharedReader {
    #tell;
    #source;
    #position;
    #hasState;
    #isOpen = false;
    constructor(open, { position, hasState }, tell) {
        this.#position = position;
        this.#hasState = hasState;
        this.#tell = tell;
        tell(this.here("lead"));
        this.#source = open(position, this);
    }
    here(what = "here") {
        const [position, isOpen, hasState] = [this.#position, this.#isOpen, this.#hasState];
        return { what, position, isOpen, hasState };
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
    retries({ error, ...times }) {
        this.#tell({ what: "retries", notice: { ...times, failure: failureOf(error) } });
    }
    event(event) {
        const after = this.#position;
        this.#position = event.id;
        this.#hasState ||= event.event === STATE;
        this.#tell({ what: "event", after, event });
    }
    troubled(error) {
        this.#tell({ what: "troubled", failure: failureOf(error) });
    }
    over(error) {
        this.#tell({ what: "over", failure: error === undefined ? null : failureOf(error) });
    }
}
