"""Scripts of where devices burn text in, as region files: RSNA CTP's pixel anonymizer and recipes of pydicom/deid."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from node.importing.conditions import Box, Template, Unsayable, template_toml, templates
from node.importing.ctp_filter import FilterSyntaxError, methods_in, parse_filter
from node.importing.deid_recipe import Label, RecipeSyntaxError, criteria_in, parse_criteria, read_recipe
from node.importing.outcome import Fidelity, Imported, Remark, Use, one_line

__all__ = ["import_ctp_regions", "import_recipe"]

_SIGNATURE = re.compile(r"\{(?P<signature>[^{}]*)\}")
_REGION = re.compile(r"\((?P<numbers>[^()]*)\)")
_ONLY_SORTS = "no coordinates: it only sorts images into a group"
_RULED = re.compile(r"\W+")


@dataclass(slots=True)
class _Draft:
    """What the file is made of."""

    found: list[Template] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)
    uses: list[Use] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    sections: int = 0

    def name(self, wanted: str) -> str:
        """Return a name that no other has."""
        base = one_line(wanted, 80) or "imported"
        name, number = base, 1
        while name in self.names:
            number += 1
            name = f"{base} ({number})"
        self.names.add(name)
        return name

    def add(self, made: list[Template], where: str, said: str, methods: list[str]) -> None:
        """Take templates; conditions that none of them can say are remarked on."""
        self.found += made
        dropped = sum(template.dropped for template in made)
        if dropped:
            note = "two conditions on one attribute: only one is asked, so that more is masked"
            self.remarks.append(Remark(where, said, Fidelity.NEARLY, note))
        self.uses += [Use(method, Fidelity.NEARLY if dropped else Fidelity.CARRIED) for method in methods]

    def lost(self, where: str, said: str, note: str, functions: list[str]) -> None:
        """Note a section that isn't carried over."""
        self.remarks.append(Remark(where, said, Fidelity.LOST, note))
        self.uses += [Use(function, Fidelity.LOST) for function in functions]


def import_ctp_regions(text: str, source: str) -> Imported:
    """Make a region file of a script of RSNA CTP's pixel anonymizer: ``{ signature } (x,y,width,height) …``."""
    draft = _Draft()
    signatures = list(_SIGNATURE.finditer(text))
    ends = [*(match.start() for match in signatures[1:]), len(text)][: len(signatures)]
    before = 0
    for match, end in zip(signatures, ends, strict=True):
        name = draft.name(_title(text[before : match.start()]))
        behind = text[match.end() : end]
        regions = list(_REGION.finditer(behind))
        before = match.end() + (regions[-1].end() if regions else 0)
        draft.sections += 1
        said = one_line(match["signature"])
        methods = methods_in(match["signature"]) or ["(no method)"]
        try:
            boxes = _boxes((_ctp_box(region["numbers"]) for region in regions), "no region follows")
            made = list(templates(name, parse_filter(match["signature"]), boxes))
        except (Unsayable, FilterSyntaxError) as error:
            draft.lost(name, said, str(error), methods)
        else:
            draft.add(made, name, said, methods)
    draft.remarks.append(_ALL_COUNT)
    return _imported("a script of RSNA CTP's DICOM pixel anonymizer", draft, source)


_ALL_COUNT = Remark(
    "order",
    "the first signature that matches",
    Fidelity.NEARLY,
    "all templates that match are masked, in any case of letters",
)


def _title(text: str) -> str:
    """Return the last comment before a signature that has words in it."""
    lines = [line.strip() for line in text.splitlines()]
    return next((line for line in reversed(lines) if _RULED.sub("", line)), "imported")


def _boxes(boxes: Iterable[Box], otherwise: str) -> tuple[Box, ...]:
    found = tuple(boxes)
    if not found:
        raise Unsayable(otherwise)
    return found


def _ctp_box(numbers: str) -> Box:
    x, y, width, height = _four(numbers)
    return Box.of(x, y, x + width, y + height)


def _four(numbers: str) -> tuple[int, int, int, int]:
    parts = [part.strip() for part in numbers.split(",")]
    if len(parts) != 4 or not all(re.fullmatch(r"-?\d{1,6}", part) for part in parts):
        raise Unsayable("a region is no four numbers")
    return int(parts[0]), int(parts[1]), int(parts[2]), int(parts[3])


def import_recipe(text: str, source: str) -> Imported:
    """Make a region file of the filters of a pydicom/deid recipe that say where pixels are to be blanked.

    Raises
    ------
    Misconfigured
        It is no recipe for DICOM.
    """
    draft = _Draft()
    recipe = read_recipe(text, source)
    for label in recipe.labels:
        draft.sections += 1
        _translate_label(label, draft)
    for section, count in recipe.others.items():
        note = "regions are taken from filters alone; what is done with the header is for a profile"
        draft.remarks.append(Remark(section, f"{count} lines", Fidelity.LOST, note))
        draft.uses += [Use(section, Fidelity.LOST)] * count
    return _imported("a recipe of pydicom/deid", draft, source)


def _translate_label(label: Label, draft: _Draft) -> None:
    name, functions = draft.name(label.name), criteria_in(label)
    said = one_line("; ".join((*label.criteria, *(f"{kind} {value}" for kind, value in label.coordinates))))
    try:
        boxes = _boxes((_recipe_box(*each) for each in label.coordinates), _ONLY_SORTS)
        made = list(templates(name, parse_criteria(label.criteria), boxes))
    except (Unsayable, RecipeSyntaxError) as error:
        draft.lost(name, said, str(error), functions)
    else:
        draft.add(made, name, said, functions)


def _recipe_box(kind: str, value: str) -> Box:
    if kind.startswith("keep"):
        raise Unsayable("what is to stay isn't listed; outside of calibrated ultrasound regions all is masked anyway")
    if value == "all":
        return Box.of(0, 0, 1 << 16, 1 << 16)
    if value.startswith("from:"):
        raise Unsayable("coordinates that stand in an attribute")
    numbers = _four(value)
    if kind == "ctpcoordinates":
        x, y, width, height = numbers
        return Box.of(x, y, x + width, y + height)
    return Box.of(*numbers)


def _imported(kind: str, draft: _Draft, source: str) -> Imported:
    lost = sum(remark.fidelity is Fidelity.LOST and remark.where in draft.names for remark in draft.remarks)
    boxes = sum(len(template.boxes) for template in draft.found)
    summary = (
        f"{draft.sections} sections, {draft.sections - lost} carried over",
        f"{len(draft.found)} templates with {boxes} boxes",
    )
    lines = "\n".join(_toml(kind, draft, source)) + "\n"
    return Imported(kind, lines, tuple(draft.uses), tuple(draft.remarks), summary)


def _toml(kind: str, draft: _Draft, source: str) -> Iterator[str]:
    yield f"# Made of {one_line(source, 80)}, {kind}, by `deid-node profile import`."
    yield '# A profile names this file in [pixels]: regions = ["shipped", "this.toml"]. Templates only add to what is'
    yield "# masked. deid/pixels/template.py says how such a file is written."
    for remark in draft.remarks:
        yield f"# {remark.line()}"
    for template in draft.found:
        yield ""
        yield from template_toml(template)
