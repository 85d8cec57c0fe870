"""The settings of the guide to metrics: they parse, and name metrics that there are."""

from __future__ import annotations

import re
from typing import Any

import yaml

from flask_sse_routes.metrics import Families

from .blocks import block, path_of

PAGE = "guides/metrics.md"
ENDS = r"(_bucket|_count|_sum)?$"


def known(name: str) -> bool:
    names = [metric.name for family in Families().all() for metric in family.describe()]
    kinds = {m.name: m.type for family in Families().all() for m in family.describe()}
    base = re.sub(ENDS, "", name)
    if kinds.get(base) == "histogram":
        return True
    return name in names if kinds.get(name) == "gauge" else name.removesuffix("_total") in names


def test_alerts() -> None:
    rules: Any = yaml.safe_load(block(PAGE, "alerts.yml"))
    (group,) = rules["groups"]
    assert len(group["rules"]) == 5
    for rule in group["rules"]:
        assert rule.keys() <= {"alert", "expr", "for"}
        named = re.findall(r"\bsse_\w+", rule["expr"])
        assert named
        assert [name for name in named if not known(name)] == []


def test_scraping() -> None:
    settings: Any = yaml.safe_load(block(PAGE, "prometheus.yml"))
    assert settings["rule_files"] == ["alerts.yml"]
    (job,) = settings["scrape_configs"]
    assert job["static_configs"][0]["targets"] == ["127.0.0.1:8000"]


def test_the_table_has_every_metric() -> None:
    table = set(re.findall(r"`(sse_\w+)`", path_of(PAGE).read_text()))
    for family in Families().all():
        for metric in family.describe():
            name = f"{metric.name}_total" if metric.type == "counter" else metric.name
            assert name in table
