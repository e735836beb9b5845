"""Each row with each option, pair of options and shipped profile at each depth; then with each Type that it has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from io import BytesIO
from itertools import combinations
from pathlib import Path

from pydicom import Dataset, dcmread

from deid.context import Context
from deid.engine import Instance, deidentify
from deid.errors import Reason, Refused, SeriesNeeded
from deid.keys import Keys
from deid.profile import Profile, load_profile
from tests.standard import material, table
from tests.standard.compare import Comparison, Deviation, Witness
from tests.standard.material import CT, Node

_SHIPPED = Path(__file__).parents[2] / "config" / "profiles"
_KEYS = Keys.from_secret(bytes(range(32)))
_EXPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"

CHAIN = (0x0008_1200, 0x0008_1115, 0x0008_114A, 0x0040_A170)
"""Sequences within each other that the CT Image IOD has and Table E.1-1 doesn't: no profile removes them."""

DEPTHS = len(CHAIN) + 1

CONTRADICTORY = frozenset({table.FULL_DATES, table.MODIFIED_DATES})
"""What PS3.15 Section E.3 doesn't let be applied together."""

_NOT_RECURSED = frozenset({0x0400_0500, 0x4FFE_0001, 0x0400_0305, 0x0400_0401, 0x0004_1220})
"""Sequences outside the table that go as a whole: encrypted attributes, MACs, a DICOMDIR's records."""


@dataclass(slots=True)
class Tally:
    """What the walk counted.

    Attributes
    ----------
    checks
        attributes held against their rows
    rows, types
        rows and (row, Type) seen
    runs
        instances cleaned
    refused
        profile → instances that it refused because a step it demands isn't there
    """

    checks: Counter[str] = field(default_factory=Counter)
    rows: set[str] = field(default_factory=set)
    types: set[tuple[str, str]] = field(default_factory=set)
    runs: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    deviations: list[Deviation] = field(default_factory=list)
    witness: Witness = field(default_factory=Witness)

    @property
    def total(self) -> int:
        return self.checks.total()

    @property
    def doubtful_uids(self) -> int:
        """Number of UIDs that share their replacement with another."""
        return len(self.witness.uids) - len(set(self.witness.uids.values()))


def single_options() -> list[tuple[str, ...]]:
    """Return the Basic Profile alone and with each option."""
    return [(), *((option,) for option in table.OPTIONS)]


def pairs() -> list[tuple[str, ...]]:
    """Return each pair of options that may stand together, and all that may."""
    found: list[tuple[str, ...]] = [pair for pair in combinations(table.OPTIONS, 2) if set(pair) != CONTRADICTORY]
    all_but = (tuple(o for o in table.OPTIONS if o != left_out) for left_out in sorted(CONTRADICTORY))
    return [*found, *all_but]


def shipped() -> dict[str, Profile]:
    """Return the shipped profiles by name; texts are cleaned by rules, as the words planted here are of no language."""
    profiles = {path.stem: load_profile(path) for path in sorted(_SHIPPED.glob("*.toml"))}
    return {name: replace(profile, policy=replace(profile.policy, text="rules")) for name, profile in profiles.items()}


def with_options(options: tuple[str, ...]) -> Profile:
    """Return the Basic Profile with options; texts are cleaned by rules."""
    return Profile.from_options(" + ".join(options) or "basic", options, text="rules")


def walk_alone(tally: Tally) -> None:
    """Walk the Basic Profile alone and with each option, also with the patient's ID in every text."""
    for options in single_options():
        for planted in (False, True):
            walk_options(tally, with_options(options), planted=planted, kind="options alone")


def walk_pairs(tally: Tally) -> None:
    """Walk each pair of options, and all together."""
    for options in pairs():
        walk_options(tally, with_options(options), kind="pairs of options")


def walk_shipped(tally: Tally) -> None:
    """Walk the shipped profiles."""
    for profile in shipped().values():
        for planted in (False, True):
            walk_options(tally, profile, planted=planted, kind="shipped profiles")


def walk_all_types(tally: Tally) -> None:
    """Walk each row with each Type, under each option and the shipped profiles.

    Left out is the one with an allow-list: it removes Sequences that stand where their IOD doesn't have them.
    """
    profiles = [*map(with_options, single_options()), *shipped().values()]
    for profile in profiles:
        if not profile.policy.allow_list:
            walk_types(tally, profile)


WALKS = (walk_alone, walk_pairs, walk_shipped, walk_all_types)


@cache
def nested(*, planted: bool) -> tuple[Node, ...]:
    """Return one Data Set with all attributes at each depth."""
    inner = material.everything(planted=planted)
    for sequence in reversed(CHAIN):
        inner = [*material.everything(planted=planted), Node(sequence, "SQ", [inner])]
    return tuple(material.instance(CT, inner))


def walk_options(tally: Tally, profile: Profile, *, planted: bool = False, kind: str) -> None:
    """Clean all rows at all depths with one profile."""
    nodes = list(nested(planted=planted))
    where = f"{profile.name}{', texts with the ID' if planted else ''}"
    _run(tally, CT, nodes, profile, where, kind, planted=planted)


def walk_types(tally: Tally, profile: Profile) -> None:
    """Clean each row with each Type that an IOD gives it."""
    for sop_class_uid, nodes in typed().items():
        _run(tally, sop_class_uid, nodes, profile, f"{profile.name}, {sop_class_uid}", "types", planted=False)


