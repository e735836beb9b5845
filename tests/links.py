"""References followed: from each UID that names something else to what it names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pydicom.dataset import Dataset


@dataclass(frozen=True, slots=True, order=True)
class Link:
    """A reference: the instance it is in, the keywords and item numbers that lead to it, and whether it arrives."""

    instance: str
    path: tuple[str | int, ...]
    arrives: bool


@dataclass(slots=True)
class _Index:
    """What can be referred to."""

    instances: dict[str, Dataset] = field(default_factory=dict)
    series: dict[str, str] = field(default_factory=dict)
    frames: set[str] = field(default_factory=set)
    tracked: set[str] = field(default_factory=set)


def links(made: Mapping[str, Dataset]) -> list[Link]:
    """Follow each reference in a set of instances, in the order of instance and place."""
    index = _Index()
    for ds in made.values():
        index.instances[str(ds.SOPInstanceUID)] = ds
        index.series[str(ds.SeriesInstanceUID)] = str(ds.StudyInstanceUID)
        index.frames.add(str(ds.get("FrameOfReferenceUID", "")))
        index.tracked |= {str(segment.get("TrackingUID", "")) for segment in ds.get("SegmentSequence", [])}
    return sorted(
        Link(name, path, arrives) for name, ds in made.items() for path, arrives in _links(ds, ds, (), (), index)
    )


def _links(
    ds: Dataset, top: Dataset, path: tuple[str | int, ...], above: tuple[Dataset, ...], index: _Index
) -> Iterator[tuple[tuple[str | int, ...], bool]]:
    for element in ds:
        here = (*path, element.keyword)
        if element.VR == "SQ":
            for number, one in enumerate(element.value):
                yield from _links(one, top, (*here, number), (*above, ds), index)
        elif above and element.VR == "UI" and element.keyword in _ARRIVES:
            yield here, _ARRIVES[element.keyword](str(element.value), ds, top, above, index)


def _to_instance(value: str, owner: Dataset, top: Dataset, above: tuple[Dataset, ...], index: _Index) -> bool:
    """Arrive if class, Series, Study, frame and segment that are named around it are those of the instance."""
    del top
    target = index.instances.get(value)
    if target is None:  # the RT Structure Set names a study as if it were an instance (PS3.3 Section C.8.8.5)
        return owner.get("ReferencedSOPClassUID") == "1.2.840.10008.3.1.2.3.1" and value in index.series.values()
    named = {"ReferencedSOPClassUID": "SOPClassUID"}
    holders = [one for one in (*above[1:], owner) if one.get("SOPInstanceUID") is None]
    for keyword in ("SeriesInstanceUID", "StudyInstanceUID"):
        nearest = next((one for one in reversed(holders) if keyword in one), None)
        if nearest is not None and nearest[keyword].value != target[keyword].value:
            return False
    frame = owner.get("ReferencedFrameNumber")
    segment = owner.get("ReferencedSegmentNumber")
    return (
        all(owner[theirs].value == target[its].value for theirs, its in named.items())
        and (frame is None or int(frame) <= int(target.NumberOfFrames))
        and (segment is None or int(segment) in {one.SegmentNumber for one in target.SegmentSequence})
    )


def _to_series(value: str, owner: Dataset, top: Dataset, above: tuple[Dataset, ...], index: _Index) -> bool:
    del owner, top
    study = next((str(one.StudyInstanceUID) for one in reversed(above[1:]) if "StudyInstanceUID" in one), None)
    return value in index.series and study in {None, index.series[value]}


def _to_study(value: str, owner: Dataset, top: Dataset, above: tuple[Dataset, ...], index: _Index) -> bool:
    del owner, top, above
    return value in index.series.values()


def _to_frame(value: str, owner: Dataset, top: Dataset, above: tuple[Dataset, ...], index: _Index) -> bool:
    del owner, top, above
    return value in index.frames


def _to_dimension(value: str, owner: Dataset, top: Dataset, above: tuple[Dataset, ...], index: _Index) -> bool:
    del owner, above, index
    return value in {str(one.DimensionOrganizationUID) for one in top.DimensionOrganizationSequence}


def _to_named(value: str, owner: Dataset, top: Dataset, above: tuple[Dataset, ...], index: _Index) -> bool:
    """Arrive at what a UIDREF content item names: a tracked segment or a Series."""
    del owner, top, above
    return value in index.tracked or value in index.series


_ARRIVES = {
    "ReferencedSOPInstanceUID": _to_instance,
    "SeriesInstanceUID": _to_series,
    "StudyInstanceUID": _to_study,
    "FrameOfReferenceUID": _to_frame,
    "ReferencedFrameOfReferenceUID": _to_frame,
    "DimensionOrganizationUID": _to_dimension,
    "UID": _to_named,
}
