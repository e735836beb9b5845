"""`make corpus`: every readable file of ../shared/corpus, by storescu and by dcmsend, through a node to storescp.

Prints what came of each SOP Class and transfer syntax, why instances were quarantined, an independent look for leaks,
and what `dciodvfy` says of the output that it did not say of the source. Ends with one line of key=value; exits with 1
if a target is missed, with 0 and a word if the corpus or DCMTK is absent.
"""

from __future__ import annotations

import argparse
import re
import tempfile
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pydicom
from pydicom.uid import UID

from deid.elements.uids import map_uid
from deid.keys import Keys
from tests import leaks, sender, validity
from tests.network import HOST, KEY, ROOT, Node, Quarantined, dcmtk, missing, storescp

CORPUS = ROOT.parent / "shared" / "corpus"
_NOT_INSTANCES = {".md", ".csv", ".json", ".txt", ".npz", ".raw", ".gz"}
_MEDIA_DIRECTORY = "1.2.840.10008.1.3.10"

# storescu proposes one compressed transfer syntax at a time, and none of those which are not here.
_STORESCU_OPTION = {
    "1.2.840.10008.1.2": "-xi",
    "1.2.840.10008.1.2.1": "-xe",
    "1.2.840.10008.1.2.2": "-xb",
    "1.2.840.10008.1.2.1.99": "-xd",
    "1.2.840.10008.1.2.5": "-xr",
    "1.2.840.10008.1.2.4.50": "-xy",
    "1.2.840.10008.1.2.4.51": "-xx",
    "1.2.840.10008.1.2.4.70": "-xs",
    "1.2.840.10008.1.2.4.80": "-xt",
    "1.2.840.10008.1.2.4.81": "-xu",
    "1.2.840.10008.1.2.4.90": "-xv",
    "1.2.840.10008.1.2.4.91": "-xw",
    "1.2.840.10008.1.2.4.100": "-xm",
    "1.2.840.10008.1.2.4.102": "-xn",
}


@dataclass(frozen=True, slots=True, order=True)
class Source:
    """A file to be sent."""

    path: Path
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax: str

    @property
    def kind(self) -> tuple[str, str]:
        return UID(self.sop_class_uid).name, UID(self.transfer_syntax).name


@dataclass
class Outcome:
    """What became of the files that one sender sent."""

    sender: str
    statuses: dict[Path, str]
    forwarded: dict[Path, Source] = field(default_factory=dict)
    quarantined: dict[Path, Quarantined] = field(default_factory=dict)
    lost: list[Source] = field(default_factory=list)
    surplus: int = 0


def readable(folder: Path) -> list[Source]:
    """Return the instances below `folder`: files in Part 10 format which pydicom reads and which name class and UID."""
    found = []
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.suffix in _NOT_INSTANCES:
            continue
        try:
            ds = pydicom.dcmread(path)
            meta = ds.file_meta
            source = Source(path, str(ds.SOPClassUID), str(ds.SOPInstanceUID), str(meta.TransferSyntaxUID))
        except Exception:  # noqa: BLE001, S112 -- broken on purpose; no modality could send it
            continue
        if source.sop_instance_uid and meta.get("MediaStorageSOPClassUID") != _MEDIA_DIRECTORY:
            found.append(source)
    return found


def by_storescu(sources: Sequence[Source], node: Node) -> dict[Path, str]:
    """Send with storescu, one call for each transfer syntax; the answers by path."""
    answers: dict[Path, str] = {}
    for uid, option in _STORESCU_OPTION.items():
        files = [source.path for source in sources if source.transfer_syntax == uid]
        # SOP Classes that are not in its list are proposed with --required only; 64 files keep within 128 contexts.
        for start in range(0, len(files), 32):
            run = dcmtk("storescu", "-v", "-R", "-nh", option, "-aec", node.ae_title, HOST, str(node.port),
                        *files[start : start + 32])  # fmt: skip
            answers |= _storescu_answers(run.stdout + run.stderr)
    return answers


def _storescu_answers(log: str) -> dict[Path, str]:
    answers, current = {}, None
    for line in log.splitlines():
        if sending := re.match(r"I: Sending file: (.*)", line):
            current = Path(sending[1])
        elif current and (status := re.match(r"[IWE]: Received Store Response \((.*)\)", line)):
            answers[current] = status[1]
    return answers


