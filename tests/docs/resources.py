"""What a built page makes a browser load, read from its HTML and CSS."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from urllib.parse import urlsplit

# Attributes that a browser follows by itself, by element; `a` is for readers to follow.
LOADING = {
    "audio": ("src",),
    "embed": ("src",),
    "iframe": ("src",),
    "img": ("src", "srcset"),
    "input": ("src",),
    "link": ("href",),
    "object": ("data",),
    "script": ("src",),
    "source": ("src", "srcset"),
    "track": ("src",),
    "video": ("src", "poster"),
    "image": ("href", "xlink:href"),
    "use": ("href", "xlink:href"),
}
# Links that name a page, and load nothing.
NAMING = {"canonical", "alternate", "next", "prev", "author", "license", "edit"}
IN_CSS = re.compile(r"""(?:url\(\s*|@import\s+)["']?([^"')\s;]+)""")


class Loaded(HTMLParser):
    """Collects the addresses that a page loads."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.classes: set[str] = set()
        self._style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {key: value or "" for key, value in attrs}
        self._style = tag == "style"
        self.classes.update(given.get("class", "").split())
        self.addresses += IN_CSS.findall(given.get("style", ""))
        if tag == "link" and set(given.get("rel", "").split()) <= NAMING:
            return
        for name in LOADING.get(tag, ()):
            self.addresses += [
                part.split()[0] for part in given.get(name, "").split(",") if part.strip()
            ]

    def handle_data(self, data: str) -> None:
        if self._style:
            self.addresses += IN_CSS.findall(data)


def foreign(addresses: list[str]) -> list[str]:
    """Those of another origin."""
    return [each for each in addresses if urlsplit(each).netloc]


def loaded_by_page(html: str) -> Loaded:
    parser = Loaded()
    parser.feed(html)
    return parser


def loaded_by_css(css: str) -> list[str]:
    return IN_CSS.findall(css)
