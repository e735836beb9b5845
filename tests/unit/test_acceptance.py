"""Requests as good and as bad as they come, answered by pynetdicom behind the guard's look."""

from __future__ import annotations

import random
import struct
import time
from collections.abc import Sequence
from typing import Any

import pytest
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RJ, A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    AsynchronousOperationsWindowNegotiation,
    ImplementationClassUIDNotification,
    MaximumLengthNotification,
    SCP_SCU_RoleSelectionNegotiation,
    SOPClassExtendedNegotiation,
    UserIdentityNegotiation,
)
from pynetdicom.presentation import build_context

from deid.encoding.syntax import EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN, TRANSFER_SYNTAXES
from node import acceptance
from node.acceptance import (
    CALLED_AE_NOT_RECOGNIZED,
    CALLING_AE_NOT_RECOGNIZED,
    Acceptance,
    Acceptor,
    Rejection,
    read_request,
)
from node.contexts import STORAGE_SOP_CLASSES, TRANSFER_SYNTAX_ORDER, AcceptedContext, sop_class_uid
from node.dimse import VERIFICATION, PduType, ProtocolError
from node.peers import Peers
from node.scp import admit
from node.settings import Settings

CT = "1.2.840.10008.5.1.4.1.1.2"
JPEG_LOSSLESS = "1.2.840.10008.1.2.4.70"
JPEG_BASELINE = "1.2.840.10008.1.2.4.50"
FIND = "1.2.840.10008.5.1.4.1.2.2.1"
ONE_CONTEXT = ((CT, [IMPLICIT_VR_LITTLE_ENDIAN]),)

ACCEPTOR = Acceptor("DEIDNODE", 131072)
SETTINGS = Settings()
PEERS = Peers.from_settings(SETTINGS.peers)

Context = tuple[str, Sequence[str]]


def user_information(max_pdu_bytes: int = 16382) -> list[Any]:
    """Return one of each item that a requestor may send."""
    length, implementation = MaximumLengthNotification(), ImplementationClassUIDNotification()
    length.maximum_length_received = max_pdu_bytes
    implementation.implementation_class_uid = "1.2.3.4"
    role = SCP_SCU_RoleSelectionNegotiation()
    role.sop_class_uid, role.scu_role, role.scp_role = CT, True, True
    window = AsynchronousOperationsWindowNegotiation()
    window.maximum_number_operations_invoked = window.maximum_number_operations_performed = 5
    extended = SOPClassExtendedNegotiation()
    extended.sop_class_uid, extended.service_class_application_information = CT, b"\2\0\3\0\1\0"
    identity = UserIdentityNegotiation()
    identity.user_identity_type, identity.primary_field, identity.secondary_field = 2, b"tech", b"secret"
    identity.positive_response_requested = True
    return [length, implementation, role, window, extended, identity]


def request_body(*contexts: Context, max_pdu_bytes: int = 16382) -> bytes:
    """Encode an A-ASSOCIATE-RQ as pynetdicom does, without its header."""
    primitive = A_ASSOCIATE()
    primitive.application_context_name = acceptance.APPLICATION_CONTEXT
    primitive.calling_ae_title, primitive.called_ae_title = "CT-ROOM 7", "DEIDNODE"
    built: list[Any] = [build_context(abstract, list(syntaxes)) for abstract, syntaxes in contexts]
    for index, context in enumerate(built):
        context.context_id = 2 * index + 1
    primitive.presentation_context_definition_list = built
    primitive.user_information = user_information(max_pdu_bytes)
    encoded: bytes = A_ASSOCIATE_RQ(primitive).encode()
    return encoded[6:]


def accept(*contexts: Context) -> Acceptance:
    return ACCEPTOR.accept(read_request(request_body(*contexts)))


def answer(body: bytes) -> Acceptance | Rejection:
    """Answer a request as the receiver does."""
    request = read_request(body)
    admitted = admit(SETTINGS, PEERS, request, "127.0.0.1")
    return admitted if isinstance(admitted, Rejection) else ACCEPTOR.accept(request)


def confirmation(pdu: bytes) -> A_ASSOCIATE:
    decoded = A_ASSOCIATE_AC()
    decoded.decode(pdu)
    return decoded.to_primitive()


def results(accepted: Acceptance) -> dict[int, tuple[int, str]]:
    listed = confirmation(accepted.pdu).presentation_context_definition_results_list
    return {context.context_id: (context.result, str(context.transfer_syntax[0])) for context in listed}


def item(kind: int, value: bytes) -> bytes:
    return struct.pack(">BBH", kind, 0, len(value)) + value


