"""The dashboard and the alert rules ask for series that the console exports: name, label and value."""

from __future__ import annotations

import json
import re
import time
from dataclasses import replace
from pathlib import Path

import pytest

from deid.errors import Reason
from node.destinations.echo import EchoResult
from node.destinations.echoes import LastEcho
from node.jobs import NodeReason, State, new_job_id
from node.ledger import open_ledger
from node.presence import RoleState
from node.web.console import open_console
from node.web.metrics import families
from node.web.processes import Usage
from node.web.standing import standing
from tests.web import settings_in

MONITORING = Path(__file__).parents[2] / "config" / "monitoring"
OF_PROMETHEUS = {"instance", "job"}
VALUES = {
    "state": {*(state.value for state in State), "waiting", "sending", "retrying"},
    "reason": {*map(str, Reason), *map(str, NodeReason)},
    "result": {"stored", "failed", "given-up"},
}
METRIC = re.compile(r"\b(deid_node_[a-z_]+)(?:\{([^}]*)\})?")
MATCHER = re.compile(r'([a-z_]+)(?:=~|!~|!=|=)"([^"]*)"')
GROUPED = re.compile(r"\bby \(([^)]*)\)")
SHOWN = re.compile(r"\{\{ ?(?:\$labels\.)?([a-z_]+) ?\}\}")


def in_dashboard() -> list[tuple[str, str]]:
    """Return the expressions of the panels, each with its legend."""
    panels = json.loads((MONITORING / "dashboard.json").read_text("utf-8"))["panels"]
    return [(each["expr"], each.get("legendFormat", "")) for panel in panels for each in panel.get("targets", ())]


def in_alerts() -> list[tuple[str, str]]:
    """Return the expressions of the rules, each with what the rule says."""
    rules = (MONITORING / "alerts.yml").read_text("utf-8").split("- alert: ")[1:]
    found = []
    for rule in rules:
        (expression,) = re.findall(r"^ +expr: (.+)$", rule, re.MULTILINE)
        found.append((expression, rule.partition("annotations:")[2]))
    return found


def wrong(expression: str, shown: str, exported: dict[str, set[str]]) -> list[str]:
    """Return what an expression and its texts ask for that is not exported."""
    found, labels = [], set(OF_PROMETHEUS)
    for metric, matchers in METRIC.findall(expression):
        if metric not in exported:
            found.append(metric)
            continue
        labels |= exported[metric]
        for label, value in MATCHER.findall(matchers):
            if label not in exported[metric] | OF_PROMETHEUS:
                found.append(f"{metric}: {label}")
            if label in VALUES and not set(value.split("|")) <= VALUES[label]:
                found.append(f"{metric}: {value}")
    named = [each.strip() for group in GROUPED.findall(expression) for each in group.split(",")]
    return found + [label for label in [*named, *SHOWN.findall(shown)] if label not in labels]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """Return the labels of each metric of a node that has delivered, refused, and is still to deliver."""
    settings = settings_in(tmp_path_factory.mktemp("monitored"))
    ledger = open_ledger(settings.spool.path)
    sent, refused, waiting = new_job_id(), new_job_id(), new_job_id()
    for job_id in (sent, refused, waiting):
        ledger.received(job_id, "default", 1000)
    ledger.cleaned(sent, ["archive"], "1.2", "1.2", 900)
    ledger.due("archive", 2e9, 1)
    ledger.delivered(sent, "archive", 0)
    ledger.quarantined(refused, "identifier-left")
    ledger.cleaned(waiting, ["archive"], "1.2", "1.2", 900)
    ledger.close()
    console = open_console(settings)
    try:
        now_s = time.time()
        found = replace(
            standing(console),
            roles=(RoleState("work", "ready", 1, 0, now_s),),
            usage={"work": Usage(1.0, 1)},
            quarantine={"identifier-left": 1},
            echoes={"archive": LastEcho("archive", now_s, EchoResult.ANSWERED, 0.1, "", now_s, now_s)},
        )
        labels: dict[str, set[str]] = {}
        for each in families(console, found):
            labels[each.name] = set()
            for suffix, names, _ in each.samples:
                labels.setdefault(each.name + suffix, set()).update(names)
        return labels
    finally:
        console.viewer.close()
        console.ledger.close()


@pytest.mark.parametrize(("expression", "shown"), [*in_dashboard(), *in_alerts()])
def test_what_is_asked_for_is_exported(expression: str, shown: str, exported: dict[str, set[str]]) -> None:
    assert METRIC.search(expression)
    assert wrong(expression, shown, exported) == []


@pytest.mark.parametrize(
    ("expression", "shown"),
    [
        ("sum(deid_node_jobz)", ""),
        ('deid_node_jobs{reason="held"}', ""),
        ('deid_node_jobs{state="hold"}', ""),
        ("sum by (project) (deid_node_jobs)", ""),
        ("deid_node_spool_free_bytes", "{{ $labels.destination }}"),
        ("rate(deid_node_jobs_bucket[5m])", ""),
    ],
)
def test_what_is_not_exported_is_found(expression: str, shown: str, exported: dict[str, set[str]]) -> None:
    assert wrong(expression, shown, exported)
