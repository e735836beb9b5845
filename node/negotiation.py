"""Association negotiation, requestor's side: pynetdicom's ACSE, run in the caller's thread (node.upperlayer).

Neither of pynetdicom's own threads is ever started. In its stock SCU one of them takes the C-STORE-RSP that the
caller waits for, and the association dies of a time-out; here the socket has one owner from the first byte to the last.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from pynetdicom import AE, build_context, build_role
from pynetdicom._globals import MODE_REQUESTOR
from pynetdicom.association import Association
from pynetdicom.transport import AddressInformation, AssociationSocket

from node.dimse import PduType, ProtocolError
from node.errors import Unreachable
from node.upperlayer import InlineDul, border, decoded, introduce

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from node.wire import Wire

MAX_CONTEXTS = 128
"""Presentation contexts in one association: the odd IDs from 1 to 255 (PS3.8 Section 9.3.2.2)."""

MAX_RECEIVED_PDU_BYTES = 16 * 1024
"""What we announce: an SCU receives nothing but responses."""

_MAX_ACSE_PDU_BYTES = 1 << 20

# PS3.8 Table 9-21, by (source, reason)
_REJECTIONS: Mapping[tuple[int, int], str] = {
    (1, 1): "no reason given",
    (1, 2): "application context name not supported",
    (1, 3): "calling AE title not recognized",
    (1, 7): "called AE title not recognized",
    (2, 1): "no reason given",
    (2, 2): "protocol version not supported",
    (3, 1): "temporary congestion",
    (3, 2): "local limit exceeded",
}


class Rejected(Unreachable):
    """The peer answered with A-ASSOCIATE-RJ."""


class NothingAccepted(Unreachable):
    """The peer took the association but none of the presentation contexts proposed."""


class Proposal(NamedTuple):
    """One presentation context with one transfer syntax, so that the answer says exactly what is accepted."""

    sop_class_uid: str
    transfer_syntax: str


@dataclass(frozen=True, slots=True)
class Negotiated:
    """What the A-ASSOCIATE-AC says.

    Attributes
    ----------
    contexts
        IDs of the accepted presentation contexts
    max_pdu_bytes
        the longest P-DATA-TF PDU that the peer takes; 0 is any
    """

    contexts: Mapping[Proposal, int]
    max_pdu_bytes: int


def negotiate(
    wire: Wire,
    calling_ae: str,
    called_ae: str,
    contexts_wanted: Iterable[Proposal],
    timeout_s: float,
    as_scp: Collection[str] = (),
) -> Negotiated:
    """Ask for an association and return what was accepted.

    Parameters
    ----------
    contexts_wanted
        1 to `MAX_CONTEXTS`
    as_scp
        SOP Classes of which we want to be the SCP, and not the SCU (PS3.7 Section D.3.3.4). Their contexts count as
        accepted also if the peer says nothing of roles: some take reports all the same, the others refuse them then

    Raises
    ------
    Unreachable
        if the peer says no: `Rejected`, `NothingAccepted`, or an abort
    ProtocolError
        if its answer is none that PS3.8 allows
    OSError
        if the connection breaks or `timeout_s` passes
    """
    association = _association(wire, calling_ae, called_ae, timeout_s)
    association.requestor.requested_contexts = _numbered(contexts_wanted)
    for sop_class_uid in as_scp:
        association.requestor.add_negotiation_item(build_role(sop_class_uid, scp_role=True))
    association.request()
    if not association.accepted_contexts:
        raise NothingAccepted("accepts none of the presentation contexts proposed")
    return Negotiated(_accepted(association, as_scp), association.acceptor.maximum_length or 0)


def _numbered(contexts_wanted: Iterable[Proposal]) -> list[Any]:
    contexts = [build_context(*proposal) for proposal in dict.fromkeys(contexts_wanted)]
    if not 0 < len(contexts) <= MAX_CONTEXTS:
        raise ValueError(f"{len(contexts)} presentation contexts; 1 to {MAX_CONTEXTS} fit")
    for index, context in enumerate(contexts):
        context.context_id = 2 * index + 1
    return contexts


def _accepted(association: Association, as_scp: Collection[str]) -> dict[Proposal, int]:
    """Return the contexts accepted; a transfer syntax that was not proposed is no acceptance."""
    proposed = {context.context_id: context.transfer_syntax for context in association.requestor.requested_contexts}
    return {
        Proposal(str(context.abstract_syntax), str(context.transfer_syntax[0])): context.context_id or 0
        for context in association.accepted_contexts
        if (context.as_scu or context.abstract_syntax in as_scp)
        and context.transfer_syntax == proposed[context.context_id]
    }


def _association(wire: Wire, calling_ae: str, called_ae: str, timeout_s: float) -> Association:
    """Return pynetdicom's Association as `AE.associate` sets it up, over a socket that is connected already."""
    association = Association(AE(ae_title=calling_ae), MODE_REQUESTOR)
    association.dul = _RequestorDul(association, wire, timeout_s)
    association.set_socket(AssociationSocket(association, client_socket=wire.sock))
    association.acceptor.ae_title = called_ae
    association.acceptor.address_info = AddressInformation.from_tuple(wire.sock.getpeername())
    association.requestor.address_info = AddressInformation.from_tuple(wire.sock.getsockname())
    association.requestor.ae_title = calling_ae
    introduce(association.requestor, MAX_RECEIVED_PDU_BYTES)
    return association


class _RequestorDul(InlineDul):
    """Sends A-ASSOCIATE-RQ or A-ABORT, and reads the answer where pynetdicom's ACSE asks for it."""

    def __init__(self, association: Association, wire: Wire, timeout_s: float) -> None:
        super().__init__(association, lambda pdu: wire.send([pdu], time.monotonic() + timeout_s))
        self._wire = wire
        self._timeout_s = timeout_s

    def receive_pdu(self, wait: bool = False, timeout: float | None = None) -> Any:  # noqa: ANN401, ARG002, FBT001, FBT002
        """Return the A-ASSOCIATE confirmation, or raise what else the peer answered."""
        kind, body = self._wire.read_pdu(time.monotonic() + self._timeout_s, _MAX_ACSE_PDU_BYTES)
        if kind == PduType.ASSOCIATE_RJ and len(body) == 4:
            reason = _REJECTIONS.get((body[2], body[3]), "unknown reason")
            duration = "for now" if body[1] == 2 else "permanently"
            raise Rejected(f"rejects the association {duration}: {reason} ({body[1]},{body[2]},{body[3]})")
        if kind == PduType.ABORT:
            raise Unreachable("aborts the association while it is being negotiated")
        if kind != PduType.ASSOCIATE_AC:
            raise ProtocolError(f"PDU type {kind:#04x} in answer to A-ASSOCIATE-RQ")
        with border("A-ASSOCIATE-AC"):
            answer = decoded(PduType.ASSOCIATE_AC, body)
        if not answer.presentation_context_definition_results_list:
            # not the same as "none is accepted": PS3.8 Table 9-17 wants a result for each that was proposed
            raise ProtocolError("A-ASSOCIATE-AC without a result for any presentation context")
        return answer
