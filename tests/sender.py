"""A modality: sends instances by C-STORE and keeps the answer to each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

from deid.elements.pseudonyms import SOP_INSTANCE_UID, value_text
from deid.encoding.reader import read_data_set
from deid.errors import Refused
from node.errors import NodeError
from node.scu import MAX_CONTEXTS, Outgoing, Proposal, StoreAssociation, open_association, outgoing_from_file
from node.settings import Destination

SOP_CLASS_UID = 0x0008_0016
SUCCESS = 0x0000
NO_ANSWER = -1
NO_CONTEXT = -2


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one instance.

    Attributes
    ----------
    status
        of the C-STORE response, or `NO_ANSWER` (association lost or refused) or `NO_CONTEXT` (nothing negotiated)
    """

    path: Path
    status: int

    @property
    def is_acknowledged(self) -> bool:
        return self.status == SUCCESS


def send(paths: Sequence[Path], port: int, called: str = "DEIDNODE", calling: str = "MODALITY") -> list[Answer]:
    """Send files over as few associations as their presentation contexts need; what is lost is not sent again."""
    destination = Destination("node", called, "127.0.0.1", port, calling)
    instances = [(path, outgoing(path)) for path in paths]
    answers: list[Answer] = []
    for _, batch in groupby(_numbered(instances), key=lambda numbered: numbered[0]):
        answers += _send_batch(destination, [instance for _, instance in batch])
    return answers


def outgoing(path: Path) -> Outgoing:
    """Read a file to send, with class and instance as its data set says: the meta of a file may be out of date."""
    instance = outgoing_from_file(path)
    try:
        data_set = read_data_set(b"".join(instance.data_set), instance.transfer_syntax)
    except Refused:
        return instance
    return replace(
        instance,
        sop_class_uid=value_text(data_set, SOP_CLASS_UID) or instance.sop_class_uid,
        sop_instance_uid=value_text(data_set, SOP_INSTANCE_UID) or instance.sop_instance_uid,
    )


def _numbered(instances: Iterable[tuple[Path, Outgoing]]) -> Iterable[tuple[int, tuple[Path, Outgoing]]]:
    """Number instances by association: a new one when the contexts no longer fit."""
    number, contexts = 0, set[Proposal]()
    for path, instance in instances:
        wanted = Proposal(instance.sop_class_uid, instance.transfer_syntax)
        if wanted not in contexts and len(contexts) == MAX_CONTEXTS:
            number, contexts = number + 1, set()
        contexts.add(wanted)
        yield number, (path, instance)


def _send_batch(destination: Destination, batch: list[tuple[Path, Outgoing]]) -> list[Answer]:
    contexts = dict.fromkeys(Proposal(out.sop_class_uid, out.transfer_syntax) for _, out in batch)
    association: StoreAssociation | None = None
    answers = []
    for path, instance in batch:
        try:
            if association is None or not association.is_alive():
                association = open_association(destination, contexts)
            if association.accepts(instance.sop_class_uid, instance.transfer_syntax):
                answers.append(Answer(path, association.store(instance)))
            else:
                answers.append(Answer(path, NO_CONTEXT))
        except NodeError:
            answers.append(Answer(path, NO_ANSWER))
    if association is not None:
        association.release()
    return answers
