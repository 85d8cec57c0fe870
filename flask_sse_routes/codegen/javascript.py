"""`client.js`: the runtime of the browser client, and the routes that it calls.

Floor 1. It is one module without imports, which a page takes from where the routes are.
"""

from __future__ import annotations

from .catalogue import Catalogue
from .runtime import runtime
from .script_table import script_table

_HEAD = """\
// The routes of this server as functions:
//
//   import { $api, $sse } from "./client.js";
//   const value = await $api.name({ field: 1 });
//   for await (const { event, data, id } of $sse.name({ field: 1 })) { ... }
//
// `connect(baseUrl, { headers, fetch, credentials })` returns both for the same routes elsewhere.
"""
_FOOT = """\
/** The same routes at another place, where a blueprint's prefix ends. */
export function connect(baseUrl, options) {
    return createClient(routes, baseUrl, options);
}

export const { $api, $sse } = connect(new URL(".", import.meta.url));
"""


def client_module(catalogue: Catalogue) -> str:
    """Return an ES module that exports `$api`, `$sse`, `RouteError` and `connect`."""
    table = f"const routes = {script_table(catalogue)};\n"
    return "\n".join([_HEAD, table, runtime("js"), _FOOT])
