"""What this project adds where Table E.1-1 has no row: judgements, each with its attribute's name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from pydicom.datadict import get_entry

REMOVED_BESIDE_THE_TABLE = frozenset(
    {
        0x00080407,  # Stored Instance Base URI
        0x00080408,  # Folder Access URI
        0x00080409,  # File Access URI
        0x0008040B,  # Filename In Container
        0x00081190,  # Retrieve URL
        0x00100033,  # Patient's Birth Date In Alternative Calendar
        0x00100034,  # Patient's Death Date In Alternative Calendar
        0x00100035,  # Patient's Alternative Calendar
        0x00287FE0,  # Pixel Data Provider URL
        0x00404073,  # Storage URL
        0x00102298,  # Responsible Person Role: may stand only beside Responsible Person, which goes (PS3.3 Table C.7-1)
        0x0040E010,  # Retrieve URI
        0x0040E011,  # Retrieve Location UID
        0x0040E030,  # Repository Unique ID
        0x0040E031,  # Home Community ID
        0x0074100A,  # Contact URI
        0x04000500,  # Encrypted Attributes Sequence: the original attributes, for whoever has the key
        0x04000510,  # Encrypted Content Transfer Syntax UID
        0x04000520,  # Encrypted Content
        0x04000005,  # MAC ID Number: what a signature of the original was made of, as are the following
        0x04000010,  # MAC Calculation Transfer Syntax UID
        0x04000015,  # MAC Algorithm
        0x04000020,  # Data Elements Signed
        0x04000110,  # Certificate Type
        0x04000120,  # Signature
        0x04000305,  # Certified Timestamp Type
        0x04000401,  # Digital Signature Purpose Code Sequence
        0x4FFE0001,  # MAC Parameters Sequence
        0x00880130,  # Storage Media File-set ID: the label of a disk, a patient's name more often than not
        0x00041130,  # File-set ID: it and the following are of a DICOMDIR (PS3.3 Annex F), not of an instance
        0x00041141,  # File-set Descriptor File ID
        0x00041142,  # Specific Character Set of File-set Descriptor File
        0x00041200,  # Offset of the First Directory Record of the Root Directory Entity
        0x00041202,  # Offset of the Last Directory Record of the Root Directory Entity
        0x00041212,  # File-set Consistency Flag
        0x00041220,  # Directory Record Sequence
        0x00041400,  # Offset of the Next Directory Record
        0x00041410,  # Record In-use Flag
        0x00041420,  # Offset of Referenced Lower-Level Directory Entity
        0x00041430,  # Directory Record Type
        0x00041432,  # Private Record UID
        0x00041500,  # Referenced File ID
        0x00041504,  # MRDR Directory Record Offset
        0x00041510,  # Referenced SOP Class UID in File
        0x00041512,  # Referenced Transfer Syntax UID in File
        0x0004151A,  # Referenced Related General SOP Class UID in File
        0x00041600,  # Number of References
    }
)
"""Without a row in Table E.1-1, though they tell of the patient or lead to a hospital's servers."""

DESCRIPTORS_BY_NAME = frozenset(
    {
        0x00082120,  # Stage Name
        0x00100218,  # Strain Additional Information
        0x00144072,  # Calibration Procedure
        0x0014409B,  # Scan Procedure
        0x00189423,  # Acquisition Protocol Name
        0x00189908,  # Potential Reasons for Procedure
        0x0018990A,  # Potential Diagnostic Tasks
        0x00189916,  # Instruction Text
        0x00189922,  # Protocol Element Name
        0x00189924,  # Protocol Element Purpose
        0x00221095,  # Implant Name
        0x00240306,  # Data Set Name
        0x00620020,  # Tracking ID
        0x00720002,  # Hanging Protocol Name
        0x00720008,  # Hanging Protocol Creator
        0x00720010,  # Hanging Protocol User Group Name
        0x00741238,  # Reason for Cancellation
        0x00760001,  # Implant Assembly Template Name
        0x00760030,  # Surgical Technique
        0x00780001,  # Implant Template Group Name
        0x30020003,  # RT Image Name
        0x30080066,  # Override Reason
        0x300A0009,  # Treatment Protocols
        0x300A00C2,  # Beam Name
        0x300A00FE,  # Block Name
        0x300A0236,  # Application Setup Name
        0x300A0244,  # Template Name
    }
)
"""Texts that somebody types, in an attribute whose name doesn't tell so."""

