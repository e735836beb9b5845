"""Association negotiation, acceptor's side: pynetdicom's ACSE on a request that the guard has looked through.

The guard's look comes first, and needs nothing of pynetdicom: who calls whom, and whether the items fit their PDU and
are as few as a sender can need; so a caller who is to be rejected reaches none of its code. All else is pynetdicom's:
the PDUs, the presentation contexts, roles, user identity, extended negotiation.
"""

from __future__ import annotations

import struct
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from pynetdicom import AE, build_context
from pynetdicom._globals import MODE_ACCEPTOR
from pynetdicom.association import Association
from pynetdicom.pdu_primitives import A_ASSOCIATE, UserIdentityNegotiation
from pynetdicom.presentation import PresentationContext

from node.access.user_identity import Identity, read_identity
from node.commitment.messages import SOP_CLASS, TRANSFER_SYNTAXES
from node.contexts import AcceptedContext, supported_contexts
from node.dimse import VERIFICATION, PduType, ProtocolError
from node.upperlayer import InlineDul, border, decoded, encoded, introduce

APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
"""The DICOM Application Context Name (PS3.7 Section A.2.1), the only one there is."""

_FIXED = struct.Struct(">H2x16s16s32x")  # protocol version, called and calling AE title: PS3.8 Table 9-11
_ITEM = struct.Struct(">BxH")

_APPLICATION_CONTEXT_ITEM = 0x10
_CONTEXT_ITEM = 0x20
_CONTEXT_PREFIX_BYTES = 8  # item header, ID, three reserved
_ABSTRACT_SYNTAX_ITEM = 0x30
_TRANSFER_SYNTAX_ITEM = 0x40
_SYNTAXES = frozenset({_ABSTRACT_SYNTAX_ITEM, _TRANSFER_SYNTAX_ITEM})
_USER_INFORMATION_ITEM = 0x50
_USER_ITEMS = range(0x51, 0x58)  # Maximum Length … SOP Class Common Extended Negotiation
_USER_IDENTITY_ITEM = 0x58  # the request; looked at here (node.access.user_identity), and no business of pynetdicom's

_MAX_CONTEXTS = 128  # the odd IDs from 1 to 255
_MAX_SYNTAXES = 128  # in one context; PS3.6 knows half as many, and pynetdicom compares each with each
_MAX_USER_ITEMS = 1024  # a few for each context
_MIN_PDU_BYTES = 7  # a PDV header and one byte of message

_REMEMBERED = 32
_MAX_REMEMBERED_BYTES = 32 * 1024  # 128 contexts of five transfer syntaxes are 18 KiB


@dataclass(frozen=True, slots=True)
class Rejection:
    """Result, source and reason of an A-ASSOCIATE-RJ (PS3.8 Table 9-21)."""

    result: int
    source: int
    reason: int

    def pdu(self) -> bytes:
        """Return the A-ASSOCIATE-RJ PDU."""
        primitive = A_ASSOCIATE()
        primitive.result, primitive.result_source, primitive.diagnostic = self.result, self.source, self.reason
        return encoded(primitive)


APPLICATION_CONTEXT_NOT_SUPPORTED = Rejection(1, 1, 2)
CALLING_AE_NOT_RECOGNIZED = Rejection(1, 1, 3)
CALLED_AE_NOT_RECOGNIZED = Rejection(1, 1, 7)
USER_NOT_ACCEPTED = Rejection(1, 2, 1)  # PS3.7 Section D.3.3.7: permanent, by the provider (ACSE)
PROTOCOL_VERSION_NOT_SUPPORTED = Rejection(1, 2, 2)
TEMPORARY_CONGESTION = Rejection(2, 3, 1)
LOCAL_LIMIT_EXCEEDED = Rejection(2, 3, 2)


