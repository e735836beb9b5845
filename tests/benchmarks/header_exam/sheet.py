"""What is asked about an instance while it is being made, and the questions that come of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from pydicom.dataset import Dataset

from tests.benchmarks.header_exam.index import Indexed, Position, index
from tests.benchmarks.header_exam.key import Action, Check, Kind, Question
from tests.factories import to_bytes


@dataclass(frozen=True, slots=True)
class _Asked:
    data_set: Dataset
    tag: int
    action: Action
    text: str | None
    kind: Kind


@dataclass(slots=True)
class Sheet:
    """All that is asked of one instance."""

    asked: list[_Asked] = field(default_factory=list)
    answered_by_hand: set[tuple[int, int]] = field(default_factory=set)

    def ask(
        self,
        data_set: Dataset,
        tag: int,
        action: Action,
        text: str | None = None,
        kind: Kind = Kind.STRUCTURED,
    ) -> None:
        """Ask `action` of an element that stands in `data_set`.

        Parameters
        ----------
        text
            what must stay or go, the whole value if None
        """
        self.asked.append(_Asked(data_set, tag, action, text, kind))
        self.answered_by_hand.add((id(data_set), tag))

    def is_asked(self, data_set: Dataset, tag: int) -> bool:
        return (id(data_set), tag) in self.answered_by_hand

    def question(self, data_set: Dataset) -> tuple[bytes, Question]:
        """Write the instance, and look up where the elements are that something is asked of."""
        file = to_bytes(data_set)
        indexed = index(file)
        places = dict(_places(data_set, ()))
        checks = tuple(_check(asked, indexed, places[id(asked.data_set)]) for asked in self.asked)
        if indexed.digest:
            checks += (_pixels(indexed),)
        return file, Question(
            *(indexed.modality, indexed.sop_class_uid, indexed.patient_id),
            *(indexed.study_uid, indexed.series_uid, indexed.instance_uid),
            checks,
        )


def _places(data_set: Dataset, above: Position) -> Iterator[tuple[int, Position]]:
    yield id(data_set), above
    for element in data_set:
        if element.VR == "SQ":
            for number, item in enumerate(element.value):
                yield from _places(item, (*above, int(element.tag), number))


def _check(asked: _Asked, indexed: Indexed, above: Position) -> Check:
    path = indexed.paths[(*above, asked.tag)]
    value = indexed.values[path]
    text = value if asked.text is None else f"<{asked.text}>"
    private = bool(asked.tag >> 16 & 1)
    return Check(path, indexed.names[path], value, asked.action, text, asked.kind, private)


def _pixels(indexed: Indexed) -> Check:
    path = indexed.paths[(0x7FE0_0010,)]
    return Check(path, "Pixel Data", "<>", Action.PIXELS_RETAINED, f"<{indexed.digest}>", Kind.STRUCTURED)
