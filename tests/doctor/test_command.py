"""The command itself: what it takes, and how it says what it found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from flask import Flask

from flask_sse_routes import SSERoutes
from flask_sse_routes.cli import sse_cli
from flask_sse_routes.doctor.finding import NOTE, found
from flask_sse_routes.doctor.masks import masked
from flask_sse_routes.doctor.report import Report
from flask_sse_routes.doctor.target import Target


def run(*arguments: str, color: bool = False, **config: Any) -> Result:
    app = Flask("application")
    app.config.update(config)
    SSERoutes(app)
    app.cli.add_command(sse_cli)
    return app.test_cli_runner().invoke(args=["sse", "doctor", *arguments], color=color)


def test_nothing_was_found(empty_folder: Path) -> None:
    result = run()
    assert result.exit_code == 0
    assert result.output.startswith("Looked at: the broker, the database pool, SSE_* keys.\n")
    assert "Not looked at: the worker class" in result.output
    assert result.output.endswith("Nothing was found in what was looked at.\n")
    assert "Nothing was found.\x1b[0m" in Report().as_text()


def test_a_fault_in_colours_and_without(empty_folder: Path) -> None:
    (empty_folder / "gunicorn.conf.py").write_text("workers = 2")
    assert run().output.startswith("fault sync-worker\n  What  gunicorn's sync worker")
    coloured = run(color=True)
    assert coloured.output.startswith("\x1b[31m\x1b[1mfault sync-worker\x1b[0m\n")
    assert coloured.output.endswith("Found: 1 fault, 1 note.\n")
    assert coloured.exit_code == 1


def test_a_note_is_no_failure(empty_folder: Path) -> None:
    result = run("--json", SSE_EXPLORER=True)
    assert result.exit_code == 0
    (finding,) = json.loads(result.output)["findings"]
    assert finding.keys() == {"code", "severity", "what", "why", "mend"}
    assert finding["severity"] == "note"


def test_another_file_of_settings(empty_folder: Path) -> None:
    (empty_folder / "other.py").write_text("worker_class = 'sync'")
    assert "as other.py has it" in run("--config", "other.py").output
    missing = run("--config", "missing.py")
    assert missing.exit_code == 1
    assert "gunicorn would not read missing.py" in missing.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["shop.example.com"], "A URL is http://host or https://host"),
        (["ftp://shop.example.com"], "A URL is http://host or https://host"),
        (["http://"], "A URL is http://host or https://host"),
        (["http://host:port"], "Port could not be cast"),
        (["http://host", "-H", "Cookie"], "'Cookie' is no 'Name: value'."),
        (["http://host", "--seconds", "0"], "0.0 is not in the range"),
    ],
)
def test_what_it_does_not_take(arguments: list[str], said: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert said in result.output


def test_the_worst_is_told_first_and_each_code_once() -> None:
    report = Report()
    report.add([found("explorer", "a", "b"), found("buffering", "c", "d")])
    report.add([found("buffering", "e", "f"), found("timeout", "g", "h", NOTE)])
    codes = [each["code"] for each in json.loads(report.as_json())["findings"]]
    assert codes == ["buffering", "explorer", "timeout"]
    assert report.as_text().endswith("Found: 1 fault, 2 notes.")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://:secret@host:6379/0", "redis://***@host:6379/0"),
        ("redis://user:se/c@ret@host/0?password=secret", "redis://***@host/0"),
        ("sqlite:////var/events.db", "sqlite:////var/events.db"),
    ],
)
def test_no_secret_of_a_url_is_shown(url: str, shown: str) -> None:
    assert masked(url) == shown


def test_a_user_in_the_url_is_sent_and_not_shown() -> None:
    target = Target.of("https://me:my%20secret@[::1]:8443/api/?token=secret", {"X-A": "1"})
    assert target.shown == "https://[::1]:8443/api"
    assert target.headers == {"X-A": "1", "Authorization": "Basic bWU6bXkgc2VjcmV0"}
