"""Failures inside the steps of cleaning and sending: does anything raw or half done leave the node?"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pydicom

from deid.context import Context
from deid.elements.uids import map_uid
from deid.engine import deidentify
from deid.instance import Instance
from deid.keys import Keys
from deid.profile import load_profile
from node.jobs import NodeReason
from tests import factories
from tests.factories import Study
from tests.faults.sink import Sink
from tests.network import KEY, Node
from tests.people import PATIENTS
from tests.sender import send

INSIDE = Path(__file__).with_name("inside")
HEADER = 'text = "rules"\noptions = ["clean_descriptors", "retain_long_modified_dates"]\n'
PIXELS = 'text = "rules"\noptions = ["clean_descriptors", "retain_long_modified_dates", "clean_pixel_data"]\n'

FACES = 'text = "rules"\noptions = ["clean_recognizable_visual_features", "retain_long_modified_dates"]\n'

STEPS = ("read", "decode", "harvest", "text", "clean", "rebuild", "encode", "verify", "write", "written")
REASONS = {
    "raise": NodeReason.INTERNAL_ERROR,
    "hang": NodeReason.WORKER_TIMED_OUT,
    "kill": NodeReason.WORKER_DIED,
    "oom": NodeReason.OUT_OF_MEMORY,
}
_SETTLE_S = 600
SENDING = {"raise": NodeReason.UNDELIVERABLE, "kill": NodeReason.FORWARDER_DIED}
"""A send that hangs is the archive's doing: `tests.faults.table`."""


@dataclass(frozen=True, slots=True)
class Case:
    """One failure: what fails how, and why the instance has to lie in quarantine then."""

    step: str
    how: str
    reason: NodeReason

    @property
    def marker(self) -> str:
        return f"FP-{self.step}-{self.how}"


def cases() -> list[Case]:
    found = [Case(step, how, reason) for step in STEPS for how, reason in REASONS.items()]
    return [*found, *(Case("send", how, reason) for how, reason in SENDING.items())]


def pixel_cases() -> list[Case]:
    """Give those that need a profile with pixels; networks take their time to load."""
    return [Case("pixels", how, reason) for how, reason in REASONS.items()]


def plan_cases() -> list[Case]:
    """Give those that fail while a series is looked at as a whole; each is a series of its own."""
    return [Case("plan", how, reason) for how, reason in REASONS.items()]


def face_cases() -> list[Case]:
    """Give those that fail while a slice of a head is defaced by the plan of its series."""
    return [Case("face", how, reason) for how, reason in REASONS.items()]


@dataclass
class Outcome:
    """What a run came to.

    Attributes
    ----------
    reasons
        of the quarantine by marker
    arrived
        UIDs of instances that were to fail, yet came to the archive
    strange
        UIDs of what came to the archive and is not what was to be sent
    missing
        how many of the others have not come
    leftovers
        files in the spool that were never completed
    """

    reasons: dict[str, str] = field(default_factory=dict)
    details: dict[str, str] = field(default_factory=dict)
    arrived: set[str] = field(default_factory=set)
    strange: set[str] = field(default_factory=set)
    missing: int = 0
    leftovers: list[Path] = field(default_factory=list)
    log: str = ""


def instances(folder: Path, markers: Sequence[str], *, others: bool = True) -> dict[str, Path]:
    """Write an instance for each marker, and after every other one another that nothing happens to."""
    folder.mkdir(parents=True)
    made = {}
    both = [name for at, marker in enumerate(markers) for name in (marker, "")[: 1 + (others and at % 2)]]
    for number, marker in enumerate(both):
        ds = factories.ct(Study(PATIENTS[0], number=number // 20 + 1), number, series=number + 2, size=32)
        ds.StationName = marker or "FINE"
        path = folder / f"{number:03d}.dcm"
        path.write_bytes(factories.to_bytes(ds))
        made[marker or f"fine {number}"] = path
    return made


@contextlib.contextmanager
def failing() -> Iterator[None]:
    """Let the processes that are started meanwhile fail as their instances say."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(INSIDE), before]))
    try:
        yield
    finally:
        del os.environ["PYTHONPATH"]
        if before is not None:
            os.environ["PYTHONPATH"] = before


def run(folder: Path, paths: dict[str, Path], profile_text: str, time_limit_s: float, attempts: int = 2) -> Outcome:
    """Send all of them to a node whose processes fail as they say, and look what is where at the end.

    Raises
    ------
    TimeoutError
        if some are neither delivered nor in quarantine after ten minutes
    """
    node_folder = folder / "node"
    node_folder.mkdir(parents=True)
    profile = node_folder / "own.toml"
    profile.write_text(profile_text)
    sections: dict[str, dict[str, object]] = {
        "work": {"processes": 3, "attempts": attempts, "time_limit_s": time_limit_s},
        "forward": {"first_retry_s": 0.2, "max_retry_s": 0.5, "give_up_days": 30 / 86_400},
        "log": {"level": "debug"},
        "faces": {"quiet_s": 1.0},
    }
    archive, outcome = Sink(), Outcome()
    with archive.listening() as port, failing():
        with Node(node_folder, port, profile="./own.toml", sections=sections) as node:
            unsent = list(paths.values())
            while unsent:
                unsent = [answer.path for answer in send(unsent, node.port) if not answer.is_acknowledged]
            node.wait_idle(_SETTLE_S)
            for each in node.quarantined():
                marker = str(pydicom.dcmread(each.path, stop_before_pixels=True).StationName)
                outcome.reasons[marker], outcome.details[marker] = each.reason, each.detail
            outcome.leftovers = node.leftovers()
        outcome.log = node.log.read_text("utf-8")
    _compare(outcome, paths, profile, archive)
    return outcome


def _compare(outcome: Outcome, paths: dict[str, Path], profile: Path, archive: Sink) -> None:
    """Compare what came to the archive with what the healthy instances come to."""
    keys = Keys.from_secret(KEY)
    context = Context(load_profile(profile), keys)
    expected = {}
    for marker, path in paths.items():
        instance = Instance.from_part10(path.read_bytes())
        uid = map_uid(keys.uid, str(pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID))
        if marker.startswith("FP-"):
            outcome.arrived |= {uid} & archive.digests.keys()
        else:
            expected[uid] = hashlib.sha256(b"".join(deidentify(instance, context).clean.chunks)).digest()
    outcome.strange = {uid for uid, digest in archive.digests.items() if expected.get(uid) != digest}
    outcome.strange |= archive.conflicts
    outcome.missing = len(expected.keys() - archive.digests.keys())
