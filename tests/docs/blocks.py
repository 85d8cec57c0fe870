"""The fenced blocks of README.md and docs/**/*.md, and the conventions by which each is run.

Pages are named relative to docs/ ("guides/nginx.md"), the README is "README.md". Run one with
`pytest tests/docs -k nginx`; `block("guides/nginx.md", "nginx.conf")` reads one block of it.

FILES. A block with a title (```python title="shop.py") is written to the page's own empty folder;
a later one of that title replaces it. A Python file that no command used is executed at the end;
any other must be named by a command or a file of the page, or be claimed.

PYTHON. Without a title, ```python is executed; all such blocks of a page share one namespace in
one process, which stands in the page's folder.

CONSOLE. In ```console, a line after `$ ` is run by bash (a trailing backslash continues it), and
ends with status 0. `export` and `cd` hold for what is typed in the same terminal: a command that
goes on occupies its own, and those after it are typed in another; a server that replaces one, and
what stands before it in its block, where that one was stopped.
The lines below are all that a command prints, standard error included:
- `...` stands for any text in a line, and for any number of lines where it is all of a line;
- the number after `retry: ` differs from run to run: by 25 % from 1500 in the first line, between
  500 and 3000 in others; so do the seconds of `in 0.12s` and `after 0.1 s`;
- an event id of a channel (`5ab3c901-7`, 8 hex digits) stands for the one that really came: its
  first use binds the epoch; later commands, files and Python blocks get the real one instead;
- `^C` as the last line: the command prints more or does not end, and is interrupted here. Without
  it, `curl -N` of an open stream is stopped when its lines have come and nothing follows them.
A command that serves (`flask run`, `gunicorn`, `waitress-serve`, `celery ... worker`,
`redis-server`, `python -m http.server`) goes on in the background until the page ends or another
serves its port; its lines must come in this order, others between them are let pass. One with
`--debug` is started again when a Python file has changed. `pip`, `venv`, `git clone`,
`npm install`, `apt-get` and `make` lines are checked against this project's files, not run.

PORTS. Those written as `127.0.0.1:8000`, `localhost:5000`, `--port 8001`, `PORT=9000`, `-b :8000`
become free ones everywhere, and are compared as written. A test that claims a block does that with
`Ports().replace(text)`.

OTHERS. ```json and ```ini must parse. ```text must be an event stream that the decoder reads, or
be marked. What needs a browser, a compiler or a proxy has a title, and `claims.py` names the test
that reads it by that title; a claimed file is written, a claimed console is not run.

COMMENTS, each before the block that it is about, on lines of its own:
- `<!-- docs: continues tutorial/input.md -->`: begin with the files which that page ends with;
- `<!-- docs: open NAME -->`: the last command of this console goes on in the background under that
  name after its lines have come (a server's name is `server` by itself);
- `<!-- docs: prints NAME -->`: this ```text or ```console block is what that command prints next;
  with the name `python`, what the Python blocks printed;
- `<!-- docs: ends NAME -->`, beside `prints`: after this the command has ended by itself;
- `<!-- docs: fails -->`: the last command of this console ends with another status than 0;
- `<!-- docs: diagram -->`: this ```text block is a drawing;
- `<!-- docs: python` + newline + code + `-->`: a block that readers do not see, of any language
  and title (imports for an excerpt, a file that the page takes for granted).
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
README = "README.md"
PATTERN = re.compile(
    r"^(?P<indent>[ ]*)(?P<fence>`{3,}|~{3,})(?P<info>[^`\n]*)\n(?P<body>.*?)^[ ]*(?P=fence)[ ]*$"
    r"|^[ ]*<!-- docs: (?P<comment>.*?)-->",
    re.MULTILINE | re.DOTALL,
)
TITLE = re.compile(r'\btitle="([^"]*)"')
MARKS = {"open", "prints", "ends", "fails", "diagram"}


@dataclass(frozen=True)
class Block:
    """A fenced block, where it stands, and the comments before it that are about it."""

    page: str
    line: int
    language: str
    title: str
    text: str
    marks: tuple[tuple[str, str], ...] = ()

    @property
    def where(self) -> str:
        return f"{self.page}:{self.line}"

    def mark(self, name: str) -> str | None:
        """What a comment `<!-- docs: name ... -->` before the block says."""
        return dict(self.marks).get(name)


@dataclass(frozen=True)
class Continues:
    """A comment that has a page begin with the files of another."""

    page: str


def path_of(page: str) -> Path:
    return ROOT / page if page == README else DOCS / page


def pages() -> list[str]:
    """The names of all pages, the README first."""
    return [README, *sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))]


@cache
def steps(page: str) -> tuple[Block | Continues, ...]:
    """What a page has to be run, in order."""
    return tuple(_steps(page, path_of(page).read_text()))


def blocks(page: str) -> list[Block]:
    return [step for step in steps(page) if isinstance(step, Block)]


def block(page: str, title: str) -> str:
    """The text of the block of a page with this title; the last, where it was replaced."""
    found = [each.text for each in blocks(page) if each.title == title]
    assert found, f"{page} has no block with the title {title!r}."
    return found[-1]


def _steps(page: str, source: str) -> Iterator[Block | Continues]:
    marks: list[tuple[str, str]] = []
    for match in PATTERN.finditer(source):
        line = source.count("\n", 0, match.start()) + 1
        if match["comment"] is None:
            yield _block(page, line, match["info"], match["body"], marks)
            marks = []
            continue
        head, newline, body = match["comment"].partition("\n")
        word, _, rest = head.strip().partition(" ")
        if newline:
            yield _block(page, line, head, body, [])
        elif word == "continues":
            yield Continues(rest.strip())
        else:
            assert word in MARKS, f"{page}:{line}: unknown comment `docs: {head.strip()}`"
            marks.append((word, rest.strip()))
    assert not marks, f"{page}: a comment without a block after it: {marks}"


def _block(page: str, line: int, info: str, body: str, marks: list[tuple[str, str]]) -> Block:
    title = TITLE.search(info)
    language = (info.split() or [""])[0]
    text = textwrap.dedent(body)
    return Block(page, line, language, title[1] if title else "", text, tuple(marks))