def context_item(identity: int, abstract: bytes = CT.encode(), syntaxes: Sequence[bytes] = (b"1.2",)) -> bytes:
    return item(0x20, bytes([identity, 0, 0, 0]) + item(0x30, abstract) + b"".join(item(0x40, s) for s in syntaxes))


def body_of(*items: bytes, version: int = 1, called: bytes = b"DEIDNODE", calling: bytes = b"SENDER") -> bytes:
    fixed = struct.pack(">H2x16s16s32x", version, called.ljust(16), calling.ljust(16))
    return fixed + item(0x10, acceptance.APPLICATION_CONTEXT.encode()) + b"".join(items)


# -- what is agreed on


def test_a_request_is_answered_by_what_it_proposes_and_by_what_the_node_is() -> None:
    accepted = accept((CT, [IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN]), (FIND, [IMPLICIT_VR_LITTLE_ENDIAN]))
    assert results(accepted) == {1: (0, EXPLICIT_VR_LITTLE_ENDIAN), 3: (3, IMPLICIT_VR_LITTLE_ENDIAN)}
    assert accepted.contexts == {1: AcceptedContext(1, CT, EXPLICIT_VR_LITTLE_ENDIAN)}
    assert (accepted.proposed, accepted.max_pdu_bytes) == (2, 16382)
    primitive = confirmation(accepted.pdu)
    assert primitive.maximum_length_received == 131072
    assert (primitive.calling_ae_title, primitive.called_ae_title) == ("CT-ROOM 7", "DEIDNODE")


def test_no_role_and_no_window_is_answered_so_that_the_sender_is_scu_with_one_operation_at_a_time() -> None:
    items = confirmation(accept(*ONE_CONTEXT).pdu).user_information
    assert [type(item).__name__ for item in items] == [
        "MaximumLengthNotification",
        "ImplementationClassUIDNotification",
        "ImplementationVersionNameNotification",
    ]


def test_every_storage_sop_class_is_accepted_in_every_transfer_syntax() -> None:
    for syntax in TRANSFER_SYNTAXES:
        for abstract in (CT, VERIFICATION):
            assert results(accept((abstract, [syntax]))) == {1: (0, syntax)}
    classes = sorted(STORAGE_SOP_CLASSES)
    for start in range(0, len(classes), 128):
        accepted = accept(*((uid, [JPEG_LOSSLESS]) for uid in classes[start : start + 128]))
        assert [context.abstract_syntax for context in accepted.contexts.values()] == classes[start : start + 128]


def test_the_storage_sop_classes_are_those_of_pynetdicom_and_the_retired_ones() -> None:
    from pynetdicom import sop_class

    assert {str(uid) for uid in sop_class._STORAGE_CLASSES.values()} <= STORAGE_SOP_CLASSES
    assert "1.2.840.10008.5.1.4.1.1.6" in STORAGE_SOP_CLASSES  # Ultrasound Image Storage, retired
    assert "1.2.840.10008.5.1.4.1.1.5" in STORAGE_SOP_CLASSES  # Nuclear Medicine Image Storage, retired


@pytest.mark.parametrize("sop_class", ["1.2.840.10008.1.20.1", "1.2.840.10008.1.3.10", FIND, "1.2.3.4", VERIFICATION])
def test_what_is_no_instance_is_no_storage_sop_class(sop_class: str) -> None:
    assert sop_class not in STORAGE_SOP_CLASSES
    with pytest.raises(ValueError):
        sop_class_uid(sop_class)


@pytest.mark.parametrize("name", ["CTImageStorage", CT])
def test_a_sop_class_has_a_keyword_and_a_uid(name: str) -> None:
    assert sop_class_uid(name) == CT


def test_an_unknown_transfer_syntax_alone_rejects_its_context_with_reason_4() -> None:
    assert results(accept((CT, ["1.2.840.10008.1.2.4.94"]))) == {1: (4, "1.2.840.10008.1.2.4.94")}


@pytest.mark.parametrize(
    ("proposed", "chosen"),
    [
        ((IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN), EXPLICIT_VR_LITTLE_ENDIAN),
        ((JPEG_LOSSLESS, EXPLICIT_VR_LITTLE_ENDIAN), EXPLICIT_VR_LITTLE_ENDIAN),
        ((IMPLICIT_VR_LITTLE_ENDIAN, JPEG_BASELINE, JPEG_LOSSLESS), JPEG_LOSSLESS),
        ((IMPLICIT_VR_LITTLE_ENDIAN, "1.2.840.10008.1.2.2"), "1.2.840.10008.1.2.2"),
        (("1.2.3", IMPLICIT_VR_LITTLE_ENDIAN), IMPLICIT_VR_LITTLE_ENDIAN),
    ],
)
def test_the_acceptor_chooses_what_keeps_most(proposed: tuple[str, ...], chosen: str) -> None:
    assert results(accept((CT, proposed))) == {1: (0, chosen)}


