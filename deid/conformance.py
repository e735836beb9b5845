"""CONFORMANCE.md: what PS3.2 asks a de-identifier to state, written by the code that does it.

``python -m deid.conformance`` writes the file beside this module; a test holds it to what the code says.
"""

from __future__ import annotations

import argparse
import json
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from importlib.resources import files
from itertools import groupby
from pathlib import Path

import pydicom
from pydicom._uid_dict import UID_dictionary

from deid.elements.ages import OLDEST_AGE_YEARS, cap_age
from deid.elements.dates import LARGEST_SHIFT_DAYS, SMALLEST_SHIFT_DAYS, shift_value
from deid.elements.dummies import DUMMY_BY_TAG, DUMMY_BY_VR
from deid.elements.marks import BURNED_IN_ANNOTATION, marks
from deid.encoding.element import Element
from deid.encoding.syntax import TRANSFER_SYNTAXES, TransferSyntax
from deid.encoding.text import encodings
from deid.identity import PSEUDONYM_PREFIX
from deid.options import BASIC_PROFILE, OPTIONS
from deid.profile import Profile, load_profile
from deid.standard import EDITION, iod_of, known_sop_classes
from deid.standard.beyond import REMOVED_BESIDE_THE_TABLE, SAFE_PRIVATE_BESIDE_THE_LISTS
from deid.standard.iods import has_attribute_table
from deid.supported import is_supported
from deid.table import COLUMNS, Line, Outside, attribute_name, by_type, lines, outside, private_lines, tag_text

PROFILES = Path(__file__).resolve().parents[1] / "config" / "profiles"
STATEMENT = Path(__file__).with_name("CONFORMANCE.md")

_WIDTH = 120
_EXAMPLE_SHIFT_DAYS = -400
_EXAMPLE_DATES = (
    ("DA", "20240229"),
    ("DA", "2024.02.29"),
    ("DT", "20240229131500.25+0100"),
    ("DT", "202402"),
    ("DT", "2024"),
    ("TM", "131500.25"),
    ("DA", "unknown"),
)
_EXAMPLE_AGES = ("045Y", "089Y", "090Y", "101Y", "018M")
_DEFINED_TERMS = (
    *("ISO_IR 6", "ISO_IR 100", "ISO_IR 101", "ISO_IR 109", "ISO_IR 110", "ISO_IR 126", "ISO_IR 127", "ISO_IR 138"),
    *("ISO_IR 144", "ISO_IR 148", "ISO_IR 203", "ISO_IR 13", "ISO_IR 166", "ISO_IR 192", "GB18030", "GBK"),
    *("ISO 2022 IR 6", "ISO 2022 IR 100", "ISO 2022 IR 101", "ISO 2022 IR 109", "ISO 2022 IR 110"),
    *("ISO 2022 IR 126", "ISO 2022 IR 127", "ISO 2022 IR 138", "ISO 2022 IR 144", "ISO 2022 IR 148"),
    *("ISO 2022 IR 203", "ISO 2022 IR 13", "ISO 2022 IR 166", "ISO 2022 IR 87", "ISO 2022 IR 159"),
    *("ISO 2022 IR 149", "ISO 2022 IR 58"),
)
"""PS3.3 Tables C.12-2 to C.12-5."""

_NEWER_NAMES = {
    "1.2.840.10008.1.2.4.110": "JPEG XL Lossless",
    "1.2.840.10008.1.2.4.111": "JPEG XL JPEG Recompression",
    "1.2.840.10008.1.2.4.112": "JPEG XL",
    "1.2.840.10008.1.2.8.1": "Deflated Image Frame Compression",
}
"""UIDs newer than pydicom's dictionary."""


def statement(profiles: Sequence[Profile]) -> str:
    """Return the conformance statement for these profiles, as Markdown."""
    parts = (
        _introduction(),
        _profiles(profiles),
        _attributes(profiles),
        _outside(profiles),
        _dummies(),
        _uids(),
        _dates(),
        _private(profiles),
        _marks(profiles),
        _character_sets(profiles),
        _transfer_syntaxes(),
        _sop_classes(),
    )
    return "\n".join(line for part in parts for line in (*part, ""))


def shipped_profiles(folder: Path = PROFILES) -> list[Profile]:
    """Return the profiles of a folder by name.

    Raises
    ------
    Misconfigured
        One of them is wrong.
    """
    return [load_profile(path) for path in sorted(folder.glob("*.toml"))]


def main() -> None:
    """Write the statement."""
    parser = argparse.ArgumentParser(description="Write the conformance statement.")
    parser.add_argument("--profiles", type=Path, default=PROFILES, metavar="DIR", help="default: config/profiles")
    parser.add_argument("--out", type=Path, default=STATEMENT, metavar="FILE", help="default: deid/CONFORMANCE.md")
    arguments = parser.parse_args()
    arguments.out.write_text(statement(shipped_profiles(arguments.profiles)), encoding="utf-8")


