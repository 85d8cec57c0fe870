/**
 * One connection for all tabs of a browser: the tab that holds a lock reads the stream, and
 * tells every tab what comes, itself included.
 *
 * What is told on a channel arrives everywhere in one order. So when a tab is given the lock and
 * has heard what it says itself, it has heard all that the tab before it said, and goes on from
 * there. A tab that has missed something all the same goes on by a connection of its own.
 */
import { RouteError, type ErrorParts } from "./errors.js";
import { isLast, type OpenSource, type Sink, type Source, type WireEvent } from "./source.js";

/** Changes with what tabs tell each other: those of two versions do not share. */
const SHARED_BY = "flask_sse_routes/1";
/** Milliseconds that the tab which reads may take to answer; up to twice that, so that not all ask at once. */
const PATIENCE = 10_000;
/** Positions behind its own that a tab remembers. */
const PASSED_IDS = 4096;
/** Events that may wait for a slow loop before its tab has a connection of its own. */
const MAX_BEHIND = 1000;

/** An error as data that can be handed to another tab. */
interface Failure extends ErrorParts {
  readonly status: number;
  readonly title: string;
}

type Told =
  /** Where are we? The answer is `here`. */
  | { what: "ask" }
  /** Comes back to the tab that sent it, after all that was told before. */
  | { what: "mark" }
  /** Who reads and from where: `lead` says that it begins now. */
  | { what: "lead" | "here"; position: string; isOpen: boolean }
  | { what: "opened" | "lost" }
  | { what: "event"; after: string; event: WireEvent }
  | { what: "troubled"; failure: Failure }
  | { what: "over"; failure: Failure | null };
type Message = Told & { from: string };

/** The source that all tabs with the same key have in common, where the browser can do that. */
export function openShared(key: string, open: OpenSource): OpenSource {
  return (lastEventId, sink) =>
    // One with a position of its own gets what the others have had.
    lastEventId === "" && hasTabs()
      ? new SharedSource(`${SHARED_BY} ${key}`, open, sink)
      : open(lastEventId, sink);
}

/** Node has parts of this, and no pages; insecure pages have no locks. */
function hasTabs(): boolean {
  const { navigator } = globalThis as { navigator?: { locks?: unknown } };
  return ["BroadcastChannel", "addEventListener"].every((name) => name in globalThis)
    && Boolean(navigator?.locks);
}

/** What the tab that holds the lock does: it reads the stream and tells what comes. */
class SharedReader implements Sink {
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

/** One tab's part: it waits for the lock and meanwhile hands on what it hears. */
class SharedSource implements Source {
  readonly #name: string;
  readonly #open: OpenSource;
  readonly #sink: Sink;
  readonly #id = crypto.randomUUID();
  // A channel does not hear what it says itself; another one of the same tab does.
  readonly #ears: BroadcastChannel;
  readonly #mouth: BroadcastChannel;
  readonly #watch: ReturnType<typeof setInterval>;
  readonly #asleep = new AbortController();
  #marks: (() => void)[] = [];
  #leader: string | null = null;
  #position: string | null = null;
  #passed = new Set<string>();
  #isOpen = false;
  #hasHeard = false;
  #steps: (() => Promise<void> | undefined)[] = [];
  #isWaiting = false;
  #turn = new AbortController();
  #reader: SharedReader | null = null;
  #release: () => void = () => undefined;
  #hasLeft = false;
  #own: Source | null = null;

  constructor(name: string, open: OpenSource, sink: Sink) {
    this.#name = name;
    this.#open = open;
    this.#sink = sink;
    this.#ears = new BroadcastChannel(name);
    this.#mouth = new BroadcastChannel(name);
    this.#ears.onmessage = ({ data }) => this.#hear(data as Message);
    this.#watch = setInterval(() => void this.#look(), PATIENCE * (1 + Math.random()));
    this.#listenToPage();
    this.#tell({ what: "ask" });
    void this.#waitForTurn();
  }

  stop(): void {
    this.#leave();
    this.#own?.stop();
  }

  #tell(told: Told): void {
    if (!this.#hasLeft) this.#mouth.postMessage({ ...told, from: this.#id } satisfies Message);
  }

