/** What every tab does: it hands on what the one that leads tells, in order and without a gap. */
import { isLast, type Sink, type WireEvent } from "./source.js";
import { errorOf, type Told } from "./tabs.js";

/** Positions behind its own that a tab remembers. */
const PASSED_IDS = 4096;
/** Events that may wait for a slow loop before its tab has a connection of its own. */
const MAX_BEHIND = 1000;

type Step = () => Promise<void> | undefined;

/** What becomes of a tab that follows no more. */
interface AfterFollowing {
  /** It has missed something, or cannot keep up. */
  missed(): void;
  /** The stream is over. */
  ended(): void;
}

export class TabFollower {
  readonly #sink: Sink;
  readonly #after: AfterFollowing;
  #position: string | null = null;
  #passed = new Set<string>();
  #isOpen = false;
  #steps: Step[] = [];
  #isWaiting = false;

  constructor(sink: Sink, after: AfterFollowing) {
    this.#sink = sink;
    this.#after = after;
  }

  /** The id of the last event that was handed on; `null` where no tab has led yet. */
  get position(): string | null {
    return this.#position;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Go on with another leader, which is at this position. */
  follow(position: string, isOpen: boolean): void {
    this.#hand(() => {
      if (this.#position === null) this.#moveTo(position);
      if (!this.#passed.has(position)) return this.#missed();
      return this.#pass({ what: isOpen ? "opened" : "lost" });
    });
  }

  hear(told: Told): void {
    this.#hand(() => this.#pass(told));
  }

  /** Hand on nothing any more, also not what has been heard. */
  stop(): void {
    this.#steps = [];
  }

  /** Take a step when those before it are done: a loop may have its source wait. */
  #hand(step: Step): void {
    this.#steps.push(step);
    if (this.#steps.length > MAX_BEHIND) this.#missed();
    else this.#step();
  }

  #step(): void {
    while (!this.#isWaiting) {
      const room = this.#steps.shift()?.();
      if (room === undefined && this.#steps.length === 0) return;
      this.#isWaiting = room !== undefined;
      void room?.then(() => {
        this.#isWaiting = false;
        this.#step();
      });
    }
  }

  #pass(told: Told): Promise<void> | undefined {
    if (told.what === "event") return this.#event(told.after, told.event);
    if (told.what === "opened" || told.what === "lost") {
      this.#turn(told.what === "opened");
    } else if (told.what === "retries") {
      const { failure, ...times } = told.notice;
      this.#sink.retries({ ...times, error: errorOf(failure) });
    } else if (told.what === "troubled") {
      this.#sink.troubled(errorOf(told.failure));
    } else if (told.what === "over") {
      this.#after.ended();
      this.#sink.over(told.failure === null ? undefined : errorOf(told.failure));
    }
    return undefined;
  }

  #turn(isOpen: boolean): void {
    const was = this.#isOpen;
    this.#isOpen = isOpen;
    if (isOpen) this.#sink.opened();
    else if (was) this.#sink.lost();
  }

  #event(after: string, event: WireEvent): Promise<void> | undefined {
    if (!this.#passed.has(after)) return this.#missed();
    this.#moveTo(event.id);
    const room = this.#sink.event(event);
    if (isLast(event)) this.#after.ended();
    return room;
  }

  #moveTo(id: string): void {
    // Among positions the beginning is none: nothing says what came since.
    if (id !== "") this.#passed.delete("");
    this.#passed.delete(id);
    this.#passed.add(id);
    const [oldest] = this.#passed;
    if (this.#passed.size > PASSED_IDS && oldest !== undefined) this.#passed.delete(oldest);
    this.#position = id;
  }

  #missed(): undefined {
    this.#after.missed();
  }
}