def by_dcmsend(sources: Sequence[Source], node: Node) -> dict[Path, str]:
    """Send with dcmsend as the files are; the answers by path."""
    answers: dict[Path, str] = {}
    for batch in _without_twins(sources):
        report = node.folder / "dcmsend.txt"
        report.unlink(missing_ok=True)
        dcmtk("dcmsend", "-q", "-dn", "-nh", "-nuc", "+crf", report, "-aec", node.ae_title, HOST, str(node.port),
              *(source.path for source in batch))  # fmt: skip
        if report.exists():
            text = report.read_text(encoding="utf-8", errors="replace")
            for entry in text.split("\n\n"):
                name = re.search(r"^Filename      : (.*)$", entry, re.MULTILINE)
                status = re.search(r"^DIMSE Status  : 0x\w+ \((.*)\)", entry, re.MULTILINE)
                if name and status:
                    answers[Path(name[1])] = status[1]
    return answers


def _without_twins(sources: Sequence[Source]) -> Iterable[list[Source]]:
    """Yield batches in which no SOP Instance UID occurs twice: dcmsend sends only the first of those."""
    twins = defaultdict[str, list[Source]](list)
    for source in sources:
        twins[source.sop_instance_uid].append(source)
    for number in range(max(map(len, twins.values()), default=0)):
        yield [group[number] for group in twins.values() if len(group) > number]


def by_own_sender(sources: Sequence[Source], node: Node) -> dict[Path, str]:
    """Send with the node's own SCU, which proposes any transfer syntax."""
    answers = sender.send([source.path for source in sources], node.port, node.ae_title)
    words = {sender.SUCCESS: "Success", sender.NO_CONTEXT: "presentation context rejected"}
    return {
        answer.path: words.get(answer.status, f"{answer.status:#06x}")
        for answer in answers
        if answer.status != sender.NO_ANSWER
    }


def account(outcome: Outcome, sources: Sequence[Source], archive: Path, held: Sequence[Quarantined]) -> None:
    """Find for each acknowledged source its clean copy in `archive` or its place in quarantine."""
    uid_key = Keys.from_secret(KEY).uid
    copies = defaultdict[str, list[Path]](list)
    for path in sorted(archive.iterdir()):
        copies[str(pydicom.filereader.read_file_meta_info(path).MediaStorageSOPInstanceUID)].append(path)
    twins = defaultdict[str, list[Source]](list)
    for source in sources:
        if outcome.statuses.get(source.path) == "Success":
            twins[source.sop_instance_uid].append(source)
    places = defaultdict[str, list[Quarantined]](list)
    for item in held:
        places[item.sop_instance_uid].append(item)
    for uid, group in twins.items():
        pairs = _pairs(group, copies.pop(map_uid(uid_key, uid), []))
        outcome.forwarded |= pairs
        for source in group:
            if source not in pairs.values():
                if places[uid]:
                    outcome.quarantined[source.path] = places[uid].pop()
                else:
                    outcome.lost.append(source)
    outcome.surplus = sum(map(len, copies.values()))


def _pairs(sources: Sequence[Source], outputs: Sequence[Path]) -> dict[Path, Source]:
    """Pair outputs with the sources of the same SOP Instance UID that are most like them."""
    if len(sources) == len(outputs) == 1:
        return {outputs[0]: sources[0]}
    before = {source: _likeness(source.path) for source in sources}
    after = {output: _likeness(output) for output in outputs}
    ranked = sorted(
        (sum(a != b for a, b in zip(old, new, strict=True)), source.path, output, source)
        for source, old in before.items()
        for output, new in after.items()
    )
    pairs: dict[Path, Source] = {}
    for _, _, output, source in ranked:
        if output not in pairs and source not in pairs.values():
            pairs[output] = source
    return pairs


def _likeness(path: Path) -> tuple[object, ...]:
    """Return what the node does not change."""
    ds = pydicom.dcmread(path, force=True)
    keywords = ("Rows", "Columns", "NumberOfFrames", "BitsAllocated", "SamplesPerPixel", "BurnedInAnnotation")
    kept = [str(ds.get(keyword)) for keyword in (*keywords, "PhotometricInterpretation", "AccessionNumber")]
    pixels = ds.get("PixelData")
    return (*kept, str(ds.file_meta.TransferSyntaxUID), hash(bytes(pixels) if pixels else None), len(ds))


def run(name: str, sources: Sequence[Source], folder: Path, profile: str) -> Outcome:
    """Send `sources` through a fresh node with one of the senders."""
    senders = {"storescu": by_storescu, "dcmsend": by_dcmsend, "own": by_own_sender}
    with storescp(folder / "archive") as (port, _), Node(folder / "node", port, profile=profile) as node:
        outcome = Outcome(name, senders[name](sources, node))
        node.wait_idle(600)
        held = node.quarantined()
    account(outcome, sources, folder / "archive", held)
    return outcome


