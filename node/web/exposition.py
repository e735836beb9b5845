"""Metrics as text: the exposition format of Prometheus, version 0.0.4."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Family:
    """All samples of one name.

    Attributes
    ----------
    samples
        labels and value; a histogram's are written with their suffixes by `histogram`
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    samples: tuple[tuple[str, Mapping[str, str], float], ...]


def family(
    name: str,
    kind: Literal["counter", "gauge"],
    text: str,
    samples: Iterable[tuple[Mapping[str, str], float]],
) -> Family:
    """Make a counter or a gauge; names begin with ``deid_node_``."""
    return Family(f"deid_node_{name}", kind, text, tuple(("", labels, value) for labels, value in samples))


def histogram(
    name: str,
    text: str,
    found: Iterable[tuple[Mapping[str, str], Mapping[float, int], float]],
    bounds: tuple[float, ...],
) -> Family:
    """Make a histogram.

    Parameters
    ----------
    found
        labels, how many there are in each bucket alone, and the sum of all values
    bounds
        of the buckets, the last one infinite
    """
    samples: list[tuple[str, Mapping[str, str], float]] = []
    for labels, buckets, total in found:
        count = 0
        for bound in bounds:
            count += buckets.get(bound, 0)
            samples.append(("_bucket", {**labels, "le": "+Inf" if math.isinf(bound) else f"{bound:g}"}, count))
        samples += [("_sum", labels, total), ("_count", labels, count)]
    return Family(f"deid_node_{name}", "histogram", text, tuple(samples))


def exposition(families: Iterable[Family]) -> str:
    """Write metrics; families without samples are left out."""
    return "".join(f"{line}\n" for each in families if each.samples for line in _lines(each))


def _lines(each: Family) -> Iterator[str]:
    yield f"# HELP {each.name} {each.help}"
    yield f"# TYPE {each.name} {each.kind}"
    for suffix, labels, value in each.samples:
        inner = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
        yield f"{each.name}{suffix}{{{inner}}} {_number(value)}" if inner else f"{each.name}{suffix} {_number(value)}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(float(value))
