"""The tool that runs the pages: what is right passes, what is wrong fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from . import blocks, claims, unrun
from .blocks import block, pages
from .console import split
from .expected import Epochs, Expected
from .failure import PageFailure
from .ports import Ports
from .running import PARTS, part, run

SHOP = """```python title="shop.py"
from flask import Flask

from flask_sse_routes import Context, RouteBlueprint, SSERoutes

sse = SSERoutes()
api = RouteBlueprint("api", __name__, url_prefix="/api")


@api.sse("/count")
def count(ctx: Context, start: int = 2):
    for left in range(start, 0, -1):
        yield {"left": left}


@api.sse("/forever")
def forever(ctx: Context):
    while True:
        yield {"tick": True}
        ctx.sleep(0.05)


@api.sse("/orders")
def orders():
    return sse.subscribe("orders")


@api.http("/order", method="POST")
def order(name: str):
    return sse.publish("orders", {"name": name})


app = Flask(__name__)
sse.init_app(app)
app.register_blueprint(api)
```

```console
$ flask --app shop run --debug
 * Running on http://127.0.0.1:5000
```
"""
COUNT = """```console
$ curl -N "http://127.0.0.1:5000/api/count?start=1"
retry: 1500
data: {"left":1}

event: end
id: ~end
data: null
```
"""
ORDERS = """<!-- docs: open orders -->
```console
$ curl -N http://127.0.0.1:5000/api/orders
retry: 1500
event: ready
id: 5ab3c901-0
data: {}
```

```console
$ curl --json '{"name": "soup"}' http://127.0.0.1:5000/api/order
"5ab3c901-1"
```

<!-- docs: prints orders -->
```text
id: 5ab3c901-1
data: {"name":"soup"}
```

```console
$ curl -N -H "Last-Event-ID: 5ab3c901-0" http://127.0.0.1:5000/api/orders
retry: 1500
id: 5ab3c901-1
data: {"name":"soup"}
```
"""
MakePage = Callable[..., str]


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakePage]:
    """Make a page of docs/ in a folder of the test's own."""
    docs = tmp_path / "docs"
    docs.mkdir()
    monkeypatch.setattr(blocks, "DOCS", docs)

    def make(text: str, name: str = "page.md") -> str:
        (docs / name).write_text(text)
        blocks.steps.cache_clear()
        return name

    yield make
    blocks.steps.cache_clear()


@pytest.mark.parametrize(
    "text",
    [
        SHOP + COUNT,
        SHOP + ORDERS,
        SHOP + COUNT.replace("retry: 1500\n", "...\n"),
        SHOP + COUNT.replace('{"left":1}', '{"left":...}'),
        SHOP + '```console\n$ curl -N "http://127.0.0.1:5000/api/forever"\n'
        'retry: 1500\ndata: {"tick":true}\n\n^C\n```\n',
        SHOP + '```python\nimport shop\nassert shop.count(None).__next__() == {"left": 2}\n```\n',
        "```console\n$ export A=soup\n$ mkdir x && cd x\n$ echo $A $(basename $PWD)\nsoup x\n```\n",
        "```console\n$ echo one \\\n  two\none two\n```\n",
        "```python\nprint('hello')\n```\n<!-- docs: prints python -->\n```text\nhello\n```\n",
        "<!-- docs: python\nimport math\n-->\n```python\nassert math.pi > 3\n```\n",
        "```console\n$ pip install 'flask_sse_routes[server]'\n$ make test\n```\n",
        "<!-- docs: fails -->\n```console\n$ echo one; false\none\n```\n",
        SHOP + "```console\n$ export A=soup\n```\n```console\n$ echo $A\nsoup\n```\n",
        "```console\n$ export FLASK_APP=shop\n```\n" + SHOP.replace("--app shop ", "") + COUNT,
        '```json\n{"a": 1}\n```\n',
        "```text\nevent: progress\ndata: 5\n```\n",
        "<!-- docs: diagram -->\n```text\nbrowser -> server\n```\n",
        '- A list:\n\n    ```python title="a.py"\n    A = 1\n    ```\n\n```python\nimport a\n```\n',
    ],
)
def test_what_is_right_passes(text: str, page: MakePage, tmp_path: Path) -> None:
    run(page(text), tmp_path)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (SHOP + COUNT.replace('{"left":1}', '{"left":3}'), "the page says\nretry"),
        (SHOP + COUNT.replace("event: end\nid: ~end\ndata: null\n", ""), "it printed"),
        (SHOP + ORDERS.replace("id: 5ab3c901-1\ndata", "id: 5ab3c902-1\ndata"), "it printed"),
        (SHOP.replace("api = Route", "api = Wrong"), "NameError"),
        (
            SHOP + "```console\n$ curl -N http://127.0.0.1:5000/api/forever\nretry: 1500\n"
            'data: {"tick":true}\n```\n',
            "it printed",
        ),
        ("```python\nassert False\n```\n", "page.md:1"),
        ("```python\nraise SystemExit\n```\n", "SystemExit"),
        ('```python title="a.py"\nassert False\n```\n', "page.md:1"),
        ('```nginx title="nginx.conf"\nevents {}\n```\n', "nothing uses 'nginx.conf'"),
        ('```python title="../a.py"\nA = 1\n```\n', "not inside"),
        ("```console\n$ echo one\ntwo\n```\n", "it printed"),
        ("```console\n$ echo one\n```\n", "it printed"),
        ("```console\n$ false\n```\n", "status 1"),
        ("```console\n$ echo one; false\none\n```\n", "status 1"),
        ("<!-- docs: fails -->\n```console\n$ true\n```\n", "status 0"),
        (
            "```console\n$ export A=soup\n```\n" + SHOP + "```console\n$ echo $A\nsoup\n```\n",
            "it printed",
        ),
        (SHOP + COUNT.replace("retry: 1500", "retry: 1900"), "it printed"),
        ("```console\n$ pip install 'flask_sse_routes[wrong]'\n```\n", "no such extra"),
        ("```console\n$ pip install requests\n```\n", "requests"),
        ("```console\n$ make wrong\n```\n", "no such target"),
        ("```console\none\n```\n", "begins with"),
        ("```\nplain\n```\n", "no language"),
        ("```js\nlet a;\n```\n", "'js'"),
        ("```text\nsome words\n```\n", "no event stream"),
        ("<!-- docs: prints nobody -->\n```text\nhello\n```\n", "no command named"),
    ],
)
def test_what_is_wrong_fails(text: str, told: str, page: MakePage, tmp_path: Path) -> None:
    with pytest.raises(PageFailure) as failure:
        run(page(text), tmp_path, patience=3)
    assert told in str(failure.value)