def report(outcome: Outcome, sources: Sequence[Source]) -> None:
    """Print what became of each SOP Class and transfer syntax, and the reasons of the quarantine."""
    counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for source in sources:
        counts[source.kind]["sent"] += 1
        counts[source.kind]["answered"] += source.path in outcome.statuses
        counts[source.kind]["quarantined"] += source.path in outcome.quarantined
    for source in outcome.forwarded.values():
        counts[source.kind]["forwarded"] += 1
    print(f"\n{outcome.sender}\n{'sent':>5} {'answ.':>5} {'forw.':>5} {'quar.':>5}  SOP Class, transfer syntax")
    for kind, count in sorted(counts.items()):
        print(
            *(f"{count[column]:5d}" for column in ("sent", "answered", "forwarded", "quarantined")), "", ", ".join(kind)
        )
    for path, status in outcome.statuses.items():
        if status != "Success":
            print(f"answered {status}: {path.relative_to(CORPUS)}")
    reasons = defaultdict[str, list[Path]](list)
    for path, item in outcome.quarantined.items():
        reasons[f"{item.reason}: {item.detail}"].append(path)
    for reason, paths in sorted(reasons.items(), key=lambda entry: -len(entry[1])):
        print(f"quarantined {len(paths):4d}  {reason}  (e.g. {paths[0].relative_to(CORPUS)})")
    for source in sources:
        if source.path not in outcome.statuses:
            print(f"NOT ANSWERED {source.path.relative_to(CORPUS)}")
    for source in outcome.lost:
        print(f"LOST {source.path.relative_to(CORPUS)}")


def look_for_leaks(outcome: Outcome, folder: Path) -> int:
    """Print and count the identifiers of sources that are in their outputs."""
    found = Counter[tuple[str, str]]()
    for output, source in outcome.forwarded.items():
        for leak in leaks.leaks(leaks.needles(source.path), output):
            found[leak.source_keyword, leak.found_in] += 1
            if found[leak.source_keyword, leak.found_in] <= 2:
                print(
                    f"LEAK {leak.source_keyword} in {leak.found_in}: {source.path.relative_to(CORPUS)} → {output.name}"
                )
    return sum(found.values())


def compare_validity(outcome: Outcome) -> int:
    """Print and count the errors that `dciodvfy` finds in outputs and not in their sources."""
    found = Counter[str]()
    example: dict[str, Path] = {}
    for output, source in outcome.forwarded.items():
        for error in validity.gained(validity.errors(source.path), validity.errors(output)):
            found[error] += 1
            example.setdefault(error, source.path)
    for error, number in found.most_common():
        print(f"NEW ERROR {number:4d}  {error}  (e.g. {example[error].relative_to(CORPUS)})")
    return found.total()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.corpus", description=__doc__.splitlines()[0])
    parser.add_argument("--profile", default="longitudinal")
    parser.add_argument("--folder", type=Path, help="keep everything there")
    arguments = parser.parse_args()
    if not CORPUS.is_dir() or missing("storescu", "dcmsend", "storescp", "dciodvfy"):
        print("skipped: needs ../shared/corpus, DCMTK and dicom3tools")
        return 0
    folder = arguments.folder or Path(tempfile.mkdtemp(prefix="deid-node-corpus-"))
    warnings.simplefilter("ignore")  # pydicom's, about files that are odd on purpose
    sources = readable(CORPUS)
    totals = Counter[str]()
    unsent = sources
    for name in ("storescu", "dcmsend", "own"):
        # The node's own sender gets what DCMTK's could not send at all.
        wanted = {"dcmsend": sources, "own": unsent}.get(name) or [
            source for source in sources if source.transfer_syntax in _STORESCU_OPTION
        ]
        if not unsent and name == "own":
            continue
        outcome = run(name, wanted, folder / name, arguments.profile)
        unsent = [source for source in unsent if source.path not in outcome.statuses]
        report(outcome, wanted)
        totals["sent"] += len(wanted)
        totals["answered"] += len(outcome.statuses)
        totals["forwarded"] += len(outcome.forwarded)
        totals["quarantined"] += len(outcome.quarantined)
        totals["lost"] += len(outcome.lost)
        totals["surplus"] += outcome.surplus
        totals["unexplained"] += sum(item.reason == "internal-error" for item in outcome.quarantined.values())
        totals["leaks"] += look_for_leaks(outcome, folder)
        totals["new_errors"] += compare_validity(outcome)
    keys = ("sent", "answered", "forwarded", "quarantined", "lost", "surplus", "unexplained", "leaks", "new_errors")
    print(f"\neverything lies in {folder}")
    print(f"corpus files={len(sources)} never_answered={len(unsent)}", *(f"{key}={totals[key]}" for key in keys))
    bad = len(unsent) + sum(totals[key] for key in ("lost", "surplus", "unexplained", "leaks", "new_errors"))
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
