"""Transfer Syntaxes that carry instances (PS3.5 2025 Annex A; PS3.6 Table A-1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from deid.errors import Reason, Refused

IMPLICIT_VR_LITTLE_ENDIAN: Final = "1.2.840.10008.1.2"
EXPLICIT_VR_LITTLE_ENDIAN: Final = "1.2.840.10008.1.2.1"
DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN: Final = "1.2.840.10008.1.2.1.99"
EXPLICIT_VR_BIG_ENDIAN: Final = "1.2.840.10008.1.2.2"


@dataclass(frozen=True, slots=True)
class TransferSyntax:
    """How a Data Set is encoded.

    Attributes
    ----------
    uid
        the UID registered in PS3.6
    implicit_vr
        Value Representations are left to the reader's dictionary
    little_endian
        the least significant byte comes first
    deflated
        the encoded Data Set is one raw deflate stream (PS3.5 Section A.5)
    encapsulated
        Pixel Data lies in fragments (PS3.5 Section A.4)
    lossy
        the codec can lose information: what was compressed once is not to be compressed again
    """

    uid: str
    implicit_vr: bool = False
    little_endian: bool = True
    deflated: bool = False
    encapsulated: bool = False
    lossy: bool = False


_NATIVE: Final = (
    TransferSyntax(IMPLICIT_VR_LITTLE_ENDIAN, implicit_vr=True),
    TransferSyntax(EXPLICIT_VR_LITTLE_ENDIAN),
    TransferSyntax(DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN, deflated=True),
    TransferSyntax(EXPLICIT_VR_BIG_ENDIAN, little_endian=False),
)

_LOSSLESS: Final = (
    "1.2.840.10008.1.2.1.98",  # Encapsulated Uncompressed
    "1.2.840.10008.1.2.4.57",  # JPEG Lossless (Process 14)
    "1.2.840.10008.1.2.4.58",  # JPEG Lossless (Process 15), retired
    "1.2.840.10008.1.2.4.65",  # JPEG Lossless, hierarchical (Process 28), retired
    "1.2.840.10008.1.2.4.66",  # JPEG Lossless, hierarchical (Process 29), retired
    "1.2.840.10008.1.2.4.70",  # JPEG Lossless (Process 14, Selection Value 1)
    "1.2.840.10008.1.2.4.80",  # JPEG-LS Lossless
    "1.2.840.10008.1.2.4.90",  # JPEG 2000 Lossless Only
    "1.2.840.10008.1.2.4.92",  # JPEG 2000 Multi-component Lossless Only
    "1.2.840.10008.1.2.4.110",  # JPEG XL Lossless
    "1.2.840.10008.1.2.4.201",  # HTJ2K Lossless Only
    "1.2.840.10008.1.2.4.202",  # HTJ2K RPCL Lossless Only
    "1.2.840.10008.1.2.5",  # RLE Lossless
    "1.2.840.10008.1.2.8.1",  # Deflated Image Frame Compression
)

_LOSSY: Final = (
    "1.2.840.10008.1.2.4.50",  # JPEG Baseline (Process 1)
    "1.2.840.10008.1.2.4.51",  # JPEG Extended (Process 2 and 4)
    *(f"1.2.840.10008.1.2.4.{process}" for process in range(52, 57)),  # JPEG, retired
    *(f"1.2.840.10008.1.2.4.{process}" for process in range(59, 65)),  # JPEG hierarchical, retired
    "1.2.840.10008.1.2.4.81",  # JPEG-LS Near-Lossless
    "1.2.840.10008.1.2.4.91",  # JPEG 2000
    "1.2.840.10008.1.2.4.93",  # JPEG 2000 Multi-component
    *(f"1.2.840.10008.1.2.4.{codec}" for codec in range(100, 109)),  # MPEG2, MPEG-4, HEVC
    *(f"1.2.840.10008.1.2.4.{codec}.1" for codec in range(100, 107)),  # the same, fragmentable
    "1.2.840.10008.1.2.4.111",  # JPEG XL JPEG Recompression
    "1.2.840.10008.1.2.4.112",  # JPEG XL
    "1.2.840.10008.1.2.4.203",  # HTJ2K
)

TRANSFER_SYNTAXES: Final[dict[str, TransferSyntax]] = (
    {syntax.uid: syntax for syntax in _NATIVE}
    | {uid: TransferSyntax(uid, encapsulated=True) for uid in _LOSSLESS}
    | {uid: TransferSyntax(uid, encapsulated=True, lossy=True) for uid in _LOSSY}
)
"""By UID. Left out: JPIP (pixels lie elsewhere), SMPTE ST 2110 (streams), MIME and XML (no Data Sets), Papyrus."""


def transfer_syntax(uid: str) -> TransferSyntax:
    """Return the Transfer Syntax with this UID.

    Raises
    ------
    Refused
        UNSUPPORTED_TRANSFER_SYNTAX, for any other UID
    """
    syntax = TRANSFER_SYNTAXES.get(uid)
    if syntax is None:
        raise Refused(Reason.UNSUPPORTED_TRANSFER_SYNTAX)
    return syntax
