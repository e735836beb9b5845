"""The last look: no identifier harvested from the source may be in the bytes that are about to leave."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from deid.elements.dates import shift_da
from deid.elements.dummies import DUMMY_BY_VR
from deid.elements.marks import DEIDENTIFICATION_METHOD_CODE_SEQUENCE, MARKS
from deid.elements.private import PRIVATE, disclosed
from deid.elements.pseudonyms import ACCESSION_NUMBER, PATIENT_ID, PATIENT_NAME, Patient
from deid.elements.uids import is_well_known
from deid.encoding.element import Buffer, DataSet, Element, Fragments, Pieces
from deid.encoding.reader import Limits, read_data_set
from deid.encoding.syntax import transfer_syntax
from deid.errors import Reason, Refused
from deid.identifiers import Identifiers
from deid.needles import Kind, Needle, first_in_bytes
from deid.runs import text_runs
from deid.search import NUMBER_VRS, TEXT_VRS, finding_in

_BLOCK_BYTES = 1 << 16  # small enough to stay in the cache, and for the allocator to use the same memory again
_DUMMY_DATE = DUMMY_BY_VR["DA"].decode("ascii")
_OWN_UID_ROOT = "2.25."
_PSEUDONYMOUS = frozenset({PATIENT_NAME, PATIENT_ID})


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What is looked at.

    Attributes
    ----------
    header
        all encoded elements but those of group 7FE0, in an uncompressed transfer syntax
    transfer_syntax
        that of `header`
    pixels
        the values of group 7FE0
    patient, shift_days
        what the cleaning used: a date that is explained by the shift, and the pseudonym itself, are not findings
    """

    header: bytes
    transfer_syntax: str
    pixels: tuple[Element, ...]
    patient: Patient
    shift_days: int


def verify(
    outgoing: Outgoing, identifiers: Identifiers, limits: Limits, candidates: list[Needle] | None = None
) -> None:
    """Look for every identifier in everything that will be sent.

    Parameters
    ----------
    outgoing
        what will be sent
    identifiers
        of the source
    limits
        for reading it again
    candidates
        ``identifiers.needles.possible_in(outgoing.header)``, if that is known already

    Raises
    ------
    Refused
        If one is found; the detail names the tag and the kind of identifier.
    """
    if candidates is None:
        candidates = identifiers.needles.possible_in(outgoing.header)
    if candidates:
        # What has a probe in it is read again from the very bytes, so that a mistake of the writer is seen too.
        data_set = read_data_set(outgoing.header, outgoing.transfer_syntax, limits)
        # Our own codes say nothing of anybody, though one of them, its bytes swapped, can be the number of an ID.
        data_set.elements.pop(DEIDENTIFICATION_METHOD_CODE_SEQUENCE, None)
        for owner, element in _leaves(data_set, outgoing.transfer_syntax):
            needle = _finding(candidates, element, owner, outgoing, identifiers)
            if needle is not None:
                raise _refusal(element, needle)
    _verify_pixels(outgoing.pixels, identifiers)


def verify_texts(texts: Sequence[tuple[DataSet, Element]], identifiers: Identifiers) -> None:
    """Look for every identifier in texts that will be sent in another encoding than theirs.

    What lies in their bytes in yet another one can be read only before.

    Parameters
    ----------
    texts
        as they are, each with the Data Set or Item it is in
    identifiers
        what to look for

    Raises
    ------
    Refused
        As `verify`.
    """
    joined = b"\0".join([bytes(element.value) for _, element in texts])  # type: ignore[arg-type]  # leaves
    candidates = identifiers.needles.possible_in(joined) if texts else []
    for owner, element in texts if candidates else ():
        needle = finding_in(candidates, element, owner)
        if needle is not None:
            raise _refusal(element, needle)


def _leaves(data_set: DataSet, syntax_uid: str) -> Iterator[tuple[DataSet, Element]]:
    for element in data_set.elements.values():
        value = element.value
        if element.vr == "UN" and element.tag & PRIVATE:  # a sequence of defined length, written with implicit VR
            little_endian = transfer_syntax(syntax_uid).little_endian
            inner = disclosed(element, "UN", data_set.charset, little_endian=little_endian)
            value = element.value if inner is None else inner.value
        if isinstance(value, list):
            for item in value:
                yield from _leaves(item, syntax_uid)
        elif not isinstance(value, Fragments) and len(value):
            yield data_set, element


