/** What the tab that leads does: it reads the stream and tells all tabs what comes, itself too. */
import { STATE } from "./arrival.js";
import type { RouteError } from "./errors.js";
import type { OpenSource, Sink, Source, WireEvent } from "./source.js";
import { failureOf, type Told } from "./tabs.js";
import type { RetryNotice } from "./types.js";

/** What was told before: up to where, and whether it began with a state. */
interface Begun {
  readonly position: string;
  readonly hasState: boolean;
}

export class SharedReader implements Sink {
  readonly #tell: (told: Told) => void;
  readonly #source: Source;
  #position: string;
  #hasState: boolean;
  #isOpen = false;

  constructor(open: OpenSource, { position, hasState }: Begun, tell: (told: Told) => void) {
    this.#position = position;
    this.#hasState = hasState;
    this.#tell = tell;
    tell(this.here("lead"));
    this.#source = open(position, this);
  }

  here(what: "lead" | "here" = "here"): Told {
    const [position, isOpen, hasState] = [this.#position, this.#isOpen, this.#hasState];
    return { what, position, isOpen, hasState };
  }

  stop(): void {
    this.#source.stop();
  }

  opened(): void {
    this.#isOpen = true;
    this.#tell({ what: "opened" });
  }

  lost(): void {
    this.#isOpen = false;
    this.#tell({ what: "lost" });
  }

  retries({ error, ...times }: RetryNotice): void {
    this.#tell({ what: "retries", notice: { ...times, failure: failureOf(error) } });
  }

  event(event: WireEvent): undefined {
    const after = this.#position;
    this.#position = event.id;
    this.#hasState ||= event.event === STATE;
    this.#tell({ what: "event", after, event });
  }

  troubled(error: Error): void {
    this.#tell({ what: "troubled", failure: failureOf(error) });
  }

  over(error?: RouteError): void {
    this.#tell({ what: "over", failure: error === undefined ? null : failureOf(error) });
  }
}