@cache
def typed() -> Mapping[str, list[Node]]:
    """Return for some SOP Classes Data Sets that together have every row with every Type that can be seen.

    The attributes of a Sequence's items stand in that Sequence at the top level. A Type that an attribute has only in
    Sequences that go as a whole can't be seen.
    """
    vrs = {tag: (vr, number) for number, (_, tag, vr) in enumerate(material.places())}
    chosen: dict[str, dict[int, list[Node]]] = {}
    for (sop_class_uid, parent), tags in _cover().items():
        nodes = [material.node_of(tag, *vrs[tag], planted=False) for tag in sorted(tags)]
        chosen.setdefault(sop_class_uid, {})[parent] = nodes
    return {uid: material.instance(uid, _top_level(by_parent)) for uid, by_parent in sorted(chosen.items())}


def _top_level(by_parent: Mapping[int, list[Node]]) -> list[Node]:
    top = {node.tag: node for node in by_parent.get(0, [])}
    top |= {parent: Node(parent, "SQ", [nodes]) for parent, nodes in by_parent.items() if parent}
    return list(top.values())


@cache
def places_by_type() -> Mapping[tuple[str, int], frozenset[tuple[int, str]]]:
    """Return (SOP Class, holding Sequence) → attributes of the table with their Types, where they can be seen."""
    found: dict[tuple[str, int], set[tuple[int, str]]] = {}
    for uid in table.sop_classes():
        for (parent, tag), type_ in table.types_of(uid).items():
            row = table.row_of(parent) if parent else None
            is_seen = parent not in _NOT_RECURSED and (row is None or row.basic == "X/Z/U*")
            if is_seen and table.row_of(tag) is not None:
                found.setdefault((uid, parent), set()).add((tag, type_))
    return {place: frozenset(tags) for place, tags in found.items()}


def _cover() -> dict[tuple[str, int], set[int]]:
    """Choose places, those with most to show first, until every (attribute, Type) is in one."""
    left = set().union(*places_by_type().values())
    chosen: dict[tuple[str, int], set[int]] = {}
    while left:
        place = max(places_by_type(), key=lambda place: (len(places_by_type()[place] & left), place))
        shown = places_by_type()[place] & left
        chosen[place] = {tag for tag, _ in shown}
        left -= shown
    return chosen


def _run(
    tally: Tally, sop_class_uid: str, nodes: list[Node], profile: Profile, where: str, kind: str, *, planted: bool
) -> None:
    data = material.encode(nodes)
    tally.runs += 1
    try:
        clean = deidentify(Instance(_EXPLICIT_VR_LITTLE_ENDIAN, data), Context(profile, _KEYS)).clean
    except SeriesNeeded:  # one instance alone has no plan
        tally.refused[profile.name] += 1
        return
    except Refused as refusal:
        if refusal.reason is Reason.STEP_UNAVAILABLE and profile.demands:
            tally.refused[profile.name] += 1
        else:
            tally.deviations.append(Deviation(where, "the instance", "a clean copy", str(refusal)))
        return
    out = dcmread(BytesIO(b"".join(clean.part10())))
    types = table.types_of(sop_class_uid)
    comparison = Comparison(profile.options, types, tally.witness, planted, where)
    comparison.data_sets(nodes, out)
    tally.checks[kind] += comparison.count
    tally.deviations += comparison.deviations
    tally.deviations += _private_deviations(nodes, out, profile, where)
    if out.file_meta.MediaStorageSOPInstanceUID != out.SOPInstanceUID:
        tally.deviations.append(Deviation(where, "(0002,0003)", "the new SOP Instance UID", "another"))
    _note(tally, nodes, types, 0)


def _note(tally: Tally, nodes: list[Node], types: Mapping[tuple[int, int], str], parent: int) -> None:
    for node in nodes:
        row = table.row_of(node.tag)
        if row is not None:
            tally.rows.add(row.name)
            tally.types.add((row.name, types.get((parent, node.tag), "none")))
        elif isinstance(node.value, list):
            for item in node.value:
                _note(tally, item, types, node.tag)


def _private_deviations(nodes: list[Node], out: Dataset, profile: Profile, where: str) -> Iterator[Deviation]:
    """Hold private elements against the row for (gggg,eeee): X, and C with Retain Safe Private."""
    safe = {material.CREATOR, material.SAFE} if "retain_safe_private" in profile.options else set()
    for depth, (source, item) in enumerate(_levels(nodes, out)):
        expected = safe if any(node.tag == material.SAFE for node in source) else set()
        got = {int(tag) for tag in item.keys() if tag >> 16 & 1}  # noqa: SIM118  a Dataset yields elements
        if got != expected:
            yield Deviation(where, f"private elements, depth {depth}", f"{len(expected)}", f"{len(got)}")
        elif expected and bytes(item.get_item(material.SAFE).value).rstrip(b" ") != material.SAFE_VALUE:
            yield Deviation(where, f"private elements, depth {depth}", "kept byte for byte", "another value")


def _levels(nodes: list[Node], out: Dataset) -> Iterator[tuple[list[Node], Dataset]]:
    """Yield the Data Set and the items of the chain with what became of them."""
    yield nodes, out
    for node in nodes:
        if node.tag in CHAIN and isinstance(node.value, list) and node.tag in out:
            yield from _levels(node.value[0], out[node.tag].value[0])
