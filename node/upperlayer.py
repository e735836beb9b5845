"""pynetdicom's upper layer without its threads: what both sides of the association negotiation share.

Primitives become PDUs where pynetdicom's ACSE hands them over, in the caller's thread. The socket keeps one owner from
its first byte to its last, and nothing waits in a queue that nobody reads.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from pydicom.uid import UID
from pynetdicom.association import Association, ServiceUser
from pynetdicom.dul import DULServiceProvider
from pynetdicom.pdu import A_ABORT_RQ, A_ASSOCIATE_AC, A_ASSOCIATE_RJ, A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import A_ASSOCIATE

from deid.elements.file_meta import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from node.dimse import PduType, ProtocolError
from node.errors import NodeError

_PDU = struct.Struct(">BBI")


class InlineDul(DULServiceProvider):
    """pynetdicom's DUL service provider, whose thread is never started.

    Parameters
    ----------
    send
        takes each encoded PDU
    """

    def __init__(self, association: Association, send: Callable[[bytes], None]) -> None:
        super().__init__(association)
        self._send_bytes = send

    def start(self) -> None:
        """Start no thread; only say that the layer is up, as the thread would."""
        self.assoc._dul_ready.set()  # noqa: SLF001

    def send_pdu(self, primitive: Any) -> None:  # noqa: ANN401 -- pynetdicom's signature
        """Send the PDU of a primitive at once."""
        self._send_bytes(encoded(primitive))


def encoded(primitive: Any) -> bytes:  # noqa: ANN401 -- pynetdicom's primitives have no common type
    """Return the PDU of an A-ASSOCIATE request, acceptance or rejection, of an A-ABORT or an A-P-ABORT."""
    if not isinstance(primitive, A_ASSOCIATE):
        return bytes(A_ABORT_RQ(primitive).encode())
    if primitive.result is None:
        return bytes(A_ASSOCIATE_RQ(primitive).encode())
    pdu = A_ASSOCIATE_AC if primitive.result == 0 else A_ASSOCIATE_RJ
    return bytes(pdu(primitive).encode())


def decoded(kind: PduType, body: bytes) -> Any:  # noqa: ANN401 -- pynetdicom's primitive
    """Return pynetdicom's primitive for the body of an A-ASSOCIATE-RQ or -AC; call it inside `border`."""
    pdu = A_ASSOCIATE_RQ() if kind == PduType.ASSOCIATE_RQ else A_ASSOCIATE_AC()
    pdu.decode(_PDU.pack(kind, 0, len(body)) + body)
    return pdu.to_primitive()


@contextmanager
def border(pdu_name: str) -> Iterator[None]:
    """Let nothing but the node's own errors out of pynetdicom while it works on a peer's PDU.

    Raises
    ------
    ProtocolError
        for whatever a malformed item made it stumble over
    """
    try:
        yield
    except NodeError:
        raise
    except Exception as error:  # noqa: BLE001 -- AssertionError, KeyError, struct.error, ValueError, UnicodeError …
        raise ProtocolError(f"{pdu_name} is malformed ({type(error).__name__})") from None


def introduce(user: ServiceUser, max_pdu_bytes: int) -> None:
    """Set what the node says of itself in the User Information (PS3.7 Section D.3.3)."""
    user.maximum_length = max_pdu_bytes
    user.implementation_class_uid = UID(IMPLEMENTATION_CLASS_UID)
    user.implementation_version_name = IMPLEMENTATION_VERSION_NAME
