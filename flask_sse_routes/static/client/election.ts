/** Which of the tabs leads: the one that holds a lock of the browser, for as long as it is awake. */

/** What a tab does as one of those that may lead. */
interface TabCandidate {
  /** It has been given the lock, and leads when this is done. */
  prepare(): Promise<void>;
  lead(): void;
  /** It leads no more, if it did. */
  abdicate(): void;
  /** There is no lock to be had. */
  despair(): void;
}

export class TabElection {
  readonly #name: string;
  readonly #candidate: TabCandidate;
  readonly #asleep = new AbortController();
  #turn = new AbortController();
  #release: () => void = () => undefined;
  #hasLeft = false;

  constructor(name: string, candidate: TabCandidate) {
    this.#name = name;
    this.#candidate = candidate;
    this.#listenToPage();
    void this.#waitForTurn();
  }

  /** Whether the page is put to sleep, and asks for no lock. */
  get isAsleep(): boolean {
    return this.#turn.signal.aborted;
  }

  /** Take the lock from the tab that has it. */
  steal(): void {
    this.#turn.abort();
    void this.#waitForTurn({ steal: true });
  }

  leave(): void {
    this.#hasLeft = true;
    this.#asleep.abort();
    this.#turn.abort();
    this.#abdicate();
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
      else this.#candidate.despair();
    }
  }

  async #lead(turn: AbortController): Promise<void> {
    // A lock that was on its way is given in spite of the abort.
    if (this.#isOver(turn)) return;
    await this.#candidate.prepare();
    if (this.#isOver(turn)) return;
    const released = new Promise<void>((resolve) => (this.#release = resolve));
    this.#candidate.lead();
    await released;
  }

  #isOver(turn: AbortController): boolean {
    return this.#hasLeft || this.#turn !== turn || turn.signal.aborted;
  }

  #abdicate(): void {
    this.#candidate.abdicate();
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
}
