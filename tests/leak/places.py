"""The list of hiding places, one entry for each row, and what of it is examined elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import chain, count
from random import Random
from typing import Any

from tests.leak import attributes, containers, documents, header, kept, pictures, streams
from tests.leak.subject import Draw, Plant

ELSEWHERE = {
    "Burned-in text": "the pixel exam: it is image, and takes reading",
    "Faces": "the defacing exam",
    "Least significant stored bits": "image by definition; whoever hides there knows what they do",
    "Numeric quasi-identifiers": "weight, size, sex: kept or not by the profile's options, not sentinels",
    "Command set, AE titles on the wire": "the node's tests",
    "Logs, metrics, exceptions, temporary files": "the node's tests; refusals' messages are searched here",
}


@dataclass(frozen=True, slots=True)
class Place:
    """One row of the list.

    Attributes
    ----------
    name
        as the table prints it
    variants
        lists what it holds: attributes, codecs, positions
    build
        plants one sentinel in one variant
    """

    name: str
    variants: Callable[[], tuple[Any, ...]]
    build: Callable[[Draw, Any], Plant]


PLACES = tuple(
    Place(*row)
    for row in (
        ("Preamble", header.preambles, header.in_preamble),
        ("File Meta Information", header.meta_elements, header.in_meta),
        ("Table E.1-1, every row", attributes.rows, attributes.in_row),
        ("Person names: groups and character sets", attributes.names, attributes.in_name),
        ("Character sets that lie", kept.charset_lies, kept.in_charset_lie),
        ("Free text: a name of the header", kept.name_variants, kept.name_in_text),
        ("Free text: an ID of the header", kept.id_variants, kept.id_in_text),
        ("Free text: a date of the header", kept.date_variants, kept.date_in_text),
        ("Free text: a UID of the header", kept.uid_variants, kept.uid_in_text),
        ("Bytes: a name of the header", kept.binary_variants, kept.name_in_bytes),
        ("AE AS CS DA DS IS TM UI abused", attributes.abuses, attributes.in_abuse),
        ("VR other than the attribute's", attributes.wrong_vrs, attributes.in_wrong_vr),
        ("After NUL, padding, too many values", attributes.overruns, attributes.in_overrun),
        ("Dates and times outside the table", attributes.dates, attributes.in_date),
        ("UIDs outside the table", attributes.uids, attributes.in_uid),
        ("Private and odd groups", containers.private_variants, containers.in_private),
        ("UN that hides a sequence", containers.un_variants, containers.in_un),
        ("Unknown attributes of even groups", containers.unknown_variants, containers.in_unknown),
        ("Sequences, depth 0 to 32", containers.depths, containers.at_depth),
        ("Original, modified, encrypted attributes", containers.originals, containers.in_original),
        ("Digital signatures", containers.signatures, containers.in_signature),
        ("Icon image", pictures.icons, pictures.in_icon),
        ("Overlays and curves", pictures.overlays, pictures.in_overlay),
        ("Unused bits of pixels", pictures.unused_bits, pictures.in_unused_bits),
        ("Bytes after the frames", pictures.excesses, pictures.in_excess),
        ("Lookup tables, palettes, ICC", pictures.tables, pictures.in_table),
        ("Comments in compressed frames", streams.comments, streams.in_comment),
        ("Offset tables, fragments", streams.fragments, streams.in_fragments),
        ("Bytes after the Data Set", header.tails, header.in_tail),
        ("Duplicates, order, group lengths", header.disorders, header.in_disorder),
        ("Deflated tail, second stream", header.deflated_tails, header.in_deflated_tail),
        ("Encapsulated documents", documents.documents, documents.in_document),
        ("SR, PR, KOS, RT, waveform, WSI content", documents.contents, documents.in_content),
        ("DICOMDIR, command and file attributes", containers.foreign, containers.in_foreign),
    )
)


@dataclass(frozen=True, slots=True)
class Task:
    """One plant to be made: its place, variant and seed."""

    place: int
    variant: int
    seed: str

    def plant(self) -> Plant:
        """Make it; equal tasks make equal plants."""
        place = PLACES[self.place]
        return place.build(Draw(Random(self.seed)), _variants(self.place)[self.variant])


@cache
def _variants(place: int) -> tuple[Any, ...]:
    return PLACES[place].variants()


def tasks(seed: int, limit: int) -> list[Task]:
    """Return at least `limit` tasks: every variant of every place in turn, until there are enough."""
    out: list[Task] = []
    for turn in count():
        out += chain.from_iterable(_turn(seed, turn, place) for place in range(len(PLACES)))
        if len(out) >= limit:
            return out
    return out


def _turn(seed: int, turn: int, place: int) -> Iterator[Task]:
    for variant in range(len(_variants(place))):
        yield Task(place, variant, f"{seed}/{turn}/{place}/{variant}")


def again(seed: str) -> Task:
    """Return the task that a verdict names by its seed."""
    _, _, place, variant = seed.split("/")
    return Task(int(place), int(variant), seed)


def sample(place: int, seed: int, limit: int) -> list[Task]:
    """Return `limit` tasks of one place, evenly from its variants."""
    found = list(_turn(seed, 0, place))
    return [found[index * len(found) // limit] for index in range(min(limit, len(found)))] if found else []
