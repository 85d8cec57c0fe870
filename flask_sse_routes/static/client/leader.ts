/** What the tab that leads does: it reads the stream and tells all tabs what comes, itself too. */
import type { RouteError } from "./errors.js";
import type { OpenSource, Sink, Source, WireEvent } from "./source.js";
import { failureOf, type Told } from "./tabs.js";
import type { RetryNotice } from "./types.js";

export class SharedReader implements Sink {
  readonly #tell: (told: Told) => void;
  readonly #source: Source;
  #position: string;
  #isOpen = false;

  constructor(open: OpenSource, position: string, tell: (told: Told) => void) {
    this.#position = position;
    this.#tell = tell;
    tell(this.here("lead"));
    this.#source = open(position, this);
  }

  here(what: "lead" | "here" = "here"): Told {
    return { what, position: this.#position, isOpen: this.#isOpen };
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
    this.#tell({ what: "event", after, event });
  }

  troubled(error: Error): void {
    this.#tell({ what: "troubled", failure: failureOf(error) });
  }

  over(error?: RouteError): void {
    this.#tell({ what: "over", failure: error === undefined ? null : failureOf(error) });
  }
}
