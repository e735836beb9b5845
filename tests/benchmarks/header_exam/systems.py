"""Who sits the exam: the project's engine, and peers from PyPI in a throw-away environment of their own."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from deid.context import Context
from deid.engine import deidentify
from deid.errors import Refused
from deid.instance import Instance
from deid.keys import Keys
from deid.profile import load_profile
from tests.benchmarks.header_exam.exam import Sitting
from tests.benchmarks.header_exam.index import Indexed, index
from tests.benchmarks.header_exam.key import Identities, Question

PROFILES = Path(__file__).parents[3] / "config" / "profiles"
PEERS = ("dicognito", "dicom-anonymizer")
_RUNNER = Path(__file__).with_name("peer_runner.py")
_PEER_TIMEOUT_S = 600


@dataclass(frozen=True, slots=True)
class Handed:
    """What a system handed in.

    Attributes
    ----------
    files
        the clean instance for each question, None where there is none
    refusals
        why, counted
    """

    name: str
    files: list[bytes | None]
    refusals: Counter[str] = field(default_factory=Counter)


def profile_file(name: str) -> Path:
    """Return the file of a shipped profile, or the file that `name` is the path of."""
    return Path(name) if name.endswith(".toml") else PROFILES / f"{name}.toml"


def ours(sittings: Sequence[Sitting], profile: str, seed: int, *, reads: bool = False) -> Handed:
    """Run the project's engine; `reads`: with the network for free text, whatever the profile says of texts."""
    loaded = load_profile(profile_file(profile))
    if reads:
        name, policy = f"{loaded.name}, text = ner", replace(loaded.policy, text="ner")
        loaded = replace(loaded, name=name, policy=policy)
    context = Context(loaded, Keys.from_secret(hashlib.sha256(f"exam {seed}".encode()).digest()))
    files: list[bytes | None] = []
    refusals: Counter[str] = Counter()
    for sitting in sittings:
        try:
            clean = deidentify(Instance.from_part10(sitting.file), context).clean
        except Refused as refused:
            refusals[f"{refused.reason} {refused.detail}".strip()] += 1
            files.append(None)
        else:
            files.append(b"".join(clean.part10()))
    return Handed(f"deid-node ({loaded.name})", files, refusals)


def peers(sittings: Sequence[Sitting]) -> Iterator[Handed]:
    """Install the peers and run each over the same files, with what they do by default.

    Raises
    ------
    subprocess.SubprocessError
        They can't be installed, or don't end.
    """
    with tempfile.TemporaryDirectory(prefix="header-exam-") as folder:
        root = Path(folder)
        python = _environment(root / "venv")
        source = root / "in"
        source.mkdir()
        for number, sitting in enumerate(sittings):
            (source / f"{number:05d}.dcm").write_bytes(sitting.file)
        for peer in PEERS:
            target = root / peer
            target.mkdir()
            command = [str(python), str(_RUNNER), peer, str(source), str(target)]
            ran = subprocess.run(command, check=True, timeout=_PEER_TIMEOUT_S, capture_output=True, text=True)
            version, *failed = ran.stdout.split("\n")
            files = [_read(target / f"{number:05d}.dcm") for number in range(len(sittings))]
            yield Handed(f"{peer} {version}", files, Counter(line for line in failed if line))


def _environment(folder: Path) -> Path:
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, timeout=_PEER_TIMEOUT_S)
    python = folder / "bin" / "python"
    install = [str(python), "-m", "pip", "install", "--quiet", *PEERS]
    subprocess.run(install, check=True, timeout=_PEER_TIMEOUT_S, capture_output=True)
    return python


def _read(file: Path) -> bytes | None:
    return file.read_bytes() if file.exists() else None


def identities(handed: Handed, questions: Sequence[Question]) -> tuple[Identities, list[Indexed]]:
    """Read what was handed in, and make the mapping of identifiers that a participant would hand in with it.

    The first new identifier stands for the old one: if another comes later, that is an inconsistency.
    """
    uids: dict[str, str] = {}
    patient_ids: dict[str, str] = {}
    answers = []
    for file, question in zip(handed.files, questions, strict=True):
        if file is None:
            continue
        answer = index(file)
        answers.append(answer)
        uids.setdefault(question.study_uid, answer.study_uid)
        uids.setdefault(question.series_uid, answer.series_uid)
        uids.setdefault(question.instance_uid, answer.instance_uid)
        patient_ids.setdefault(question.patient_id, answer.patient_id)
    return Identities(uids, patient_ids), answers
