"""The log says what the node knows, and no value of an instance gets in."""

from __future__ import annotations

import json
import subprocess
import sys
from ipaddress import ip_address
from pathlib import Path

import pytest

from node.jobs import new_job_id
from node.log import Event, Name, emit

ROOT = Path(__file__).parents[2]
VALUE = "SENTINEL^JANE"


def _said(code: str, level: str = "debug") -> list[dict[str, object]]:
    """Run `code` in a process of its own, whose log is configured; return the lines it logged."""
    program = (
        "import sys, threading, warnings, logging\n"
        "from node.log import *\nfrom node.settings import LogSettings\n"
        f"VALUE = {VALUE!r}\nconfigure(LogSettings({level!r}), Name('work'))\n{code}"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert VALUE not in done.stderr
    assert VALUE not in done.stdout
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_a_line_says_event_level_role_time_and_facts() -> None:
    job_id = new_job_id()
    code = (
        "from node.jobs import JobId, State; from ipaddress import ip_address\n"
        f"emit(Event.INSTANCE_CLEANED, job=JobId({str(job_id)!r}), state=State.SENT, n=3, s=1.5, b=True, none=None,"
        " peer=ip_address('::1'), project=Name('p'))"
    )
    (line,) = _said(code)
    assert {"event": "instance-cleaned", "level": "debug", "role": "work", "job": job_id}.items() <= line.items()
    facts = {"state": "sent", "n": 3, "s": 1.5, "b": True, "none": None, "peer": "::1", "project": "p"}
    assert facts.items() <= line.items()
    assert str(line["timestamp"]).endswith("Z")


@pytest.mark.parametrize("fact", [VALUE, VALUE.encode(), [1], {"a": 1}, ValueError(VALUE), object()])
def test_a_fact_that_could_carry_a_value_is_refused_without_showing_it(fact: object) -> None:
    with pytest.raises(TypeError) as caught:
        emit(Event.READY, fact=fact)  # type: ignore[arg-type]
    assert VALUE not in str(caught.value)


def test_names_jobs_and_addresses_are_facts_even_before_the_log_is_configured() -> None:
    emit(Event.READY, a=Name("a"), b=new_job_id(), c=ip_address("10.0.0.1"))


def test_what_is_below_the_level_is_not_said() -> None:
    code = "emit(Event.INSTANCE_CLEANED); emit(Event.READY); emit(Event.NO_ROOM); emit(Event.CRASHED)"
    assert [line["event"] for line in _said(code, "debug")] == ["instance-cleaned", "ready", "no-room", "crashed"]
    assert [line["event"] for line in _said(code, "info")] == ["ready", "no-room", "crashed"]
    assert [line["event"] for line in _said(code, "warning")] == ["no-room", "crashed"]
    assert [line["event"] for line in _said(code, "error")] == ["crashed"]


@pytest.mark.parametrize("name", ["pydicom", "pydicom.filereader", "pynetdicom", "pynetdicom.acse", "py.warnings", "x"])
def test_no_library_can_log(name: str) -> None:
    assert _said(f"logging.getLogger({name!r}).critical(VALUE); logging.getLogger().error(VALUE)") == []


def test_a_library_that_was_imported_and_configured_before_cannot_log_either() -> None:
    code = (
        "import pydicom, pynetdicom\npydicom.config.debug(True)\nlogging.basicConfig(level=1)\n"
        "configure(LogSettings('debug'), Name('work'))\n"
        "logging.getLogger('pydicom').error(VALUE); logging.getLogger('pynetdicom.events').error(VALUE)"
    )
    assert _said(code) == []


def test_a_real_value_that_pydicom_warns_of_is_counted_and_not_shown() -> None:
    code = (
        "import pydicom\nfrom pydicom.dataset import Dataset\nwarnings.simplefilter('always')\n"
        "ds = Dataset(); ds.PatientAge = VALUE"
    )
    (line,) = _said(code)
    assert (line["event"], line["category"], line["count"]) == ("library-warning", "UserWarning", 1)


def test_many_warnings_are_few_lines() -> None:
    lines = _said("warnings.simplefilter('always')\nfor i in range(1000): warnings.warn(VALUE)")
    assert [line["count"] for line in lines] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]


def test_an_uncaught_error_is_said_by_type_and_place() -> None:
    (line,) = _said("from node.jobs import JobId\nJobId(VALUE)")
    assert (line["event"], line["error"]) == ("crashed", "ValueError")
    assert str(line["where"]).startswith("node/jobs.py:")


def test_an_uncaught_error_in_a_thread_is_said_by_type_and_place() -> None:
    (line,) = _said("t = threading.Thread(target=int, args=(VALUE,)); t.start(); t.join()")
    assert (line["event"], line["error"]) == ("crashed", "ValueError")


def test_an_error_in_a_finalizer_is_said_by_type_and_place() -> None:
    (line,) = _said("class A:\n    def __del__(self): raise KeyError(VALUE)\nA()")
    assert (line["event"], line["error"]) == ("crashed", "KeyError")


def test_an_error_is_said_without_its_message() -> None:
    code = "try:\n    raise KeyError(VALUE)\nexcept KeyError as error:\n    emit_error(Event.FAILED, error, n=1)"
    (line,) = _said(code)
    assert (line["event"], line["error"], line["n"]) == ("failed", "KeyError", 1)
