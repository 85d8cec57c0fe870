/** From a table of routes to `$api` and `$sse`. */
import { call } from "./call.js";
import { Connection } from "./connection.js";
import { fetching } from "./fetching.js";
import { targetOf } from "./request.js";
import { openShared } from "./shared.js";
import type { CallOptions, ConnectOptions, RouteRow, StreamConnection, StreamOptions } from "./types.js";

/** Input that goes to a query string is left out where it is `null` or `undefined`. */
export type ApiCall = (input?: object, options?: CallOptions) => Promise<unknown>;
export type SseCall = (input?: object, options?: StreamOptions) => StreamConnection;

/** Functions by name; a dotted name is one in a namespace of its own. */
export interface Namespace<F> {
  readonly [name: string]: F | Namespace<F>;
}

export interface Client {
  readonly $api: Namespace<ApiCall>;
  readonly $sse: Namespace<SseCall>;
}

/** The functions that call the routes below a base URL. */
export function createClient(
  routes: Readonly<Record<string, RouteRow>>,
  baseUrl: string | URL,
  options: ConnectOptions = {},
): Client {
  const base = new URL(baseUrl, globalThis.location?.href);
  check(base, options);
  const $api = namespace<ApiCall>();
  const $sse = namespace<SseCall>();
  for (const [name, row] of Object.entries(routes)) {
    if (row.streams) put($sse, name, opener(name, row, base, options));
    else put($api, name, caller(name, row, base, options));
  }
  return { $api, $sse };
}

/** Throws a `TypeError` for what no request could be made with. */
function check(base: URL, { headers, fetch }: ConnectOptions): void {
  if (/[?#]/.test(base.href)) {
    throw new TypeError(`connect: ${base.href} is no base URL: it has a query or a fragment.`);
  }
  if (typeof headers !== "function") new Headers(headers);
  if (fetch !== undefined && typeof fetch !== "function") {
    throw new TypeError("connect: fetch is not a function.");
  }
}

function caller(name: string, row: RouteRow, base: URL, connect: ConnectOptions): ApiCall {
  return async (input, options) => call(targetOf(name, row, base, input), connect, options);
}

function opener(name: string, row: RouteRow, base: URL, connect: ConnectOptions): SseCall {
  return (input, options = {}) => {
    const target = targetOf(name, row, base, input);
    const open = fetching(target, connect);
    if (!options.shared) return new Connection(open, options);
    if (row.method !== "GET") throw new TypeError(`${name}: a ${row.method} cannot be shared.`);
    return new Connection(openShared(target.url.href, open), options);
  };
}

/** Without a prototype: no name of a route means anything else. */
function namespace<F>(): Record<string, F | Namespace<F>> {
  return Object.create(null) as Record<string, F | Namespace<F>>;
}

function put<F>(root: Record<string, F | Namespace<F>>, name: string, value: F): void {
  const parts = name.split(".");
  const last = parts.pop() ?? name;
  let inner = root;
  for (const part of parts) {
    inner = (inner[part] ??= namespace<F>()) as Record<string, F | Namespace<F>>;
  }
  inner[last] = value;
}
