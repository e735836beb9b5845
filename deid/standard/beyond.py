"""What this project adds where Table E.1-1 has no row: judgements, each with its attribute's name."""

from __future__ import annotations

from collections.abc import Mapping

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
        0x04000520,  # Encrypted Content
    }
)
"""Without a row in Table E.1-1, though they tell of the patient or lead to a hospital's servers."""

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
        0x04000010,  # MAC Calculation Transfer Syntax UID
        0x30100052,  # Pertinent SOP Classes in Study
        0x30100053,  # Pertinent SOP Classes in Series
    }
)
"""UIDs that name a class, a syntax, a registry or a group of codes, never an instance."""

SAFE_PRIVATE_BESIDE_THE_LISTS: Mapping[tuple[str, int], str] = {
    ("Image Private Header", 0x00650009): "FD",  # United Imaging: diffusion b-value
    ("Image Private Header", 0x00650037): "FD",  # United Imaging: diffusion gradient direction
    ("Image Private Header", 0x00650050): "DS",  # United Imaging: number of images in a mosaic
}
"""Private elements (creator, 0xGGGG00EE) → VR that no list knows, without which a diffusion series is lost.

They are numbers whose meaning is public knowledge: converters such as dcm2niix read them so. A list's own row goes
before them.
"""
