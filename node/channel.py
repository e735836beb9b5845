"""A way to one destination: an association that is kept open, and opened anew when the work asks for other contexts."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from node.errors import Transient
from node.log import Event, Name, emit
from node.negotiation import MAX_CONTEXTS, NothingAccepted
from node.scu import Outgoing, Proposal, StoreAssociation, open_association
from node.transcode import Decode, NoSyntax, decode_pixels, proposals, transcode

if TYPE_CHECKING:
    from node.settings import Destination, ForwardSettings


class ClassNotAccepted(NoSyntax):
    """The destination takes no instance of this SOP Class, in whatever transfer syntax."""


class Channel:
    """Instances go in, statuses come out. One thread uses it; any thread may `interrupt` it.

    Parameters
    ----------
    decode
        turns compressed pixels into uncompressed ones where the destination asks for that
    """

    def __init__(self, destination: Destination, forward: ForwardSettings, decode: Decode = decode_pixels) -> None:
        self.destination = destination
        self._forward = forward
        self._decode = decode
        # Contexts that instances asked for, the latest last: an association opened anew proposes them all.
        self._learned: dict[Proposal, None] = {}
        self._proposed: frozenset[Proposal] = frozenset()
        self._association: StoreAssociation | None = None
        self._used_at = 0.0

    @property
    def is_open(self) -> bool:
        """Whether there is an association, as far as we know; may be asked from any thread."""
        return self._association is not None

    def expect(self, sop_class_uid: str, transfer_syntax: str) -> None:
        """Propose what such an instance needs when the association is opened next."""
        for proposal in proposals(sop_class_uid, transfer_syntax):
            self._learned.pop(proposal, None)
            self._learned[proposal] = None
        for oldest in list(self._learned)[:-MAX_CONTEXTS]:
            del self._learned[oldest]

    def send(self, outgoing: Outgoing) -> int:
        """Store an instance at the destination and return the status of the answer.

        Raises
        ------
        Unreachable
            if there is no association; nothing was sent
        Lost, ProtocolError
            if no answer came; it may be stored nevertheless
        NoSyntax
            if the destination takes it in no form we can give it (`ClassNotAccepted`: not at all)
        """
        association = self._associated(outgoing.sop_class_uid, outgoing.transfer_syntax)
        accepted = {uid for sop_class, uid in association.accepted if sop_class == outgoing.sop_class_uid}
        if not accepted:
            raise ClassNotAccepted("the destination does not accept this SOP Class")
        ready = transcode(outgoing, accepted, self._decode)
        if ready is not outgoing:
            emit(Event.INSTANCE_TRANSCODED, destination=Name(self.destination.name))
        try:
            return association.store(ready)
        except Transient:  # the association went with it
            self.close()
            raise
        finally:
            self._used_at = time.monotonic()

    def release_if_idle(self) -> None:
        """Release the association if nothing was sent for `idle_release_s`, or the destination has ended it."""
        if self._association is None:
            return
        is_idle = time.monotonic() - self._used_at >= self._forward.idle_release_s
        if is_idle or not self._association.is_alive():
            self.close()

    def close(self) -> None:
        """Release the association, if there is one."""
        association, self._association = self._association, None
        if association is not None:
            association.release()
            emit(Event.ASSOCIATION_CLOSED, destination=Name(self.destination.name))

    def interrupt(self) -> None:
        """Break the association under a `send` in another thread."""
        association = self._association
        if association is not None:
            association.interrupt()

    def _associated(self, sop_class_uid: str, transfer_syntax: str) -> StoreAssociation:
        """Return an association on which everything that such an instance could use was proposed."""
        if self._association is not None:
            is_covered = self._proposed.issuperset(proposals(sop_class_uid, transfer_syntax))
            if is_covered and self._association.is_alive():
                return self._association
            self.close()
        self.expect(sop_class_uid, transfer_syntax)
        self._association = self._opened(self._learned)
        self._proposed = frozenset(self._learned)
        self._used_at = time.monotonic()
        emit(Event.ASSOCIATION_OPENED, destination=Name(self.destination.name), contexts=len(self._proposed))
        return self._association

    def _opened(self, wanted: Iterable[Proposal]) -> StoreAssociation:
        try:
            return open_association(self.destination, wanted, self._forward)
        except NothingAccepted:
            raise ClassNotAccepted("the destination does not accept this SOP Class") from None
