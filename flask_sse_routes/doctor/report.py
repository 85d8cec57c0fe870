"""What the doctor says in the end: for people, and as JSON.

Floor 3.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass, field

import click

from .finding import FAULT, NOTE, SEVERITIES, WARNING, Finding

COLOURS = {FAULT: "red", WARNING: "yellow", NOTE: "cyan"}
WIDTH = 96


@dataclass(slots=True)
class Report:
    """Findings, what was looked at, and what could not be looked at, with the reason."""

    url: str | None = None
    findings: list[Finding] = field(default_factory=list)
    looked_at: list[str] = field(default_factory=list)
    not_looked_at: list[str] = field(default_factory=list)

    def add(self, findings: Iterable[Finding]) -> None:
        """Add findings; a code that was found already, from another side, is told once."""
        for finding in findings:
            if finding.code not in {each.code for each in self.findings} or self._is_new(finding):
                self.findings.append(finding)

    @property
    def status(self) -> int:
        """The exit status: 1 where there is a fault."""
        return int(any(finding.severity == FAULT for finding in self.findings))

    def as_json(self) -> str:
        """Return all of it as a JSON object."""
        rows = [{**each._asdict(), "why": each.why} for each in self._sorted()]
        document = {
            "url": self.url,
            "findings": rows,
            "looked_at": self.looked_at,
            "not_looked_at": self.not_looked_at,
        }
        return json.dumps(document, indent=2)

    def as_text(self) -> str:
        """Return it as text in colours, which click drops where nobody would see them."""
        parts = [_paragraphs(finding) for finding in self._sorted()]
        return "\n\n".join([*parts, "\n".join(self._summary())])

    def _is_new(self, finding: Finding) -> bool:
        """Tell whether a code may be there twice: it is about several drivers, say."""
        return finding.code == "blocking-driver"

    def _sorted(self) -> list[Finding]:
        return sorted(self.findings, key=lambda each: SEVERITIES.index(each.severity))

    def _summary(self) -> Iterable[str]:
        yield _wrapped("Looked at: ", ", ".join(self.looked_at) + ".")
        for each in self.not_looked_at:
            yield _wrapped("Not looked at: ", each)
        yield self._count()

    def _count(self) -> str:
        counts = [
            f"{number} {severity}{'s' if number > 1 else ''}"
            for severity in SEVERITIES
            if (number := sum(each.severity == severity for each in self.findings))
        ]
        if counts:
            return f"Found: {', '.join(counts)}."
        where = " in what was looked at" if self.not_looked_at else ""
        return click.style(f"Nothing was found{where}.", fg="green")


def _paragraphs(finding: Finding) -> str:
    head = click.style(
        f"{finding.severity} {finding.code}", fg=COLOURS[finding.severity], bold=True
    )
    rows = (("What  ", finding.what), ("Why   ", finding.why), ("Mend  ", finding.mend))
    return "\n".join([head, *(_wrapped(f"  {label}", text) for label, text in rows)])


def _wrapped(first: str, text: str) -> str:
    # A setting is copied from here: no line breaks within a word, nor at its hyphens.
    return textwrap.fill(
        text,
        WIDTH,
        initial_indent=first,
        subsequent_indent=" " * (len(first) if first.startswith(" ") else 2),
        break_long_words=False,
        break_on_hyphens=False,
    )
