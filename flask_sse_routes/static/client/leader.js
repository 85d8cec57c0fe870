import { failureOf } from "./tabs.js";
export class SharedReader {
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
    retries({ error, ...times }) {
        this.#tell({ what: "retries", notice: { ...times, failure: failureOf(error) } });
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
