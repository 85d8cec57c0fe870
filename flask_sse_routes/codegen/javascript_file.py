"""A blueprint's client in JavaScript, as one file to keep beside other sources.

Floor 1. It is the module that the blueprint serves, but for the base URL: that one knows
where it came from, this one is told.
"""

from __future__ import annotations

from .catalogue import Catalogue, Operation
from .header import header
from .runtime import runtime
from .script_table import script_table
from .ts_types import doc_comment

_CONNECT = """\
export function connect(baseUrl, options) {
  return createClient(routes, baseUrl, options);
}
"""
_PARAMETERS = """\
@param {string | URL} baseUrl where they are: the server and the blueprint's prefix
@param {{ headers?: HeadersInit | (() => HeadersInit | Promise<HeadersInit>),
  fetch?: typeof fetch, credentials?: RequestCredentials }} [options]
@returns {{ $api: any, $sse: any }}"""


def javascript_file(catalogue: Catalogue, blueprint: str) -> str:
    """Return the text of the file."""
    head = "".join(f"// {line}\n" for line in header("javascript", blueprint))
    listed = "\n".join(map(_line, catalogue.operations))
    parts = [
        f"{head}/* eslint-disable */\n",
        doc_comment("Return the routes as functions.", listed, _PARAMETERS) + _CONNECT,
        f"const routes = {script_table(catalogue)};\n",
        runtime("js"),
    ]
    return "\n".join(parts)


def _line(operation: Operation) -> str:
    where = "$sse" if operation.answer.streams else "$api"
    told = f": {operation.route.summary}" if operation.route.summary else ""
    return f"- `{where}.{operation.name}`, {operation.route.method} {operation.path}{told}"