_TYPED_VRS = frozenset({"LO", "LT", "SH", "ST", "UC", "UT"})
_TYPED = re.compile(
    r"(?:Description|Comments?|Label|Title|Notes|Explanation|Remarks|Rationale|Summary|Information|Conditions)"
    r"(?:Trial)?\Z"
)
_CODED = re.compile(r"CodeMeaning|CodingScheme|PrivateDataElement|DataElementDescription|SensitivityDescription")


@lru_cache(maxsize=8192)
def is_descriptor(tag: int) -> bool:
    """Tell whether an attribute that Table E.1-1 has no row for holds what somebody typed to describe something.

    They are what Clean Descriptors is for (PS3.15 Section E.3.5), as it is of the attributes that the table does list.
    """
    try:
        vr, _, _, _, keyword = get_entry(tag)
    except KeyError:
        return False
    if vr not in _TYPED_VRS:
        return False
    if tag in DESCRIPTORS_BY_NAME:
        return True
    return _TYPED.search(keyword) is not None and not _CODED.search(keyword)


UIDS_OF_NO_INSTANCE = frozenset(
    {
        0x00080016,  # SOP Class UID
        0x0008001A,  # Related General SOP Class UID
        0x0008001B,  # Original Specialized SOP Class UID
        0x00080062,  # SOP Classes in Study
        0x0008010C,  # Coding Scheme UID
        0x0008010D,  # Context Group Extension Creator UID
        0x00080117,  # Context UID
        0x00080118,  # Mapping Resource UID
        0x0008040E,  # Stored Instance Transfer Syntax UID
        0x00081150,  # Referenced SOP Class UID
        0x0008115A,  # SOP Classes Supported
        0x00083002,  # Available Transfer Syntax UID
        0x00340003,  # Flow Transfer Syntax UID
        0x30100052,  # Pertinent SOP Classes in Study
        0x30100053,  # Pertinent SOP Classes in Series
    }
)
"""UIDs that name a class, a syntax, a registry or a group of codes, never an instance."""

PUBLIC_UIDS_OF_OTHERS = frozenset(
    {
        "1.2.276.0.7230010.3.0.0.1",  # coding scheme 99_OFFIS_DCMTK
        "1.3.6.1.4.1.5962.98.1",  # coding scheme 99PMP of PixelMed
        "1.3.12.2.1107.5.9.1",  # Siemens CSA Non-Image Storage
        "1.3.12.2.1107.5.99.3.10",  # Siemens AX Frame Sets Storage
        "1.2.840.113619.4.26",  # GE Private 3D Model Storage
        "1.2.840.113619.4.27",  # GE Nuclear Medicine Private Storage
        "1.2.840.113619.4.30",  # GE Nuclear Medicine Private Instance Storage
        "1.2.840.113619.5.2",  # GE Implicit VR Big Endian
        "1.3.46.670589.11.0.0.12.1",  # Philips MR Spectrum Storage
        "1.3.46.670589.11.0.0.12.2",  # Philips MR Series Data Storage
        "1.3.46.670589.11.0.0.12.4",  # Philips MR Exam Card Storage
    }
)
"""UIDs of classes, syntaxes and coding schemes that their makers have published."""

SAFE_PRIVATE_BESIDE_THE_LISTS: Mapping[tuple[str, int], str] = {
    ("Image Private Header", 0x00650009): "FD",  # United Imaging: diffusion b-value
    ("Image Private Header", 0x00650037): "FD",  # United Imaging: diffusion gradient direction
    ("Image Private Header", 0x00650050): "DS",  # United Imaging: number of images in a mosaic
}
"""Private elements (creator, 0xGGGG00EE) → VR that no list knows, without which a diffusion series is lost.

They are numbers whose meaning is public knowledge: converters such as dcm2niix read them so. A list's own row goes
before them.
"""