def _finding(
    candidates: list[Needle], element: Element, owner: DataSet, outgoing: Outgoing, identifiers: Identifiers
) -> Needle | None:
    value = bytes(element.value)  # type: ignore[arg-type]  # a leaf
    if _is_ours(element, value, outgoing.patient):
        return None
    if element.vr in TEXT_VRS or element.vr in NUMBER_VRS:
        return finding_in(candidates, element, owner)
    if element.vr in {"DA", "DT"}:
        return _unshifted_date(candidates, value, outgoing.shift_days, identifiers)
    if element.vr == "UI":
        return _source_uid(candidates, value)
    return None if element.vr in {"AS", "TM"} else first_in_bytes(candidates, value)


def _is_ours(element: Element, value: bytes, patient: Patient) -> bool:
    """Tell whether the value was made here: a mark, the pseudonym, or the new accession number."""
    text = value.strip(b" \0").decode("latin-1")
    is_pseudonym = element.tag in _PSEUDONYMOUS and text == patient.pseudonym
    is_accession = element.tag == ACCESSION_NUMBER and text == patient.new_accession_number
    return is_pseudonym or is_accession or element.tag in MARKS


def _unshifted_date(candidates: list[Needle], value: bytes, days: int, identifiers: Identifiers) -> Needle | None:
    """Find a date of the source that is not, by chance, the shifted form of another one."""
    for part in value.decode("latin-1").split("\\"):
        day = part.strip(" \0").replace(".", "")[:8]
        is_dummy = day == _DUMMY_DATE  # the same for everybody, whoever was born on it
        if day in identifiers.dates and not is_dummy and shift_da(day, -days) not in identifiers.dates:
            return next((needle for needle in candidates if needle.kind is Kind.DATE), None)
    return None


def _source_uid(candidates: list[Needle], value: bytes) -> Needle | None:
    uids = {part.strip(" \0") for part in value.decode("latin-1").split("\\")}
    foreign = {uid for uid in uids if not uid.startswith(_OWN_UID_ROOT) and not is_well_known(uid)}
    return next((needle for needle in candidates if needle.kind is Kind.UID and needle.words in foreign), None)


def _verify_pixels(pixels: tuple[Element, ...], identifiers: Identifiers) -> None:
    """Look for the longer names and IDs in pixel data, where a comment or padding could carry them."""
    wanted = [needle for needle in identifiers.needles if needle.is_told_by_bytes]
    probes = {probe: needle for needle in wanted for probe in needle.probes}
    for element in pixels:
        # Of native pixels nothing but samples is left; only longer runs of ASCII would be text there at all.
        is_compressed = isinstance(element.value, Fragments)
        looked_for = {probe: needle for probe, needle in probes.items() if is_compressed or probe.isascii()}
        for buffer in _buffers(element):
            needle = _in_bulk(looked_for, buffer)
            if needle is not None:
                raise _refusal(element, needle)


def _buffers(element: Element) -> list[Buffer | Pieces]:
    if isinstance(element.value, Fragments):
        return [element.value.offsets, *element.value.items]
    return [] if isinstance(element.value, list) else [element.value]


def _in_bulk(probes: dict[bytes, Needle], buffer: Buffer | Pieces) -> Needle | None:
    """Find a needle in a large value, block by block, looking closer only where letters or digits follow each other."""
    overlap = max(map(len, probes), default=0)
    ascii_only = all(map(bytes.isascii, probes))
    for start in range(0, len(buffer) if probes else 0, _BLOCK_BYTES):
        block = bytes(buffer[start : start + _BLOCK_BYTES + overlap])
        text = (b"\0".join(text_runs(block)) if ascii_only else block).lower()
        for probe, needle in probes.items():
            if text and probe in text:
                return needle
    return None


def _refusal(element: Element, needle: Needle) -> Refused:
    where = f"({element.tag >> 16:04X},{element.tag & 0xFFFF:04X})"
    return Refused(Reason.IDENTIFIER_LEFT, f"{where} {needle.kind.name.lower()}")
