"""Hashing every file of a folder. Which folders there are is said here, never by a visitor."""

from __future__ import annotations

import hashlib
import os
import stat
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import flask_sse_routes

from .model import HashedFile, Manifest
from .work import Progress, Work, WorkError

BLOCK = 256 * 1024
MOST_FILES = 200_000
# Files of the manifest that are shown.
SHOWN = 200


def folders() -> dict[str, Path]:
    """The folders that can be chosen, by their names."""
    paths = {
        "This console": Path(__file__).parents[1],
        "flask_sse_routes": Path(flask_sse_routes.__file__).parent,
        "Python's standard library": Path(sysconfig.get_path("stdlib")),
        "Python's site-packages": Path(sysconfig.get_path("purelib")),
    }
    return {name: path for name, path in paths.items() if path.is_dir()}


def hash_folder(folder: Path) -> Work:
    paths: list[str] = []
    for path in _files(folder):
        paths.append(path)
        if len(paths) > MOST_FILES:
            raise WorkError(f"The folder has more than {MOST_FILES:,} files.")
        yield Progress(len(paths), None, "files")
    manifest = _Listing(folder)
    for number, path in enumerate(sorted(paths, key=os.fsencode), 1):
        for _ in manifest.add(path):
            yield Progress(number - 1, len(paths), "files")
        yield Progress(number, len(paths), "files")
    return manifest.result()


def _files(folder: Path) -> Iterator[str]:
    """Paths within a folder, without following links; what vanishes meanwhile is left out."""
    for place, _, names in os.walk(folder):
        for name in names:
            path = Path(place, name)
            if not path.is_symlink():
                yield str(path.relative_to(folder))


class _Listing:
    """The manifest as it grows."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._all = hashlib.sha256()
        self._shown: list[HashedFile] = []
        self._count = self._bytes = self._unreadable = 0

    def add(self, path: str) -> Iterator[None]:
        digest, size = hashlib.sha256(), 0
        try:
            for block in _blocks(self._folder / path):
                digest.update(block)
                size += len(block)
                yield
        except OSError:
            self._unreadable += 1
            return
        self._note(path, digest.hexdigest(), size)

    def _note(self, path: str, digest: str, size: int) -> None:
        self._count += 1
        self._bytes += size
        line = digest.encode() + b"  " + os.fsencode(path) + b"\n"
        self._all.update(line)
        if len(self._shown) < SHOWN:
            name = os.fsencode(path).decode(errors="replace")
            self._shown.append(HashedFile(path=name, bytes=size, sha256=digest))

    def result(self) -> Manifest:
        return Manifest(
            file_count=self._count,
            bytes=self._bytes,
            unreadable=self._unreadable,
            sha256=self._all.hexdigest(),
            files=self._shown,
        )


def _blocks(path: Path) -> Iterator[bytes]:
    # Opening a pipe would wait for who writes to it.
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW
    with os.fdopen(os.open(path, flags), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError("not a regular file")
        while block := file.read(BLOCK):
            yield block