def _introduction() -> Iterator[str]:
    yield "# De-identification: DICOM conformance"
    yield ""
    yield from _prose(
        "Written by `python -m deid.conformance` from the code and the shipped profiles: change those, not this file. "
        "Its parts are those of the template in PS3.2 Annex N: Section N.8.4.4 (Table N.8-7, as of 2024c) and Section "
        "N.11.2.6 (Table N.11-6, as of 2024e)."
    )
    yield ""
    yield f"The rules are those of {EDITION}."


# N.8.4.4


def _profiles(profiles: Sequence[Profile]) -> Iterator[str]:
    yield "## Attribute Confidentiality Profiles (Table N.8-7)"
    yield ""
    header = ("Profile, option", "Code", "De-identifier", "Re-identifier", "Configurable", *map(_title, profiles))
    rows = [(BASIC_PROFILE.meaning, BASIC_PROFILE.value, "Y", "N", "N", *("Y" for _ in profiles))]
    for name, option in OPTIONS.items():
        supported = "Y" if is_supported(name) else "N"
        chosen = ("Y" if name in profile.options else "-" for profile in profiles)
        rows.append((f"{option.code.meaning} (`{name}`)", option.code.value, supported, "N", "Y", *chosen))
    yield from _table(header, rows)
    yield ""
    yield from _prose(
        "De-identifier N: the step isn't built. A profile may ask for the option; instances that need it are "
        "refused, and nothing claims it. A profile's Y says that it has the option on."
    )
    partly = [profile.name for profile in profiles if _unclaimed(profile)]
    if partly:
        yield from _prose(
            f"`{', '.join(partly)}`: descriptors are cleaned by rules alone, and the option isn't claimed."
        )
    yield from _prose(
        "Any profile can be changed by overrides: for an attribute, a repeating group, a private element, a VR, for "
        "all instances or those of one SOP Class."
    )
    yield ""
    yield from _prose(
        "Attributes that the standard may define later: removed as long as the data dictionary here, that of pydicom "
        f"{pydicom.__version__}, doesn't know them; then treated by their VR, as below."
    )


# N.11.2.6


def _attributes(profiles: Sequence[Profile]) -> Iterator[str]:
    columns = ", ".join(f"{short} `{name}`" for name, short in COLUMNS.items())
    yield "## Attribute Confidentiality Details (Table N.11-6)"
    yield ""
    yield from _prose(
        "Actions are those of PS3.15 Table E.1-1a. Where the action depends on the attribute's Type in the IOD "
        "(PS3.3, the strictest of its modules) it stands so: `X, 1 1C:D, 2 2C:Z` is X, but D for Types 1 and 1C and "
        f"Z for 2 and 2C. In parentheses the option that decides, `*` an override: {columns}. In Sequences, at every "
        "depth, the Type in that place counts. Encrypted: N for all; Encrypted Attributes are not used."
    )
    yield ""
    all_lines = [lines(profile) for profile in profiles]
    rows = [
        (attribute_name(row.tag), tag_text(row.tag, row.mask), row.vr, row.basic, *map(_cell, same))
        for row, same in ((same[0].row, same) for same in zip(*all_lines, strict=True))
    ]
    yield from _table(("Attribute", "Tag", "VR", "Basic Profile", *map(_title, profiles)), rows)


def _cell(line: Line) -> str:
    kind, _, option = line.source.partition(" ")
    why = {"option": f" ({COLUMNS.get(option, option)})", "override": " *"}.get(kind, "")
    return f"{by_type(line.actions)}{why}"


def _outside(profiles: Sequence[Profile]) -> Iterator[str]:
    yield "## Attributes outside Table E.1-1"
    yield ""
    yield from _prose(
        "Attributes of PS3.6 that the table has no row for, by VR and action; in parentheses how many. Texts that "
        "somebody types to describe something (C) are cleaned with the option Clean Descriptors; another text that "
        "stays is replaced by a dummy if it holds an identifier of the patient."
    )
    yield ""
    usual = [profile for profile in profiles if not profile.policy.allow_list]
    by_profile = [_counts(profile) for profile in usual]
    vrs = sorted({vr for counts in by_profile for vr in counts})
    rows = [(vr, *(counts.get(vr, "") for counts in by_profile)) for vr in vrs]
    yield from _table(("VR", *map(_title, usual)), rows)
    allow_lists = [profile.name for profile in profiles if profile.policy.allow_list]
    if allow_lists:
        yield ""
        yield from _prose(
            f"`{', '.join(allow_lists)}`: an allow-list. X for what the instance's IOD doesn't have in that place; "
            "of texts that it has, only Defined Terms and codes of public vocabularies stay."
        )
    yield ""
    yield from _prose(
        "Without a row, though they tell of the patient or lead to a hospital's servers, and so removed: "
        f"{', '.join(attribute_name(tag) for tag in sorted(REMOVED_BESIDE_THE_TABLE))}."
    )


