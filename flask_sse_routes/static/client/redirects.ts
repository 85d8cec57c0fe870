/**
 * Requests that follow redirects, and leave behind what may be a credential when they come to
 * another origin.
 *
 * `fetch` itself drops `Authorization` there and nothing else, and its end of a loop looks like
 * a lost connection. Where it lets a script see a redirect, each is followed here; a browser
 * tells only that there was one.
 */
import { noAnswer, RouteError } from "./errors.js";
import type { Target } from "./request.js";
import type { ConnectOptions } from "./types.js";

const MAX_HOPS = 10;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

/** A request with all that it takes. */
export interface Asked extends Target {
  /** Headers that the client itself needs. */
  readonly own: Readonly<Record<string, string>>;
  /** Headers that `connect` was given: they stay within the origin. */
  readonly given: Headers;
  readonly cache: RequestCache;
  readonly signal: AbortSignal | null;
}

/** A redirect came and then no answer; it may be a loop, and may be a lost connection. */
export class Misled extends RouteError {}

/** Make a request and follow its redirects; rejects with a `RouteError` where they lead nowhere. */
export async function ask(asked: Asked, options: ConnectOptions): Promise<Response> {
  let current = asked;
  for (let hop = 0; hop <= MAX_HOPS; hop += 1) {
    const response = await once(current, options, isOpenToScripts(current) ? "manual" : "follow");
    const next = await following(response, current, options);
    if (next instanceof Response) return next;
    current = next;
  }
  throw noAnswer("Too many redirects", `${asked.url.href} redirects in a loop.`);
}

/** Whether to look at redirects; a body must not be sent twice to find out where one leads. */
function isOpenToScripts(asked: Asked): boolean {
  return asked.method === "GET" || !isEmpty(asked.given);
}

async function following(
  response: Response,
  asked: Asked,
  options: ConnectOptions,
): Promise<Response | Asked> {
  if (response.type === "opaqueredirect") return hidden(asked, options);
  const location = REDIRECTS.has(response.status) ? response.headers.get("Location") : null;
  if (location === null) return response;
  await response.body?.cancel();
  return redirected(asked, destination(location, asked.url), response.status);
}

/** Follow a redirect whose place the browser does not tell. */
async function hidden(asked: Asked, options: ConnectOptions): Promise<Response | Asked> {
  if (asked.method !== "GET") {
    throw noAnswer(
      "Redirected",
      `${asked.url.href} redirects, a browser does not tell where to, and headers given to ` +
        "connect() may be credentials: name the place itself as the base URL.",
    );
  }
  try {
    if (isEmpty(asked.given)) return await once(asked, options, "follow");
    const probe = await once({ ...asked, method: "HEAD", given: new Headers() }, options, "follow");
    return redirected(asked, new URL(probe.url), 307);
  } catch (cause) {
    if (asked.signal?.aborted) throw cause;
    const detail = `${asked.url.href} redirects, in a loop or to where no answer comes from.`;
    throw new Misled(0, "Redirected to nowhere", { detail, cause });
  }
}

function redirected(asked: Asked, url: URL, status: number): Asked {
  const given = url.origin === asked.url.origin ? asked.given : new Headers();
  const becomesGet = status === 303 || (status < 303 && asked.method === "POST");
  return becomesGet
    ? { ...asked, url, given, method: "GET", body: null }
    : { ...asked, url, given };
}

function destination(location: string, from: URL): URL {
  let url: URL | null = null;
  try {
    url = new URL(location, from);
  } catch {
    // Refused below.
  }
  if (url?.protocol !== "http:" && url?.protocol !== "https:") {
    throw noAnswer("Redirected to nowhere", `${from.href} redirects to what is no place.`);
  }
  return url;
}

function once(
  asked: Asked,
  options: ConnectOptions,
  redirect: RequestRedirect,
): Promise<Response> {
  const headers = new Headers(asked.given);
  for (const [name, value] of Object.entries(asked.own)) headers.set(name, value);
  if (asked.body !== null) headers.set("Content-Type", "application/json");
  const { method, body, signal, cache } = asked;
  const { fetch = globalThis.fetch, credentials = "same-origin" } = options;
  return fetch(asked.url.href, { method, headers, body, signal, cache, redirect, credentials });
}

function isEmpty(headers: Headers): boolean {
  let empty = true;
  // Not its iterator, whose type is in a library of its own that a program may lack.
  headers.forEach(() => (empty = false));
  return empty;
}
