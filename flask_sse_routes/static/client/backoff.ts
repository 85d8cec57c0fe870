/** How long to wait before the next attempt, in milliseconds. */

/** The reconnection time until a server has told one. */
export const FIRST_RETRY = 1500;
/** What failed attempts let the wait grow to. */
export const MAX_BACKOFF = 30_000;
/** The shortest and the longest that a server can have a client wait. */
export const MIN_WAIT = 100;
export const MAX_WAIT = 3_600_000;

/** Full jitter: anything from nothing to a bound that doubles with each failure. */
export function jittered(base: number, failures: number): number {
  return Math.random() * Math.min(MAX_BACKOFF, base * 2 ** Math.min(failures, 30));
}

/** A time to wait as the server told it, within bounds. */
export function told(retry: number): number {
  return Math.min(Math.max(retry, MIN_WAIT), MAX_WAIT);
}

/** What a `Retry-After` says, in seconds or as a date (RFC 9110 section 10.2.3); else `null`. */
export function retryAfter(header: string | null, now = Date.now()): number | null {
  const value = (header ?? "").trim();
  const isDate = /[a-z]/i.test(value);
  const wait = isDate ? Date.parse(value) - now : value === "" ? NaN : Number(value) * 1000;
  return Number.isNaN(wait) ? null : told(wait);
}

/** Wait; an abort ends it early. */
export function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, signal.aborted ? 0 : milliseconds);
    signal.addEventListener("abort", done);
  });
}
