"""One exam: patients, their studies, and the question that belongs to each instance."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from pydicom.dataset import Dataset, FileDataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from tests.benchmarks.header_exam.ask import Asker
from tests.benchmarks.header_exam.invent import Invention
from tests.benchmarks.header_exam.key import Question
from tests.benchmarks.header_exam.makers import NEEDS_CT, PARTS, Part, bare
from tests.benchmarks.header_exam.plant import Planter
from tests.benchmarks.header_exam.sheet import Sheet
from tests.benchmarks.header_exam.vendors import Blocks
from tests.factories import Study

_FACTORY_ROOT = "1.2.826.0.1.3680043.8.498."
_MOST_BLOCKS = 6


@dataclass(frozen=True, slots=True)
class Sitting:
    """One instance: the file as a device would send it, and what is asked of it."""

    file: bytes
    question: Question


@dataclass(frozen=True, slots=True)
class _Order:
    """What the instances of a study have in common."""

    study: Study
    accession: str
    issuer: str


@dataclass(frozen=True, slots=True)
class _Drafted:
    data_set: FileDataset
    sheet: Sheet


def sit(seed: int, patients: int) -> list[Sitting]:
    """Make an exam; every kind of instance is in it at least once from two patients on."""
    make = Invention(seed)
    drafts = list(_drafts(make, patients))
    own_uids = frozenset(
        str(draft.data_set[keyword].value)
        for draft in drafts
        for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
    )
    sittings = []
    for draft in drafts:
        Asker(draft.sheet, own_uids).ask(draft.data_set)
        sittings.append(Sitting(*draft.sheet.question(draft.data_set)))
    return sittings


def _drafts(make: Invention, patients: int) -> Iterator[_Drafted]:
    renamed: dict[str, str] = {}

    # A source of its own, since a series' header is drawn again for each of its instances
    names = Invention(make.rng.randrange(2**32))

    def new_uid(old: str) -> str:
        if old not in renamed:
            renamed[old] = names.uid()
        return renamed[old]

    for number in range(patients):
        patient = make.patient(oldest=number == 0)
        study, issuer = Study(patient, make.rng.randrange(1, 20)), make.institution()
        for _ in range(make.rng.randrange(1, 3)):
            kinds = _kinds(make, number)
            accession = make.shaped(make.rng.choice(("#######", "ACC-######", "?######", "20######-##")))
            yield from _study(make, _Order(study, accession, issuer), kinds, new_uid)
            study = replace(study, number=study.number + make.rng.randrange(1, 5))


def _kinds(make: Invention, number: int) -> list[str]:
    """Draw what a study has of: the halves of all kinds to even and odd patients, and a few more."""
    rest = [kind for kind in PARTS if kind not in NEEDS_CT and kind != "CT"]
    kinds = ["CT", *sorted(NEEDS_CT)] if number % 2 == 0 else rest
    return kinds + make.rng.sample([kind for kind in rest if kind not in kinds], 1 if number % 2 == 0 else 0)


def _study(make: Invention, order: _Order, kinds: Sequence[str], new_uid: Callable[[str], str]) -> Iterator[_Drafted]:
    for kind in kinds:
        part = PARTS[kind]
        state = make.rng.getstate()
        for number in range(part.instances):
            make.rng.setstate(state)  # the instances of a series have one header
            yield _instance(make, order, part, number, new_uid)


def _instance(make: Invention, order: _Order, part: Part, number: int, new_uid: Callable[[str], str]) -> _Drafted:
    data_set, sheet = part.maker(order.study, number), Sheet()
    bare(data_set)
    implicit = data_set.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian and make.chance(0.25)
    if implicit:
        data_set.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    planter = Planter(make, sheet, order.study, order.accession, order.issuer)
    planter.plant(data_set)
    blocks = Blocks(make, sheet)
    blocks.of_vendors(data_set, part.vendors, make.rng.randrange(_MOST_BLOCKS + 1))
    for _ in range(make.rng.randrange(3)):
        # Implicit VR says of no unknown private Sequence that it is one
        blocks.of_nobody(data_set, planter.known(), 0 if implicit else make.rng.randrange(5))
    if make.chance(0.3):
        blocks.without_creator(data_set)
    _rename(data_set, new_uid)
    if make.chance(0.4):
        _leave_lengths_open(data_set)
    data_set.file_meta.MediaStorageSOPInstanceUID = data_set.SOPInstanceUID
    return _Drafted(data_set, sheet)


def _rename(data_set: Dataset, new_uid: Callable[[str], str]) -> None:
    """Give the factories' UIDs the roots of real vendors."""
    for element in data_set:
        if element.VR == "SQ":
            for item in element.value:
                _rename(item, new_uid)
        elif element.VR == "UI" and str(element.value).startswith(_FACTORY_ROOT):
            element.value = new_uid(str(element.value))


def _leave_lengths_open(data_set: Dataset) -> None:
    """Have public Sequences written with undefined length, as half of all devices do.

    Not the private ones: pydicom, and with it the validator, doesn't know their creator then.
    """
    for element in data_set:
        if element.VR == "SQ" and not element.tag.is_private:
            element.is_undefined_length = True
            for item in element.value:
                _leave_lengths_open(item)