@dataclass(frozen=True, slots=True)
class Request:
    """An A-ASSOCIATE-RQ after the guard's look.

    Attributes
    ----------
    called_ae, calling_ae
        without the spaces around them, which have no meaning (PS3.8 Table 9-11); any characters
    context_items
        the Presentation Context Items, encoded as received, one after the other
    user_information
        the User Information Item without sub-items of unknown types, and without the user's identity; empty where
        there is none
    user_identity
        who the requestor says it is
    """

    protocol_version: int
    called_ae: str
    calling_ae: str
    application_context: str
    context_items: bytes
    user_information: bytes
    user_identity: Identity | None = None


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What was agreed on.

    Attributes
    ----------
    pdu
        the A-ASSOCIATE-AC to be sent
    contexts
        the accepted presentation contexts by ID
    proposed
        how many contexts were proposed
    max_pdu_bytes
        the longest P-DATA-TF body that the requestor takes; 0 is no limit
    """

    pdu: bytes
    contexts: Mapping[int, AcceptedContext]
    proposed: int
    max_pdu_bytes: int


def read_request(body: bytes) -> Request:
    """Look through the body (what follows the PDU header) of an A-ASSOCIATE-RQ (PS3.8 Section 9.3.2).

    Raises
    ------
    ProtocolError
        for an item that does not fit, is missing, or is there too often
    """
    if len(body) < _FIXED.size:
        raise ProtocolError("A-ASSOCIATE-RQ is cut short")
    version, called_ae, calling_ae = _FIXED.unpack_from(body)
    found: dict[int, list[bytes]] = {_APPLICATION_CONTEXT_ITEM: [], _CONTEXT_ITEM: [], _USER_INFORMATION_ITEM: []}
    for kind, item in _items(body, _FIXED.size):
        if kind in found:
            found[kind].append(item)
    names, contexts, users = found.values()
    if len(names) != 1 or len(users) > 1 or len(contexts) > _MAX_CONTEXTS:
        raise ProtocolError("A-ASSOCIATE-RQ has an item more often, or less, than PS3.8 allows")
    return Request(
        protocol_version=version,
        called_ae=_text(called_ae),
        calling_ae=_text(calling_ae),
        application_context=_text(names[0][_ITEM.size :]),
        context_items=b"".join(contexts),
        user_information=_known(users[0], _ITEM.size, _USER_ITEMS, _MAX_USER_ITEMS) if users else b"",
        user_identity=_user_identity(users[0]) if users else None,
    )


def _user_identity(user_information: bytes) -> Identity | None:
    found = [item for kind, item in _items(user_information, _ITEM.size) if kind == _USER_IDENTITY_ITEM]
    if len(found) > 1:
        raise ProtocolError("A-ASSOCIATE-RQ has more than one user identity")
    return read_identity(found[0]) if found else None


def basic_rejection(request: Request) -> Rejection | None:
    """Return why nobody could accept this request: another protocol version, another application context."""
    if not request.protocol_version & 1:
        return PROTOCOL_VERSION_NOT_SUPPORTED
    if request.application_context != APPLICATION_CONTEXT:
        return APPLICATION_CONTEXT_NOT_SUPPORTED
    return None


class Roles(NamedTuple):
    """What the node may be towards a requestor in a service where that is negotiated (PS3.7 Section D.3.3.4)."""

    scp: bool
    scu: bool


STORAGE_ONLY = Roles(scp=False, scu=False)


class Acceptor:
    """Accepts requests for one node; any number of threads may call it.

    Parameters
    ----------
    max_pdu_bytes
        the longest P-DATA-TF body that the node takes
    """

    def __init__(self, ae_title: str, max_pdu_bytes: int) -> None:
        self._ae = AE(ae_title)
        self._max_pdu_bytes = max_pdu_bytes
        self._supported = supported_contexts()

    def accept(
        self,
        request: Request,
        commitment: Roles = STORAGE_ONLY,
        *,
        stores: bool = True,
        confirms_user: bool = False,
    ) -> Acceptance:
        """Negotiate as pynetdicom's acceptor does, once it is clear that the caller may associate.

        No asynchronous operations window is answered: so there is one operation at a time (PS3.7 Section D.3.3.3). A
        role selection is answered for storage commitment only; in all other contexts the requestor is the SCU.

        Parameters
        ----------
        commitment
            the roles that the node takes in storage commitment; without one its contexts are not accepted
        stores
            whether the requestor may store instances
        confirms_user
            whether to say that the user's identity was accepted, if that was asked for (PS3.7 Table D.3-15)

        Raises
        ------
        ProtocolError
            if the request is malformed, has a context ID that is even or used twice, or a maximum length too small
        """
        with border("A-ASSOCIATE-RQ"):
            sent: list[bytes] = []
            association = self._association(request, sent, self._offered(commitment, stores=stores))
            if confirms_user and request.user_identity is not None and request.user_identity.wants_response:
                association.acceptor.add_negotiation_item(_user_accepted())
            try:
                return _negotiated(association, sent)
            finally:
                _take_apart(association)

    def _offered(self, commitment: Roles, *, stores: bool) -> Mapping[str, PresentationContext]:
        if stores and not any(commitment):
            return self._supported
        offered = dict(self._supported) if stores else {VERIFICATION: self._supported[VERIFICATION]}
        if any(commitment):
            # pynetdicom's roles are the requestor's
            context = build_context(SOP_CLASS, list(TRANSFER_SYNTAXES))
            context.scu_role, context.scp_role = commitment
            offered[SOP_CLASS] = context
        return offered

    def _association(
        self, request: Request, sent: list[bytes], offered: Mapping[str, PresentationContext]
    ) -> Association:
        """Return pynetdicom's Association as its server sets it up, at the arrival of the A-ASSOCIATE indication."""
        indication = decoded(PduType.ASSOCIATE_RQ, _fixed(request.called_ae, request.calling_ae) + _rest(request))
        proposals = proposed_contexts(request.context_items)
        indication.presentation_context_definition_list = list(proposals)
        association = Association(self._ae, MODE_ACCEPTOR)
        _take_apart_dul(association)  # the one with a thread, which is never started
        association.dul = InlineDul(association, sent.append)
        association.acceptor.ae_title = request.called_ae
        introduce(association.acceptor, self._max_pdu_bytes)
        asked_for = {str(context.abstract_syntax) for context in proposals}
        association.acceptor.supported_contexts = [offered[uid] for uid in asked_for & offered.keys()]
        association.requestor.primitive = indication
        return association