  /** Wait for the lock, and lead while it is held; one that has lost it waits again. */
  async #waitForTurn(options: LockOptions = {}): Promise<void> {
    const turn = (this.#turn = new AbortController());
    const how = options.steal ? options : { signal: turn.signal };
    try {
      await navigator.locks.request(this.#name, how, () => this.#lead(turn));
    } catch (error) {
      if (this.#hasLeft || turn.signal.aborted) return;
      this.#abdicate();
      if (error instanceof DOMException && error.name === "AbortError") void this.#waitForTurn();
      else this.#goAlone();
    }
  }

  async #lead(turn: AbortController): Promise<void> {
    await this.#heardAll();
    if (this.#hasLeft || this.#turn !== turn || turn.signal.aborted) return;
    const released = new Promise<void>((resolve) => (this.#release = resolve));
    this.#reader = new SharedReader(this.#open, this.#position ?? "", (told) => this.#tell(told));
    await released;
  }

  #abdicate(): void {
    this.#reader?.stop();
    this.#reader = null;
    this.#release();
  }

  /** A page that is put to sleep lets another one read. */
  #listenToPage(): void {
    const { signal } = this.#asleep;
    const rest = (): void => {
      this.#turn.abort();
      this.#abdicate();
    };
    const wake = (): void => {
      if (this.#turn.signal.aborted) void this.#waitForTurn();
    };
    // Those of the document do not bubble.
    const options = { signal, capture: true };
    for (const name of ["freeze", "pagehide"]) addEventListener(name, rest, options);
    for (const name of ["resume", "pageshow"]) addEventListener(name, wake, options);
  }

  /** Have the place of a tab that does not answer: it hangs. */
  async #look(): Promise<void> {
    if (this.#reader !== null || this.#turn.signal.aborted) return;
    if (!this.#hasHeard) await this.#heardAll();
    if (this.#hasHeard || this.#reader !== null || this.#hasLeft) {
      this.#hasHeard = false;
      this.#tell({ what: "ask" });
    } else if (this.#position === null) {
      this.#goAlone();
    } else {
      this.#turn.abort();
      void this.#waitForTurn({ steal: true });
    }
  }

  #heardAll(): Promise<void> {
    return new Promise((resolve) => {
      this.#marks.push(resolve);
      this.#tell({ what: "mark" });
    });
  }

  #hear(message: Message): void {
    const { what, from } = message;
    if (what === "mark") {
      if (from === this.#id) this.#marks.shift()?.();
    } else if (what === "ask") {
      if (this.#reader !== null) this.#tell(this.#reader.here());
    } else if (what === "lead" || (what === "here" && this.#leader === null)) {
      this.#follow(from, message.position, message.isOpen);
    } else if (from === this.#leader) {
      this.#hasHeard = true;
      this.#hand(() => this.#pass(message));
    }
  }

  #follow(leader: string, position: string, isOpen: boolean): void {
    this.#leader = leader;
    this.#hasHeard = true;
    if (leader !== this.#id) {
      // The lock was taken from this tab, which is told so soon.
      this.#reader?.stop();
      this.#reader = null;
    }
    this.#hand(() => {
      if (this.#position === null) this.#moveTo(position);
      if (!this.#passed.has(position)) return this.#goAlone();
      return this.#pass({ what: isOpen ? "opened" : "lost" });
    });
  }

  /** Take a step when those before it are done: a loop may have its source wait. */
  #hand(step: () => Promise<void> | undefined): void {
    this.#steps.push(step);
    if (this.#steps.length > MAX_BEHIND) this.#goAlone();
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
      const was = this.#isOpen;
      this.#isOpen = told.what === "opened";
      if (this.#isOpen) this.#sink.opened();
      else if (was) this.#sink.lost();
    } else if (told.what === "troubled") {
      this.#sink.troubled(errorOf(told.failure));
    } else if (told.what === "over") {
      this.#leave();
      this.#sink.over(told.failure === null ? undefined : errorOf(told.failure));
    }
    return undefined;
  }

  #event(after: string, event: WireEvent): Promise<void> | undefined {
    if (!this.#passed.has(after)) return this.#goAlone();
    this.#moveTo(event.id);
    const room = this.#sink.event(event);
    if (isLast(event)) this.#leave();
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

  #goAlone(): undefined {
    if (this.#hasLeft) return;
    this.#leave();
    if (this.#isOpen) this.#sink.lost();
    this.#own = this.#open(this.#position ?? "", this.#sink);
  }

  #leave(): void {
    this.#hasLeft = true;
    this.#steps = [];
    clearInterval(this.#watch);
    this.#asleep.abort();
    this.#turn.abort();
    this.#abdicate();
    for (const told of this.#marks) told();
    this.#ears.close();
    this.#mouth.close();
  }
}

function failureOf(error: Error): Failure {
  if (!(error instanceof RouteError)) return { status: 0, title: error.message };
  const { status, title, detail, errors, problem } = error;
  return { status, title, detail, errors, problem };
}

function errorOf({ status, title, ...parts }: Failure): RouteError {
  return new RouteError(status, title, parts);
}