def test_a_page_continues_another(page: MakePage, tmp_path: Path) -> None:
    page('```python title="a.py"\nA = 1\n```\n', "first.md")
    page('<!-- docs: continues first.md -->\n```python title="b.py"\nB = 2\n```\n', "second.md")
    text = (
        "<!-- docs: continues second.md -->\n```python\nimport a, b\nassert a.A + b.B == 3\n```\n"
    )
    run(page(text, "third.md"), tmp_path)


def test_a_server_with_debug_sees_a_changed_file(page: MakePage, tmp_path: Path) -> None:
    changed = SHOP.split("```console")[0].replace('{"left": left}', '{"still": left}')
    run(page(SHOP + COUNT + changed + COUNT.replace('"left"', '"still"')), tmp_path)


def test_a_claimed_block_is_left_to_its_test(
    page: MakePage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(claims.CLAIMS, "page.md", {"page.html": "", "Start": ""})
    text = '```html title="page.html"\n<p>\n```\n```console title="Start"\n$ false\n```\n'
    run(page(text), tmp_path)
    assert block("page.md", "page.html") == "<p>\n"


def test_an_unknown_comment_fails(page: MakePage, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="unknown comment"):
        run(page("<!-- docs: wrong -->\n```json\n1\n```\n"), tmp_path)


def test_different_epochs_are_different() -> None:
    epochs = Epochs()
    assert Expected(["aaaaaaaa-1 bbbbbbbb-1"], epochs).all_of("11111111-1 22222222-1")
    assert not Expected(["aaaaaaaa-1 bbbbbbbb-1"], Epochs()).all_of("11111111-1 11111111-1")
    assert epochs.replace("bbbbbbbb-7") == "22222222-7"
    assert not Expected(["aaaaaaaa-2"], epochs).all_of("22222222-2")


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1:8000",
        "http://localhost:8000/",
        "--port 8000",
        "PORT=8000",
        "-b :8000",
        "port=8000",
    ],
)
def test_ports(text: str) -> None:
    ports = Ports()
    assert ports.replace(text) == text.replace("8000", ports.used(8000))
    assert ports.restore(ports.replace(text)) == text
    assert ports.replace("wait 8000 ms") == "wait 8000 ms"


def test_every_page_is_of_one_part() -> None:
    found = [page for name in ("", *PARTS) for page in part(name)]
    assert sorted(found) == sorted(pages())


def test_commands_are_split() -> None:
    made = blocks.Block("page.md", 1, "console", "", "$ a \\\n> b\nc\n$ d\n")
    assert split(made) == [("a \\\nb", ["c"]), ("d", [])]
    assert unrun.check("echo pip install x") == (False, None)
