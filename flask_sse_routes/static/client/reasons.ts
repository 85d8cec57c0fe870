/** Why a stream has no connection, in sentences; what the server has answered says it itself. */
import { noAnswer, RouteError } from "./errors.js";
import type { Target } from "./request.js";
import { refusal } from "./response.js";

/** The answer was that a later attempt may do better. */
export async function notNow(response: Response): Promise<RouteError> {
  const error = await refusal(response);
  if (error.detail !== null) return error;
  const { title, errors, problem } = error;
  const detail = `The server answered with ${`${response.status} ${response.statusText}`.trim()}.`;
  return new RouteError(error.status, title, { detail, errors, problem });
}

/** The response says in its head that it is no stream; `EventSource` would end at a status. */
export function refused(reason: string): RouteError {
  return noAnswer("Refused", `The server has not let the stream in: ${reason || "no reason"}.`);
}

/** Something stayed out for too long. */
export function silent(what: string, milliseconds: number): RouteError {
  return noAnswer("Silence", `${what} within ${Number((milliseconds / 1000).toFixed(1))} s.`);
}

/** The response broke off, or came to an end that is not the stream's. */
export function brokenOff(cause: unknown): RouteError {
  const why = cause === undefined ? "" : `: ${said(cause)}`;
  return noAnswer("Connection lost", `The connection ended before the stream did${why}.`, cause);
}

/** No answer came. A browser does not tell a script why; other programs do. */
export function unreached(target: Target, cause: unknown, hasAnswered: boolean): RouteError {
  const { origin, pathname } = target.url;
  const isBrowser = ["document", "WorkerGlobalScope"].some((name) => name in globalThis);
  const isOpen = hasAnswered || !isBrowser;
  const hint = isOpen ? "" : "; it never gave one, and CORS or DNS may be the cause";
  const detail = `${target.method} ${origin}${pathname} got no answer: ${said(cause)}${hint}.`;
  return noAnswer("No answer", detail, cause);
}

/** What an error says, and those that it comes from. */
function said(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // That of several attempts has no message of its own.
  const own = error.message || String((error as { code?: unknown }).code ?? error.name);
  const plain = own.replace(/[.?!]$/, "");
  return error.cause === undefined ? plain : `${plain}, ${said(error.cause)}`;
}