def _counts(profile: Profile) -> dict[str, str]:
    groups = outside(profile)
    return {
        vr: ", ".join(f"{action} ({count})" for action, count in sorted(_by_action(same).items()))
        for vr, same in ((vr, list(of_vr)) for vr, of_vr in groupby(groups, key=lambda group: group.vr))
    }


def _by_action(groups: Iterable[Outside]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for group in groups:
        counts[group.rule.action.value] += len(group.tags)
    return counts


def _dummies() -> Iterator[str]:
    yield "## Dummies (action D)"
    yield ""
    yield from _prose(
        "The same for everybody. UIDs have no dummy: the new UID stands for the old one. A Sequence keeps its form, "
        "and what its items hold is replaced by dummies at every depth, codes of public vocabularies excepted."
    )
    yield ""
    yield from _table(("VR", "Dummy"), [(vr, _shown(value)) for vr, value in sorted(DUMMY_BY_VR.items())])
    yield ""
    rows = [(attribute_name(tag), tag_text(tag), _shown(value)) for tag, value in sorted(DUMMY_BY_TAG.items())]
    yield from _table(("Attribute", "Tag", "Dummy"), rows)
    yield ""
    yield from _prose(
        f"Patient's Name and Patient ID are replaced by one pseudonym: `{PSEUDONYM_PREFIX}` and an HMAC-SHA-256 of "
        "the patient's identity under the secret key, unless the site gives its own (a crosswalk or a random "
        "table)."
    )


def _uids() -> Iterator[str]:
    yield "## UIDs (action U)"
    yield ""
    yield from _prose(
        "A UID is replaced by one below 2.25 (PS3.5 Section B.2) whose number is a version 8 UUID (RFC 9562) with "
        "the bits of HMAC-SHA-256 of the old UID under a key derived from the site's secret. Nothing is remembered. "
        "So one UID always becomes the same new one: in every attribute, instance, Series and Study, whenever it is "
        "processed, and on every node with the same secret; references between instances go on resolving. Under "
        "another secret it becomes another."
    )
    yield ""
    yield from _prose(
        "UIDs that the standard registers (PS3.6 Annex A) are never replaced: SOP Classes, Transfer Syntaxes, coding "
        "schemes, context groups, well-known frames of reference; later ones are known by their family."
    )


def _dates() -> Iterator[str]:
    yield "## Dates, times and ages (action C)"
    yield ""
    yield from _prose(
        f"All dates of a patient move by the same number of days, {SMALLEST_SHIFT_DAYS} to {LARGEST_SHIFT_DAYS} "
        "back, from HMAC-SHA-256 of the patient's identity under a key derived from the secret, unless the site "
        "gives its own. Times of day stay. Values that can't be read get the Basic Profile's action. Examples, for "
        f"{-_EXAMPLE_SHIFT_DAYS} days back:"
    )
    yield ""
    moved = ((vr, old, shift_value(vr, old.encode(), _EXAMPLE_SHIFT_DAYS)) for vr, old in _EXAMPLE_DATES)
    rows = [
        (vr, f"`{old}`", "Basic Profile's action" if new is None else f"`{new.decode()}`") for vr, old, new in moved
    ]
    yield from _table(("VR", "Value", "Becomes"), rows)
    yield ""
    yield from _prose(
        f"Ages that a profile keeps are capped over {OLDEST_AGE_YEARS} years (45 CFR 164.514(b)(2)(i)(C)):"
    )
    yield ""
    capped = ((old, cap_age(old.encode()) or b"") for old in _EXAMPLE_AGES)
    yield from _table(("Age", "Becomes"), [(f"`{old}`", f"`{new.decode()}`") for old, new in capped])


def _private(profiles: Sequence[Profile]) -> Iterator[str]:
    yield "## Private elements (PS3.15 Section E.3.10)"
    yield ""
    yield from _prose(
        f"Lists: {_private_edition()}. Beside them {len(SAFE_PRIVATE_BESIDE_THE_LISTS)} elements judged here. An "
        "element on no list, of an unknown creator or without one, is removed. Elements known by each list, and "
        "what each profile does with them:"
    )
    yield ""
    counts = [
        Counter((line.row.source, line.rule.action.value) for line in private_lines(profile)) for profile in profiles
    ]
    sources = sorted({source for each in counts for source, _ in each})
    rows = [(source, *(_actions_of(source, each) for each in counts)) for source in sources]
    yield from _table(("List", *map(_title, profiles)), rows)


def _actions_of(source: str, counts: Counter[tuple[str, str]]) -> str:
    return ", ".join(f"{action} {count}" for (of, action), count in sorted(counts.items()) if of == source)


@cache
def _private_edition() -> str:
    table = json.loads(files("deid.standard").joinpath("private.json").read_text(encoding="utf-8"))
    return str(table["edition"])


def _marks(profiles: Sequence[Profile]) -> Iterator[str]:
    yield "## What the output says of itself"
    yield ""
    written = [
        {mark.tag: mark for mark in marks(profile.name, profile.options, profile.method_codes, EDITION)}
        for profile in profiles
    ]
    rows = [
        (
            attribute_name(tag),
            tag_text(tag),
            *(_mark(found[tag], profile) for found, profile in zip(written, profiles, strict=True)),
        )
        for tag in written[0]
    ]
    yield from _table(("Attribute", "Tag", *map(_title, profiles)), rows)
    yield ""
    yield from _prose(
        f"{attribute_name(BURNED_IN_ANNOTATION)} {tag_text(BURNED_IN_ANNOTATION)} is NO where the Clean Pixel Data "
        "Option was applied to an instance with pixels: all of its frames were looked at, whatever the attribute said. "
        "Of an instance that a rule of the profile lets go unseen it is left as it was, and the option is not claimed."
    )


def _mark(mark: Element, profile: Profile) -> str:
    if isinstance(mark.value, list):
        return ", ".join(code.value for code in profile.method_codes)
    return bytes(mark.value).decode("ascii")  # type: ignore[arg-type]  # never Fragments


# What is taken


def _character_sets(profiles: Sequence[Profile]) -> Iterator[str]:
    yield "## Specific Character Sets (PS3.3 Section C.12.1.1.2)"
    yield ""
    unknown = encodings(("no Defined Term",))
    terms = [term for term in _DEFINED_TERMS if encodings((term,)) != unknown]
    yield from _prose(f"Read and searched: the default repertoire, {', '.join(terms)}.")
    if missing := [term for term in _DEFINED_TERMS if term not in terms]:
        yield from _prose(f"Not known: {', '.join(missing)}.")
    yield ""
    chosen = ", ".join(f"`{profile.name}`" for profile in profiles if profile.character_set == "utf-8") or "none"
    yield from _prose(
        "Written: each text in the character set that it came in, or, if the profile says "
        f'`character_set = "utf-8"`, all in UTF-8 (ISO_IR 192); of these profiles {chosen} does. A text that is in '
        "neither its character set nor UTF-8 is not kept."
    )


def _transfer_syntaxes() -> Iterator[str]:
    yield "## Transfer Syntaxes"
    yield ""
    yield "Taken, and given to the output:"
    yield ""
    rows = [(_uid_name(uid), uid, _kind(syntax)) for uid, syntax in TRANSFER_SYNTAXES.items()]
    yield from _table(("Name", "UID", "Kind"), rows)


def _kind(syntax: TransferSyntax) -> str:
    if not syntax.encapsulated:
        return "deflated" if syntax.deflated else "native"
    return "encapsulated, lossy" if syntax.lossy else "encapsulated, lossless"


def _sop_classes() -> Iterator[str]:
    yield "## SOP Classes"
    yield ""
    yield from _prose(
        "Instances of others are refused. IOD: whose table gives the attributes' Types; without one, all count as "
        "Type 3. Allow-list: whether a profile that is an allow-list takes its instances."
    )
    yield ""
    rows = [
        (_uid_name(uid), uid, iod_of(uid) or "", "Y" if has_attribute_table(uid) else "N")
        for uid in sorted(known_sop_classes(), key=lambda uid: tuple(map(int, uid.split("."))))
    ]
    yield from _table(("Name", "UID", "IOD", "Allow-list"), rows)
    without = len([uid for uid in known_sop_classes() if iod_of(uid) is None])
    yield ""
    yield f"{len(rows)} SOP Classes, {without} of them without an IOD table."


# Markdown


def _prose(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, break_long_words=False, break_on_hyphens=False)


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(header)} |"
    yield f"|{'---|' * len(header)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _title(profile: Profile) -> str:
    return f"`{profile.name}`"


def _unclaimed(profile: Profile) -> bool:
    claimed = {code.value for code in profile.method_codes}
    return any(OPTIONS[name].code.value not in claimed for name in profile.options)


def _uid_name(uid: str) -> str:
    return _NEWER_NAMES.get(uid) or UID_dictionary.get(uid, ("not in the dictionary",))[0]


def _shown(value: bytes) -> str:
    return f"`{value.decode()}`" if any(value) else f"{len(value)} zero bytes"


if __name__ == "__main__":
    main()
