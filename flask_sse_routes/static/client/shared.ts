/**
 * One connection for all tabs of a browser: the tab that holds a lock reads the stream, and
 * tells every tab what comes, itself included.
 *
 * When a tab is given the lock and has heard what it says itself, it has heard all that the tab
 * before it said, and goes on from there. A tab that has missed something all the same goes on
 * by a connection of its own.
 */
import { askForState } from "./arrival.js";
import { TabElection } from "./election.js";
import { TabFollower } from "./follower.js";
import { SharedReader } from "./leader.js";
import type { OpenSource, Sink, Source } from "./source.js";
import { TabChannel, type TabMessage } from "./tabs.js";

/** Changes with what tabs tell each other: those of two versions do not share. */
const SHARED_BY = "flask_sse_routes/2";
/** Milliseconds that the tab which reads may take to answer; up to twice that, so that not all ask at once. */
const PATIENCE = 10_000;

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

/** Where the tab that reads is. */
type Place = Extract<TabMessage, { what: "lead" | "here" }>;

/** One tab's part: it may be told to read, and follows whoever does. */
class SharedSource implements Source {
  readonly #open: OpenSource;
  readonly #sink: Sink;
  readonly #channel: TabChannel;
  readonly #follower: TabFollower;
  readonly #election: TabElection;
  readonly #watch: ReturnType<typeof setInterval>;
  #marks: (() => void)[] = [];
  #leader: string | null = null;
  #hasHeard = false;
  #reader: SharedReader | null = null;
  readonly #leaving = new AbortController();
  #hasLeft = false;
  #own: Source | null = null;

  constructor(name: string, open: OpenSource, sink: Sink) {
    this.#open = open;
    this.#sink = sink;
    this.#follower = new TabFollower(sink, {
      join: () => askForState(open, this.#leaving.signal),
      missed: () => this.#goAlone(),
      ended: () => this.#leave(),
    });
    this.#channel = new TabChannel(name, (message) => this.#hear(message));
    this.#watch = setInterval(() => void this.#look(), PATIENCE * (1 + Math.random()));
    this.#channel.tell({ what: "ask" });
    this.#election = new TabElection(name, {
      prepare: () => this.#heardAll(),
      lead: () => this.#lead(),
      abdicate: () => this.#abdicate(),
      despair: () => this.#goAlone(),
    });
  }

  stop(): void {
    this.#leave();
    this.#own?.stop();
  }

  #lead(): void {
    const { position, hasState } = this.#follower;
    const begun = { position: position ?? "", hasState };
    this.#reader = new SharedReader(this.#open, begun, (told) => this.#channel.tell(told));
  }

  #abdicate(): void {
    this.#reader?.stop();
    this.#reader = null;
  }

  /** Have the place of a tab that does not answer: it hangs. */
  async #look(): Promise<void> {
    if (this.#reader !== null || this.#election.isAsleep) return;
    if (!this.#hasHeard) await this.#heardAll();
    if (this.#hasHeard || this.#reader !== null || this.#hasLeft) {
      this.#hasHeard = false;
      this.#channel.tell({ what: "ask" });
    } else if (this.#follower.position === null) {
      this.#goAlone();
    } else {
      this.#election.steal();
    }
  }

  #heardAll(): Promise<void> {
    // On a closed channel no mark comes back.
    if (this.#hasLeft) return Promise.resolve();
    return new Promise((resolve) => {
      this.#marks.push(resolve);
      this.#channel.tell({ what: "mark" });
    });
  }

  #hear(message: TabMessage): void {
    const { what, from } = message;
    if (what === "mark") {
      if (from === this.#channel.id) this.#marks.shift()?.();
    } else if (what === "ask") {
      if (this.#reader !== null) this.#channel.tell(this.#reader.here());
    } else if (what === "lead" || (what === "here" && this.#leader === null)) {
      this.#follow(from, message);
    } else if (from === this.#leader) {
      this.#hasHeard = true;
      this.#follower.hear(message);
    }
  }

  #follow(leader: string, { position, isOpen, hasState }: Place): void {
    this.#leader = leader;
    this.#hasHeard = true;
    // If the lock was taken from this tab, it is told so soon.
    if (leader !== this.#channel.id) this.#abdicate();
    this.#follower.follow(position, isOpen, hasState);
  }

  #goAlone(): void {
    if (this.#hasLeft) return;
    this.#leave();
    if (this.#follower.isOpen) this.#sink.lost();
    this.#own = this.#open(this.#follower.ownPosition, this.#sink);
  }

  #leave(): void {
    this.#hasLeft = true;
    this.#leaving.abort();
    this.#follower.stop();
    clearInterval(this.#watch);
    this.#election.leave();
    for (const told of this.#marks) told();
    this.#channel.close();
  }
}
