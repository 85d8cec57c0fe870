/** From a table of routes to `$api` and `$sse`. */
import { call } from "./call.js";
import { Connection } from "./connection.js";
import { fetching } from "./fetching.js";
import { targetOf } from "./request.js";
import { openShared } from "./shared.js";
/** The functions that call the routes below a base URL. */
export function createClient(routes, baseUrl, options = {}) {
    const base = new URL(baseUrl, globalThis.location?.href);
    check(base, options);
    const $api = namespace();
    const $sse = namespace();
    for (const [name, row] of Object.entries(routes)) {
        if (row.streams)
            put($sse, name, opener(name, row, base, options));
        else
            put($api, name, caller(name, row, base, options));
    }
    return { $api, $sse };
}
/** Throws a `TypeError` for what no request could be made with. */
function check(base, { headers, fetch }) {
    if (/[?#]/.test(base.href)) {
        throw new TypeError(`connect: ${base.href} is no base URL: it has a query or a fragment.`);
    }
    if (typeof headers !== "function")
        new Headers(headers);
    if (fetch !== undefined && typeof fetch !== "function") {
        throw new TypeError("connect: fetch is not a function.");
    }
}
function caller(name, row, base, connect) {
    return async (input, options) => call(targetOf(name, row, base, input), connect, options);
}
function opener(name, row, base, connect) {
    return (input, options = {}) => {
        const target = targetOf(name, row, base, input);
        const open = fetching(target, connect);
        if (!options.shared)
            return new Connection(open, options);
        if (row.method !== "GET")
            throw new TypeError(`${name}: a ${row.method} cannot be shared.`);
        return new Connection(openShared(target.url.href, open), options);
    };
}
/** Without a prototype: no name of a route means anything else. */
function namespace() {
    return Object.create(null);
}
function put(root, name, value) {
    const parts = name.split(".");
    const last = parts.pop() ?? name;
    let inner = root;
    for (const part of parts) {
        inner = (inner[part] ??= namespace());
    }
    inner[last] = value;
}
