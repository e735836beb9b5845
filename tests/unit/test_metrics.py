"""Metrics: named as Prometheus asks, of what happened, and never with a value of a patient."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from node.counters import BUCKETS_S
from node.jobs import new_job_id
from node.ledger import Ledger, open_ledger
from node.settings import Settings
from node.spool import Spool
from node.web.console import Console, open_console
from node.web.exposition import MEDIA_TYPE, exposition, family, histogram
from node.web.metrics import families
from node.web.standing import standing
from tests.web import Visitor, serving, settings_in

MONITORING = Path(__file__).parents[2] / "config" / "monitoring"
LINE = re.compile(r'([a-z_:][a-z0-9_:]*)(?:\{((?:[a-z_]+="(?:[^"\\]|\\.)*",?)+)\})? (\S+)')
UNITS = ("seconds", "bytes")
SENTINEL = "SENTINEL^PATIENT"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_in(tmp_path)


@pytest.fixture
def console(settings: Settings) -> Iterator[Console]:
    ledger = open_ledger(settings.spool.path)
    worked(ledger, Spool(settings.spool.path, 0))
    ledger.close()
    console = open_console(settings)
    yield console
    console.viewer.close()
    console.ledger.close()


def worked(ledger: Ledger, spool: Spool) -> None:
    """Let one instance be delivered after a failure, one be refused, one be given up, one wait."""
    sent, refused, given_up, waiting = (new_job_id() for _ in range(4))
    for job_id in (sent, refused, given_up, waiting):
        ledger.received(job_id, "default", 1000)
    for job_id in (sent, given_up):
        ledger.cleaned(job_id, ["archive"], "1.2", "1.2", 900)
    ledger.due("archive", 2e9, 1)
    ledger.retry(sent, "archive", 0.0, 0xA700)
    ledger.due("archive", 2e9, 2)
    ledger.delivered(sent, "archive", 0)
    ledger.gave_up(given_up, "archive", 0xA900, "refused-by-destination")
    ledger.quarantined(refused, "identifier-left")


def text_of(console: Console) -> str:
    return exposition(families(console, standing(console)))


def samples(text: str) -> dict[str, float]:
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in text.splitlines() if line[0] != "#"}


def test_what_happened_is_counted_once(console: Console) -> None:
    found = samples(text_of(console))
    expected = {
        'instances_received_total{project="default"}': 4,
        'received_bytes_total{project="default"}': 4000,
        'instances_cleaned_total{project="default"}': 2,
        'cleaned_bytes_total{project="default"}': 1800,
        'instances_quarantined_total{reason="identifier-left"}': 1,
        'instances_quarantined_total{reason="refused-by-destination"}': 1,
        'quarantine_instances{reason="identifier-left"}': 1,
        'deliveries_total{destination="archive",result="stored"}': 1,
        'deliveries_total{destination="archive",result="given-up"}': 1,
        'delivered_bytes_total{destination="archive"}': 900,
        'jobs{state="received"}': 1,
        'latency_seconds_count{step="delivered"}': 1,
        'latency_seconds_count{step="cleaned"}': 2,
        'latency_seconds_bucket{step="cleaned",le="+Inf"}': 2,
    }
    assert {key: found.get(f"deid_node_{key}") for key in expected} == expected
    assert found['deid_node_deliveries_total{destination="archive",result="failed"}'] >= 1


def test_sums_outlive_the_jobs(console: Console) -> None:
    ledger = console.ledger
    ledger.forget_files(ledger.sent())
    assert ledger.prune(2e9) == 1
    console.remembered.forget("standing")
    assert samples(text_of(console))['deid_node_instances_received_total{project="default"}'] == 4


def lint(text: str) -> Iterator[str]:
    """Say what promtool would: names, units, kinds, help."""
    kinds: dict[str, str] = {}
    helped: set[str] = set()
    for line in text.splitlines():
        if line.startswith("# HELP "):
            name, _, words = line.removeprefix("# HELP ").partition(" ")
            helped.add(name)
            if not words.endswith(".") or name in kinds:
                yield f"{name}: help is no sentence, or comes late"
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            if name in kinds or name not in helped:
                yield f"{name}: twice, or without help"
            kinds[name] = kind
            if (kind == "counter") != name.endswith("_total"):
                yield f"{name}: counters, and they alone, end with _total"
            if re.search(r"_(milli|micro|minutes|hours|days|kb|mb|ms|counter|gauge|histogram)(_|$)", name):
                yield f"{name}: not a base unit, or its kind"
            if ("second" in name or "byte" in name) and not any(f"_{unit}" in name for unit in UNITS):
                yield f"{name}: units are in the plural"
        else:
            match = LINE.fullmatch(line)
            if match is None or not {match[1], re.sub(r"_(bucket|sum|count)$", "", match[1])} & kinds.keys():
                yield f"{line}: no sample"
            elif "le=" in (match[2] or "") and kinds.get(match[1].removesuffix("_bucket")) != "histogram":
                yield f"{line}: le is for histograms"


def test_names_units_and_help_are_as_prometheus_asks(console: Console) -> None:
    assert list(lint(text_of(console))) == []


def test_the_lint_finds_what_is_wrong() -> None:
    assert list(lint("# HELP x_ms Time.\n# TYPE x_ms counter\nx_ms 1\n"))
    assert list(lint("# TYPE x gauge\nx 1\n"))


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed (Debian: prometheus)")
def test_promtool_finds_nothing_wrong_with_the_metrics(console: Console) -> None:
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=text_of(console), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed (Debian: prometheus)")
def test_promtool_finds_nothing_wrong_with_the_alerts() -> None:
    rules = MONITORING / "alerts.yml"
    done = subprocess.run(["promtool", "check", "rules", str(rules)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("file", ["alerts.yml", "dashboard.json"])
def test_alerts_and_dashboard_ask_for_metrics_that_there_are(console: Console, file: str) -> None:
    text = text_of(console)
    used = set(re.findall(r"\bdeid_node_[a-z_]+", (MONITORING / file).read_text("utf-8")))
    assert used
    declared = set(re.findall(r"# TYPE (\S+)", text)) | {"deid_node_role_up", "deid_node_destination_up"}
    always = declared | {name.name for name in families(console, standing(console))}
    assert {re.sub(r"_(bucket|sum|count)$", "", name) for name in used} <= always


def test_no_label_can_carry_what_an_instance_holds(settings: Settings, console: Console) -> None:
    names = {*settings.destinations, *(project.name for project in settings.projects)}
    for each in families(console, standing(console)):
        for _, labels, _ in each.samples:
            for key, value in labels.items():
                assert key in {"project", "destination", "reason", "state", "step", "le", "result", "role", "version"}
                assert SENTINEL not in value
                assert key not in {"project", "destination"} or value in names


def test_labels_are_escaped_and_histograms_summed_up() -> None:
    text = exposition(
        [
            family("x", "gauge", "X.", [({"a": 'b"c\\d\ne'}, 1.5)]),
            histogram("y_seconds", "Y.", [({"s": "t"}, {0.1: 2, 1.0: 1}, 0.7)], (0.1, 1.0, float("inf"))),
        ]
    )
    assert 'deid_node_x{a="b\\"c\\\\d\\ne"} 1.5' in text
    assert [line.rpartition(" ")[2] for line in text.splitlines() if "_bucket" in line] == ["2", "3", "3"]
    assert 'deid_node_y_seconds_count{s="t"} 3' in text
    assert BUCKETS_S[-1] == float("inf")


def test_health_and_metrics_need_no_login_and_tell_the_truth(settings: Settings) -> None:
    with serving(settings) as host:
        visitor = Visitor(host)
        assert visitor.get("/healthz").text == "ok\n"
        ready = visitor.get("/readyz")
        assert (ready.status, ready.text) == (503, "no role runs\n")
        answer = visitor.get("/metrics")
        assert (answer.status, answer.headers["Content-Type"]) == (200, MEDIA_TYPE)
        assert "deid_node_info" in answer.text
