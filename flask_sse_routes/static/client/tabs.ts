/**
 * What the tabs of a browser tell each other about a stream that they share.
 *
 * What is told on a channel arrives everywhere in one order, also at the tab that says it.
 */
import { RouteError, type ErrorParts } from "./errors.js";
import type { WireEvent } from "./source.js";
import type { RetryNotice } from "./types.js";

/** An error as data that can be handed to another tab. */
interface TabFailure extends ErrorParts {
  readonly status: number;
  readonly title: string;
}

type TabRetry = Omit<RetryNotice, "error"> & { failure: TabFailure };

export type Told =
  /** Where are we? The answer is `here`. */
  | { what: "ask" }
  /** Comes back to the tab that sent it, after all that was told before. */
  | { what: "mark" }
  /**
   * Who reads and from where: `lead` says that it begins now; `hasState` whether the stream has
   * begun with its state.
   */
  | { what: "lead" | "here"; position: string; isOpen: boolean; hasState: boolean }
  | { what: "opened" | "lost" }
  | { what: "retries"; notice: TabRetry }
  | { what: "event"; after: string; event: WireEvent }
  | { what: "troubled"; failure: TabFailure }
  | { what: "over"; failure: TabFailure | null };
export type TabMessage = Told & { from: string };

/** One tab's end of the channel. */
export class TabChannel {
  readonly id = crypto.randomUUID();
  // A channel does not hear what it says itself; another one of the same tab does.
  readonly #ears: BroadcastChannel;
  readonly #mouth: BroadcastChannel;
  #isClosed = false;

  constructor(name: string, hear: (message: TabMessage) => void) {
    this.#ears = new BroadcastChannel(name);
    this.#mouth = new BroadcastChannel(name);
    this.#ears.onmessage = ({ data }) => hear(data as TabMessage);
  }

  tell(told: Told): void {
    if (!this.#isClosed) this.#mouth.postMessage({ ...told, from: this.id } satisfies TabMessage);
  }

  close(): void {
    this.#isClosed = true;
    this.#ears.close();
    this.#mouth.close();
  }
}

export function failureOf(error: Error): TabFailure {
  if (!(error instanceof RouteError)) return { status: 0, title: error.message };
  const { status, title, detail, errors, problem } = error;
  return { status, title, detail, errors, problem };
}

export function errorOf({ status, title, ...parts }: TabFailure): RouteError {
  return new RouteError(status, title, parts);
}
