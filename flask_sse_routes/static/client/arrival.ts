/**
 * How a tab that joins others gets what they were told at first: by a short request of its own.
 *
 * A stream that begins with its state says it once. What the others are told after that, and the
 * state has in it, is left out by the number of its id.
 */
import type { OpenSource, Source, WireEvent } from "./source.js";

/** The event that has a stream's state. */
export const STATE = "snapshot";
/** Milliseconds that the state may take to come. */
const STATE_TIME = 15_000;
/** The id of an event of channels: the numbers of an epoch grow. */
const PLACE = /^(.+)-([0-9]{1,15})$/;

/** Ask for the state; `null` where the stream begins with something else, or not at all. */
export function askForState(open: OpenSource, signal: AbortSignal): Promise<WireEvent | null> {
  return new Promise((resolve) => {
    let source: Source | null = null;
    const finish = (event: WireEvent | null): void => {
      clearTimeout(alarm);
      signal.removeEventListener("abort", giveUp);
      source?.stop();
      resolve(event);
    };
    const giveUp = (): void => finish(null);
    const alarm = setTimeout(giveUp, STATE_TIME);
    signal.addEventListener("abort", giveUp);
    const nothing = (): undefined => undefined;
    source = open("", {
      opened: nothing,
      lost: nothing,
      retries: nothing,
      troubled: nothing,
      over: giveUp,
      event(event) {
        finish(event.event === STATE && PLACE.test(event.id) ? event : null);
        return undefined;
      },
    });
  });
}

/** Whether what came with one id is in the state that came with another. */
export function isWithin(id: string, state: string): boolean {
  const [, epoch, number] = PLACE.exec(id) ?? [];
  const [, ours, until] = PLACE.exec(state) ?? [];
  return epoch !== undefined && epoch === ours && Number(number) <= Number(until);
}
