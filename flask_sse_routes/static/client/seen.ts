/** The ids of events, so that what a reconnect brings again is dropped. */

const KEPT = 8192;
/** Stands for an id that came more than once in a connection: it names a state, and no event. */
const NO_EVENT = -1;

export class SeenIds {
  // By the connection that brought it last.
  readonly #ids = new Map<string, number>();
  #connection = 0;

  /** A further connection begins. */
  reconnected(): void {
    this.#connection += 1;
  }

  /** Note an id; tell whether an earlier connection brought it. */
  isRepeated(id: string): boolean {
    const before = this.#ids.get(id);
    if (before === NO_EVENT) return false;
    this.#ids.set(id, before === this.#connection ? NO_EVENT : this.#connection);
    if (before !== undefined) return before !== this.#connection;
    const [oldest] = this.#ids.keys();
    if (this.#ids.size > KEPT && oldest !== undefined) this.#ids.delete(oldest);
    return false;
  }

  /** What comes now has nothing to do with what came. */
  forget(): void {
    this.#ids.clear();
  }
}