def test_explicit_vr_little_endian_comes_first_and_implicit_vr_last() -> None:
    assert TRANSFER_SYNTAX_ORDER[0] == EXPLICIT_VR_LITTLE_ENDIAN
    assert TRANSFER_SYNTAX_ORDER[-1] == IMPLICIT_VR_LITTLE_ENDIAN


def test_a_second_request_is_answered_like_the_first_and_an_other_one_in_between_like_itself() -> None:
    first, other = accept((CT, [JPEG_LOSSLESS])), accept((CT, [JPEG_BASELINE]))
    assert accept((CT, [JPEG_LOSSLESS])) == first != other


def test_items_of_unknown_types_are_ignored_wherever_they_stand() -> None:
    unknown = item(0x99, b"whatever")
    context = item(0x20, bytes([1, 0, 0, 0]) + unknown + item(0x30, CT.encode()) + item(0x40, b"1.2.840.10008.1.2"))
    accepted = answer(body_of(unknown, context, item(0x50, item(0x51, b"\0\0\1\0") + unknown)))
    assert isinstance(accepted, Acceptance)
    assert list(accepted.contexts) == [1]
    assert accepted.max_pdu_bytes == 256


def test_a_request_padded_with_zeros_is_understood() -> None:
    context = context_item(1, CT.encode() + b"\0", [b"1.2.840.10008.1.2\0"])
    accepted = answer(body_of(context, called=b"DEIDNODE".ljust(16, b"\0"), calling=b"SENDER\0"))
    assert isinstance(accepted, Acceptance)
    assert accepted.contexts == {1: AcceptedContext(1, CT, IMPLICIT_VR_LITTLE_ENDIAN)}


# -- who is turned away


@pytest.mark.parametrize(
    ("rejection", "codes"),
    [
        (acceptance.APPLICATION_CONTEXT_NOT_SUPPORTED, (1, 1, 2)),
        (acceptance.CALLING_AE_NOT_RECOGNIZED, (1, 1, 3)),
        (acceptance.CALLED_AE_NOT_RECOGNIZED, (1, 1, 7)),
        (acceptance.PROTOCOL_VERSION_NOT_SUPPORTED, (1, 2, 2)),
        (acceptance.LOCAL_LIMIT_EXCEEDED, (2, 3, 2)),
    ],
)
def test_a_rejection_says_its_codes(rejection: Rejection, codes: tuple[int, int, int]) -> None:
    pdu = A_ASSOCIATE_RJ()
    pdu.decode(rejection.pdu())
    assert (pdu.result, pdu.source, pdu.reason_diagnostic) == codes


def test_another_application_context_is_rejected() -> None:
    body = request_body(*ONE_CONTEXT).replace(b"10008.3.1.1.1", b"10008.3.1.1.9")
    assert answer(body) == acceptance.APPLICATION_CONTEXT_NOT_SUPPORTED


def test_another_protocol_version_is_rejected_and_further_bits_are_not_looked_at() -> None:
    assert answer(body_of(context_item(1), version=2)) == acceptance.PROTOCOL_VERSION_NOT_SUPPORTED
    assert isinstance(answer(body_of(context_item(1), version=3)), Acceptance)


@pytest.mark.parametrize("calling", [b"", b"A\\B", b"J\xfcrgen", b"A\nB", b"A\0B"])
def test_a_calling_ae_title_that_is_none_is_rejected(calling: bytes) -> None:
    assert answer(body_of(context_item(1), calling=calling)) == CALLING_AE_NOT_RECOGNIZED


def test_who_is_rejected_reaches_no_code_of_pynetdicom() -> None:
    assert answer(body_of(item(0x20, b"\xff" * 900), called=b"NOBODY")) == CALLED_AE_NOT_RECOGNIZED


# -- what is malformed


