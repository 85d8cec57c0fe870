"""The package's log lines: one line each, whatever a client had a part in.

Floor 0. What is logged may hold texts of requests and of exceptions: line ends, other control
characters and those that change the direction of writing are escaped. In debug mode tracebacks
come as usual.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from typing import Any

# Frames of this module, when a record says who wrote it.
OWN_FRAMES = 3


class Mode:
    """How this process writes tracebacks of no certain app; the one that was asked last decides."""

    debug = False


MODE = Mode()


class Log:
    """A logger whose every record is one line, but for tracebacks in debug mode."""

    def __init__(self, logger: str | logging.Logger | logging.LoggerAdapter[Any]) -> None:
        self._logger = logging.getLogger(logger) if isinstance(logger, str) else logger

    def debug(self, message: str, *args: object) -> None:
        self._write(logging.DEBUG, message, args)

    def info(self, message: str, *args: object) -> None:
        self._write(logging.INFO, message, args)

    def warning(self, message: str, *args: object, error: BaseException | None = None) -> None:
        self._write(logging.WARNING, message, args, error)

    def error(
        self,
        message: str,
        *args: object,
        error: BaseException | None = None,
        debug: bool | None = None,
    ) -> None:
        """Write an error, with the traceback of `error` where there is one.

        `debug` is that of the app whose error it is, where that is known.
        """
        self._write(logging.ERROR, message, args, error, debug)

    def _write(
        self,
        level: int,
        message: str,
        args: tuple[object, ...],
        error: BaseException | None = None,
        debug: bool | None = None,
    ) -> None:
        if not self._logger.isEnabledFor(level):
            return
        options: dict[str, Any] = {"stacklevel": OWN_FRAMES}
        if error is not None and (MODE.debug if debug is None else debug):
            options["exc_info"] = error
        elif error is not None:
            message, args = f"{message}: %s", (*args, story(error))
        self._logger.log(level, message, *map(_argument, args), **options)


def one_line(text: str) -> str:
    """Escape what would end a line or make it look like another one, and the backslash."""
    return _printable(text.strip().replace("\\", "\\\\"))


def story(error: BaseException) -> Story:
    """Return an exception's whole traceback, on one line."""
    return Story(one_line("".join(traceback.format_exception(error))))


class Story(str):
    """A text that is escaped already."""

    __slots__ = ()


class _Text:
    """An argument of a message, written without what would end a line."""

    __slots__ = ("_value",)

    def __init__(self, value: object) -> None:
        self._value = value

    def __str__(self) -> str:
        return one_line(self._told(str))

    def __repr__(self) -> str:
        return _printable(self._told(repr))

    def _told(self, by: Callable[[object], str]) -> str:
        try:
            return by(self._value)
        except Exception:  # the rest of the line is worth having
            return f"<{type(self._value).__name__}>"


def _argument(value: object) -> object:
    return value if isinstance(value, (int, float, Story)) else _Text(value)


def _printable(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else _escaped(each) for each in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()
