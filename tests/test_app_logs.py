"""The log viewer's streams, in this process: what happens to a file, and what its lines hold."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from app.logs import views
from app.logs.lines import LONGEST, MOST_TEXT, PART, Lines, LogLine
from app.logs.own import SharedFile, older
from app.logs.position import parse
from flask_sse_routes.testing import TestStream, sse_client
from tests.app_fixtures import logging_restored, make_console

LIMIT = 10_000


@pytest.fixture(name="file")
def make_file(tmp_path: Path) -> Path:
    file = tmp_path / "logs" / "some.log"
    file.parent.mkdir()
    file.write_text("one\ntwo\n")
    return file


@pytest.fixture(name="app")
def make_app(tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    monkeypatch.setattr(views, "PAUSE", 0.03)
    files = [str(file), f"{file.parent}/*.txt", str(tmp_path / "later.log")]
    with logging_restored():
        yield make_console(tmp_path, LOG_FILES=files)


def test_lines_come_as_they_are_written(app: Flask, file: Path) -> None:
    with opened(app, file) as stream:
        assert shown(stream) == ("tail", ["one", "two"])
        append(file, b"three\n")
        assert shown(stream) == ("message", ["three"])
        append(file, b"with")
        append(file, b"out end\nfour\nfi")
        assert shown(stream) == ("message", ["without end", "four"])
        assert shown(stream) == ("message", ["fi"])


def test_only_the_last_lines_are_told_at_first(app: Flask, file: Path) -> None:
    file.write_text("".join(f"line {number}\n" for number in range(20_000)))
    with opened(app, file, "last=3") as stream:
        assert shown(stream)[1] == [f"line {number}" for number in (19_997, 19_998, 19_999)]


def test_no_more_lines_are_read_than_are_told(
    app: Flask, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text("".join(f"line {number}\n" for number in range(5000)))
    read, count = Lines.read, 0

    def counting(lines: Lines, raw: bytes) -> LogLine:
        nonlocal count
        count += 1
        return read(lines, raw)

    monkeypatch.setattr(Lines, "read", counting)
    with opened(app, file, "last=200") as stream:
        assert shown(stream)[1] == [f"line {number}" for number in range(4800, 5000)]
    assert count == PART


def test_severe_lines_are_looked_for_in_the_whole_tail(app: Flask, file: Path) -> None:
    trace = [f"  at {number}" for number in range(2 * PART)]
    others = [f"line {number}" for number in range(2 * PART)]
    file.write_text("\n".join(["ERROR first", *trace, *others, "ERROR last", "  of it", ""]))
    with opened(app, file, "level=ERROR&last=1000") as stream:
        assert shown(stream)[1] == ["ERROR first", *trace, "ERROR last", "  of it"]
        append(file, b"  and this\n")
        assert shown(stream) == ("message", ["  and this"])
    with opened(app, file, "level=ERROR&last=3") as stream:
        assert shown(stream)[1] == ["ERROR last", "  of it", "  and this"]


def test_last_lines_fit_into_one_event(app: Flask, file: Path) -> None:
    file.write_bytes((b"\xff" * 3999 + b"\n") * 130)
    with opened(app, file, "last=1000") as stream:
        assert len(shown(stream)[1]) == MOST_TEXT // 3999


def test_rotated_file_is_read_to_its_end(app: Flask, file: Path) -> None:
    with opened(app, file) as stream, file.open("ab") as before:
        stream.next()
        file.rename(older(file, 1))
        file.write_text("new\n")
        before.write(b"late\n")
        before.flush()
        assert shown(stream) == ("message", ["late"])
        assert stream.json() == {"what": "rotated"}
        assert shown(stream) == ("message", ["new"])


def test_truncated_file_is_read_from_its_beginning(app: Flask, file: Path) -> None:
    with opened(app, file) as stream:
        stream.next()
        file.write_text("a longer line than there was\n")
        assert stream.json() == {"what": "truncated"}
        assert shown(stream) == ("message", ["a longer line than there was"])
        os.truncate(file, 0)
        assert stream.json() == {"what": "truncated"}


def test_deleted_file_is_waited_for(app: Flask, file: Path) -> None:
    with opened(app, file) as stream:
        stream.next()
        file.unlink()
        assert stream.json() == {"what": "missing"}
        file.write_text("again\n")
        assert stream.json() == {"what": "found"}
        assert shown(stream) == ("message", ["again"])


def test_file_that_comes_later_is_waited_for(app: Flask, tmp_path: Path) -> None:
    with opened(app, tmp_path / "later.log") as stream:
        assert shown(stream) == ("tail", [])
        assert stream.json() == {"what": "missing"}
        (tmp_path / "later.log").write_text("first\n")
        assert stream.json() == {"what": "found"}
        assert shown(stream) == ("message", ["first"])


def test_stream_resumes_where_it_was(app: Flask, file: Path) -> None:
    with opened(app, file) as stream:
        last = stream.next().id
    append(file, b"missed\n")
    with opened(app, file, last_event_id=last) as stream:
        assert shown(stream) == ("message", ["missed"])
    file.rename(older(file, 1))
    file.write_text("newer\n")
    with opened(app, file, last_event_id=last) as stream:
        assert shown(stream) == ("message", ["missed"])
        assert stream.json() == {"what": "rotated"}
        assert shown(stream) == ("message", ["newer"])


def test_position_in_a_file_that_changed_is_none(app: Flask, file: Path) -> None:
    with opened(app, file) as stream:
        last = stream.next().id
    file.write_text("other text of the same file\n")
    with opened(app, file, last_event_id=last) as stream:
        tail = stream.json()
    assert tail["reason"] == "unknown position"
    assert [line["message"] for line in tail["lines"]] == ["other text of the same file"]


@pytest.mark.parametrize(
    "position",
    ["7", "-", "a-b-c", f"{'f' * 16}-{'f' * 15}-00000000", "0-0-00000000 ", "é", "x" * 300],
)
def test_position_that_is_none_begins_anew(app: Flask, file: Path, position: str) -> None:
    with opened(app, file, last_event_id=position.encode().decode("latin-1")) as stream:
        assert shown(stream) == ("tail", ["one", "two"])


def test_position_has_one_grammar() -> None:
    assert str(parse("1f-2a-0000beef")) == "1f-2a-0000beef"
    for text in (
        None,
        "",
        "1f-2a-beef",
        "1F-2a-0000beef",
        "1f-2a-0000beef\n",
        f"{'1' * 17}-0-00000000",
    ):
        assert parse(text) is None


def test_any_bytes_are_shown(app: Flask, file: Path) -> None:
    file.write_bytes(b"bad \xff\xfe\nnul \0 and \x1b[31mred\x1b[0m\n<img src=x onerror=alert(1)>\n")
    with opened(app, file) as stream:
        assert shown(stream)[1] == [
            "bad \ufffd\ufffd",
            "nul \u2400 and red",
            "<img src=x onerror=alert(1)>",
        ]


def test_long_line_is_cut_and_says_so(app: Flask, file: Path) -> None:
    with opened(app, file) as stream:
        stream.next()
        append(file, b"x" * 5000 + b"\n")
        (line,) = stream.json()["lines"]
        assert (len(line["message"]), line["cut"]) == (LONGEST, 1000)
        append(file, b"y" * 1_000_000 + b"\nafter\n")
        (line,) = stream.json()["lines"]
        assert line["message"] == "y" * LONGEST
        assert shown(stream) == ("message", ["after"])


@pytest.mark.parametrize(
    ("line", "level"),
    [
        ("2026/11/23 01:35:00 [error] 12#12: no route", "ERROR"),
        ("Nov 23 01:35:00 host app: WARNING disk is low", "WARNING"),
        ('time=1 level=warn msg="no error"', "WARN"),
        ('{"level": "fatal", "msg": "x"}', "FATAL"),
        ("nothing about an error here", None),
    ],
)
def test_level_is_found_in_lines_of_others(line: str, level: str | None) -> None:
    assert Lines().read(line.encode()).level == level


def test_indented_line_belongs_to_the_one_before() -> None:
    lines = Lines()
    read = [lines.read(line) for line in (b"ERROR: failed", b"  File x", b"next")]
    assert [line.severity for line in read] == [40, 40, 20]


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../some.log", "some.log", "server/../server", "*"]
)
def test_only_configured_files_can_be_read(app: Flask, name: str) -> None:
    response = app.test_client().get("/api/logs", query_string={"file": name})
    assert response.status_code == 404
    assert response.mimetype == "application/problem+json"


def test_pipe_and_device_are_not_read(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.log"
    os.mkfifo(pipe)
    with logging_restored():
        app = make_console(tmp_path, LOG_FILES=[str(pipe), "/dev/zero"])
        for path in (pipe, Path("/dev/zero")):
            with opened(app, path) as stream:
                assert shown(stream) == ("tail", [])
                assert stream.json() == {"what": "missing"}


def test_files_are_listed(app: Flask, file: Path) -> None:
    (file.parent / "notes.txt").write_text("x")
    logging.getLogger("somewhere").error("so that there is a file")
    names = [each["name"] for each in app.test_client().get("/api/log-files").get_json()]
    assert names == ["server", str(file), str(file.parent / "notes.txt")]


def test_large_own_file_begins_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.logs.own.LARGEST", 100)
    one, two = (SharedFile(tmp_path / "own.log") for _ in range(2))
    for number in range(100):
        (one, two)[number % 2].append(f"line {number} {'.' * 20}\n".encode())
    one.close()
    two.close()
    texts = [path.read_text() for path in sorted(tmp_path.glob("own.log*"), reverse=True)]
    numbers = [int(line.split()[1]) for text in texts for line in text.splitlines()]
    assert numbers == list(range(numbers[0], 100))
    assert len(list(tmp_path.glob("own.log.?"))) == 3


def test_own_log_is_followed_from_a_level_up(app: Flask) -> None:
    logger = logging.getLogger("somewhere")
    with sse_client(app).open("/api/logs?level=WARNING") as stream:
        seen = Seen(stream)
        logger.info("not shown")
        logger.warning("\x1b[33m%s\x1b[0m\x1b[31m is low", "disk")
        line = seen.of("somewhere")
        logger.error("second\nline")
        assert seen.of("somewhere")["message"] == "second\\nline"
        last = stream.last_event_id
        logger.error("third")
        assert seen.of("somewhere")["message"] == "third"
    assert (line["message"], line["level"], line["severity"]) == ("disk is low", "WARNING", 30)
    assert (line["process"], line["cut"]) == (os.getpid(), 0)
    with sse_client(app).open("/api/logs?level=ERROR", last_event_id=last) as stream:
        assert shown(stream) == ("message", ["third"])
    with sse_client(app).open("/api/logs?level=ERROR") as stream:
        assert shown(stream) == ("tail", ["second\\nline", "third"])


def test_log_has_no_traceback(app: Flask) -> None:
    with sse_client(app).open("/api/logs?level=ERROR") as stream:
        seen = Seen(stream)
        try:
            raise ValueError("a secret")
        except ValueError:
            logging.getLogger("somewhere").exception("it failed")
        assert seen.of("somewhere")["message"] == "it failed"
    assert "secret" not in (Path(app.config["DATA_FOLDER"]) / "server.log").read_text()


def test_log_says_how_streams_ended(app: Flask) -> None:
    streams = sse_client(app)
    with streams.open("/api/logs") as log:
        seen = Seen(log)
        with streams.open("/api/countdown?start=3600") as stream:
            stream.next()
        assert seen.of("app.streams")["message"].startswith("countdown disconnected after ")
        list(streams.open(f"/api/task?limit={LIMIT}"))
        assert seen.of("app.streams")["message"].startswith("task completed after ")


def test_second_application_does_not_double_the_log(app: Flask, tmp_path: Path) -> None:
    app = make_console(tmp_path)
    with sse_client(app).open("/api/logs?level=ERROR") as stream:
        seen = Seen(stream)
        logging.getLogger("somewhere").error("once")
        logging.getLogger("somewhere").error("then this")
        messages = [seen.of("somewhere")["message"] for _ in range(2)]
    assert messages == ["once", "then this"]


def opened(app: Flask, file: Path, more: str = "", last_event_id: str | None = None) -> TestStream:
    return sse_client(app).open(f"/api/logs?file={file}&{more}", last_event_id=last_event_id)


def shown(stream: TestStream) -> tuple[str, list[str]]:
    event = stream.next()
    return event.event, [line["message"] for line in json.loads(event.data)["lines"]]


def append(file: Path, data: bytes) -> None:
    with file.open("ab") as appended:
        appended.write(data)


class Seen:
    """The lines of a stream one by one, however many come at once."""

    def __init__(self, stream: TestStream) -> None:
        assert stream.next().event == "tail"
        self._stream = stream
        self._waiting: list[dict[str, Any]] = []

    def of(self, logger: str) -> dict[str, Any]:
        while True:
            while self._waiting:
                line = self._waiting.pop(0)
                if line["logger"] == logger:
                    return line
            self._waiting += self._stream.json().get("lines", [])
