"""An archive that keeps of each instance the digest of what came: as quick as one can be."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from node import dimse
from node.dimse import CommandField, Tag
from tests.integration.scripted import Conversation, scripted_archive


@dataclass
class Sink:
    """What came, by SOP Instance UID.

    Attributes
    ----------
    digests
        of the Data Set that came first
    again
        how many came once more with the same content
    conflicts
        UIDs that came with another content
    is_whole
        says of a Data Set whether it is one; None: nobody looks
    torn
        UIDs of what was none
    """

    is_whole: Callable[[bytes], bool] | None = None
    digests: dict[str, bytes] = field(default_factory=dict)
    torn: set[str] = field(default_factory=set)
    again: int = 0
    conflicts: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, node: Conversation) -> None:
        """Serve one connection."""
        node.accept(max_pdu_bytes=131072)
        while True:
            context_id, command, data = node.read_message()
            if dimse.us(command, Tag.COMMAND_FIELD) == CommandField.C_ECHO_RQ:
                node.answer(context_id, dimse.c_echo_rsp(dimse.us(command, Tag.MESSAGE_ID)))
                continue
            uid = dimse.uid(command, Tag.AFFECTED_SOP_INSTANCE_UID)
            if self.is_whole and not self.is_whole(data):
                self.torn.add(uid)
            self._keep(uid, hashlib.sha256(data).digest())
            class_uid = dimse.uid(command, Tag.AFFECTED_SOP_CLASS_UID)
            node.answer(context_id, dimse.c_store_rsp(dimse.us(command, Tag.MESSAGE_ID), class_uid, uid, 0))

    def _keep(self, uid: str, digest: bytes) -> None:
        with self._lock:
            before = self.digests.setdefault(uid, digest)
            if before != digest:
                self.conflicts.add(uid)
            # the first one found nothing: it is in the dictionary as itself
            self.again += before is not digest and before == digest

    @contextlib.contextmanager
    def listening(self, port: int = 0) -> Iterator[int]:
        """Serve while the context is entered; yield the port."""
        with scripted_archive(self, port) as bound:
            yield bound