def _negotiated(association: Association, sent: list[bytes]) -> Acceptance:
    association.acse.negotiate_association()
    if not association.is_established:
        raise ProtocolError("A-ASSOCIATE-RQ asks for what is not negotiated")
    proposed = len(association.accepted_contexts) + len(association.rejected_contexts)
    return Acceptance(b"".join(sent), _accepted(association), proposed, _peer_max_pdu_bytes(association))


def _take_apart(association: Association) -> None:
    """Undo the cycles between pynetdicom's objects: whole, they would wait for the garbage collector."""
    _take_apart_dul(association)
    vars(association).clear()


def _take_apart_dul(association: Association) -> None:
    for part in (association.dul.state_machine, association.dul):
        vars(part).clear()


def _user_accepted() -> UserIdentityNegotiation:
    """Return the positive response: empty, as it is for a user name and for a passcode."""
    item = UserIdentityNegotiation()
    item.server_response = b""
    return item


def _accepted(association: Association) -> dict[int, AcceptedContext]:
    return {
        context.context_id: AcceptedContext(
            context.context_id, str(context.abstract_syntax), str(context.transfer_syntax[0])
        )
        for context in association.accepted_contexts
        if context.context_id is not None
    }


def _peer_max_pdu_bytes(association: Association) -> int:
    max_pdu_bytes = association.requestor.maximum_length or 0
    if 0 < max_pdu_bytes < _MIN_PDU_BYTES:
        raise ProtocolError("maximum length received is not usable")
    return max_pdu_bytes


def proposed_contexts(context_items: bytes) -> tuple[PresentationContext, ...]:
    """Return pynetdicom's presentation contexts for encoded items; a sender's second request finds them ready.

    They are two thirds of the work of a negotiation. Nobody changes them: the answer is made of new ones.

    Raises
    ------
    ProtocolError
        if one is malformed, or an ID used twice
    """
    if len(context_items) > _MAX_REMEMBERED_BYTES:
        return _decoded_contexts(context_items)
    return _remembered_contexts(context_items)


def _decoded_contexts(context_items: bytes) -> tuple[PresentationContext, ...]:
    with border("presentation context item"):
        items = [
            _known(item, _CONTEXT_PREFIX_BYTES, _SYNTAXES, _MAX_SYNTAXES + 1) for _, item in _items(context_items, 0)
        ]
        indication = decoded(PduType.ASSOCIATE_RQ, _fixed("ANY", "ANY") + b"".join(items))
        contexts: tuple[PresentationContext, ...] = tuple(indication.presentation_context_definition_list)
    if len({context.context_id for context in contexts}) != len(contexts):
        raise ProtocolError("a presentation context ID is used twice")
    if not all(context.abstract_syntax and context.transfer_syntax for context in contexts):
        raise ProtocolError("presentation context without abstract or transfer syntax")
    return contexts


_remembered_contexts = lru_cache(_REMEMBERED)(_decoded_contexts)


def _fixed(called_ae: str, calling_ae: str) -> bytes:
    return _FIXED.pack(1, *(ae_title.encode("ascii").ljust(16) for ae_title in (called_ae, calling_ae)))


def _rest(request: Request) -> bytes:
    name = request.application_context.encode("ascii")
    return _ITEM.pack(_APPLICATION_CONTEXT_ITEM, len(name)) + name + request.user_information


def _known(item: bytes, prefix_bytes: int, kinds: Container[int], most: int) -> bytes:
    """Return an item without the sub-items of unknown types, which are to be ignored (PS3.8 Section 9.3.1)."""
    if len(item) < prefix_bytes:
        raise ProtocolError("item is cut short")
    known = [sub_item for kind, sub_item in _items(item, prefix_bytes) if kind in kinds]
    if len(known) > most:
        raise ProtocolError(f"item with more than {most} sub-items")
    value = item[_ITEM.size : prefix_bytes] + b"".join(known)
    return _ITEM.pack(item[0], len(value)) + value


def _items(raw: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    """Yield type and encoding of the items from an offset on; none is longer than what is there."""
    end = len(raw)
    while at < end:
        if end - at < _ITEM.size:
            raise ProtocolError("item header is cut short")
        kind, length = _ITEM.unpack_from(raw, at)
        after = at + _ITEM.size + length
        if after > end:
            raise ProtocolError(f"item {kind:#04x} does not fit its PDU")
        yield kind, raw[at:after]
        at = after


def _text(field: Any) -> str:  # noqa: ANN401 -- struct gives no better type
    """Return an AE title or a UID without padding; latin-1 takes whatever is sent: it is only looked up."""
    return bytes(field).strip(b" \0").decode("latin-1")