@pytest.mark.parametrize(
    "items",
    [
        [context_item(1), context_item(1)],
        [context_item(2)],
        [context_item(0)],
        [context_item(1, b"")],
        [context_item(1, b"1" * 65)],
        [context_item(1, b"1.\xe9")],
        [context_item(1, syntaxes=[])],
        [context_item(1, syntaxes=[b""])],
        [context_item(1, syntaxes=[b"1" * 65])],
        [context_item(1, syntaxes=[f"1.{n}".encode() for n in range(129)])],
        [item(0x20, b"\1\0\0")],
        [item(0x20, b"\1\0\0\0\x30\0\xff\xff")],
        [context_item(identity) for identity in range(1, 256, 2)] + [context_item(1)],
        [item(0x10, b"1.2")],
        [item(0x50, b""), item(0x50, b"")],
        [item(0x50, item(0x51, b"\0\0\0\6"))],
        [item(0x50, item(0x51, b"\0"))],
        [item(0x50, item(0x58, b"\1"))],
        [item(0x50, item(0x54, b"\xff\xff1.2"))],
        [item(0x50, item(0x52, b"1.2") * 1025)],
        [b"\x10"],
        [struct.pack(">BBH", 0x50, 0, 0xFFFF)],
    ],
    ids=[
        "id-twice", "even-id", "id-0", "no-abstract-syntax", "abstract-syntax-too-long", "abstract-syntax-not-ascii",
        "no-transfer-syntax", "empty-transfer-syntax", "transfer-syntax-too-long", "129-transfer-syntaxes",
        "context-cut", "sub-item-lies", "129-contexts", "application-context-twice", "user-information-twice",
        "maximum-length-6", "maximum-length-cut", "identity-cut", "role-lies", "1025-user-items", "header-cut",
        "item-lies",
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:.*VR UI")
def test_a_malformed_request_is_a_protocol_error_and_nothing_else(items: list[bytes]) -> None:
    with pytest.raises(ProtocolError):
        answer(body_of(*items))


@pytest.mark.parametrize("body", [b"", bytes(67)])
def test_a_request_that_ends_too_early_is_malformed(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        read_request(body)


@pytest.mark.filterwarnings("ignore:.*VR UI")
def test_the_largest_request_that_is_let_through_takes_its_time_and_no_more() -> None:
    syntaxes = [f"1.{n}".encode() for n in range(128)]
    roles = b"".join(item(0x54, struct.pack(">H", 3) + b"1.2\1\1") for _ in range(1024))
    body = body_of(*(context_item(n, b"1.2", syntaxes) for n in range(1, 256, 2)), item(0x50, roles))
    started_s = time.process_time()
    accepted = answer(body)
    assert time.process_time() - started_s < 5.0
    assert isinstance(accepted, Acceptance)
    assert (accepted.proposed, len(accepted.contexts)) == (128, 0)


def mutated(body: bytes, chance: random.Random) -> bytes:
    """Change, cut, repeat or insert a few bytes; the AE titles mostly stay, so that pynetdicom gets to see the rest."""
    mutant = bytearray(body)
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(mutant)) if chance.random() < 0.1 else chance.randrange(68, max(69, len(mutant)))
        how = chance.randrange(5)
        if how == 0:
            mutant[at : at + 1] = bytes([chance.randrange(256)])
        elif how == 1:
            mutant[at : at + 2] = chance.choice([b"\0\0", b"\xff\xff", b"\0\1", struct.pack(">H", len(mutant) - at)])
        elif how == 2:
            del mutant[at : at + chance.randint(1, 40)]
        elif how == 3:
            mutant[at:at] = mutant[at : at + chance.randint(1, 200)]
        else:
            mutant[at : at + 1] = bytes([chance.choice(range(0x10, 0x5A))])
    return bytes(mutant)


@pytest.mark.filterwarnings("ignore:.*VR UI")
def test_two_thousand_mutilated_requests_are_accepted_rejected_or_aborted_and_nothing_else() -> None:
    chance = random.Random(20240607)
    bodies = [
        request_body((CT, [IMPLICIT_VR_LITTLE_ENDIAN, JPEG_LOSSLESS]), (VERIFICATION, [IMPLICIT_VR_LITTLE_ENDIAN])),
        body_of(context_item(1), context_item(3), item(0x50, item(0x51, b"\0\0\x40\0") + item(0x52, b"1.2.3"))),
    ]
    outcomes = dict.fromkeys(("accepted", "rejected", "aborted"), 0)
    for number in range(2000):
        try:
            outcome = answer(mutated(bodies[number % 2], chance))
        except ProtocolError:
            outcomes["aborted"] += 1
            continue
        if isinstance(outcome, Rejection):
            outcomes["rejected"] += 1
            continue
        outcomes["accepted"] += 1
        assert outcome.pdu[0] == PduType.ASSOCIATE_AC
        accepted = {n: syntax for n, (result, syntax) in results(outcome).items() if result == 0}
        assert accepted == {n: context.transfer_syntax for n, context in outcome.contexts.items()}
    assert min(outcomes.values()) > 20, outcomes
