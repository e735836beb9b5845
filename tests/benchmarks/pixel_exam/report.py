"""Tables of an exam, its targets, and the line that a script reads: no text that was drawn, only classes and counts."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np

from tests.benchmarks.pixel_exam.draw import HIDDEN, SHOWN
from tests.benchmarks.pixel_exam.fonts import script_of
from tests.benchmarks.pixel_exam.marks import Marked, MarkedLine
from tests.benchmarks.pixel_exam.memory import MOST_MIB, Measured
from tests.benchmarks.pixel_exam.seedset import MOST_CPU_S, PUBLISHED_F1, Scored
from tests.benchmarks.share import Share
from tests.benchmarks.target import Target

CLEAR, STRONG = 0.18, 0.4
LEAST_PX = 10
CLEAR_MASKED, STRONG_MASKED, HIDDEN_MASKED, UNTOUCHED, FALSE_AREA = 0.97, 0.995, 0.9, 0.95, 0.003
_USUAL = (512, 512)
_T = TypeVar("_T")
_Pair = tuple[Marked, MarkedLine]


def _contrast_class(line: MarkedLine) -> str:
    if line.line.window == HIDDEN:
        return "outside the window"
    value = line.line.contrast
    return "< 0.18" if value < CLEAR else "0.18 to 0.4" if value < STRONG else ">= 0.4"


def _size_class(line: MarkedLine) -> str:
    size = line.line.size_px
    return next(
        name for limit, name in ((10, " 8 to 9"), (15, "10 to 14"), (25, "15 to 24"), (999, "25 to 48")) if size < limit
    )


def _frames_class(marked: Marked, line: MarkedLine) -> str:
    count = marked.question.shape[0]
    if count == 1:
        return "one frame"
    return "all of several" if len(line.line.frames) == count else "some of several"


_CLASSES: Mapping[str, Callable[[Marked, MarkedLine], str]] = {
    "contrast": lambda _, line: _contrast_class(line),
    "size, px": lambda _, line: _size_class(line),
    "rotation": lambda _, line: line.line.rotation,
    "what it is": lambda _, line: line.line.kind,
    "script": lambda _, line: script_of(line.line.text),
    "font": lambda _, line: line.line.face,
    "style": lambda _, line: line.line.style,
    "frames": _frames_class,
    "modality": lambda marked, _: marked.question.modality,
    "transfer syntax": lambda marked, _: marked.question.syntax.name,
    "photometric": lambda marked, _: marked.question.photometric,
    "bits stored": lambda marked, _: f"{marked.question.bits:2}",
    "background": lambda marked, _: "real" if marked.question.is_real else "made",
}


@dataclass(frozen=True)
class Marks:
    """All marked images of a system, or some of them."""

    marked: Sequence[Marked]

    @cached_property
    def pairs(self) -> list[_Pair]:
        """All lines that identify, with their images."""
        return [(marked, line) for marked in self.marked for line in marked.phi]

    def lines(self, is_wanted: Callable[[Marked, MarkedLine], bool] = lambda *_: True) -> Share:
        """How many lines are masked, of those wanted."""
        chosen = [line.is_masked for marked, line in self.pairs if is_wanted(marked, line)]
        return Share(sum(chosen), len(chosen))

    @staticmethod
    def is_clear(_: Marked, line: MarkedLine) -> bool:
        return line.line.window == SHOWN and line.line.contrast >= CLEAR

    @staticmethod
    def is_easy(_: Marked, line: MarkedLine) -> bool:
        drawn = line.line
        return (
            drawn.window == SHOWN and drawn.contrast >= STRONG and drawn.rotation == "0" and drawn.size_px >= LEAST_PX
        )

    @staticmethod
    def is_hidden(_: Marked, line: MarkedLine) -> bool:
        return line.line.window == HIDDEN

    @staticmethod
    def is_of_one_frame(marked: Marked, _: MarkedLine) -> bool:
        return marked.question.shape[0] == 1

    @property
    def harmless_kept(self) -> Share:
        """How many markers and settings show still."""
        some = [line for marked in self.marked for line in marked.lines if line.line.is_harmless and not marked.refused]
        return Share(sum(not line.is_masked for line in some), len(some))

    @property
    def wholly_clean(self) -> Share:
        """How many of the images with lines show none of them."""
        some = [marked for marked in self.marked if marked.phi]
        return Share(sum(marked.is_wholly_clean for marked in some), len(some))

    @property
    def clean(self) -> list[Marked]:
        return [marked for marked in self.marked if marked.question.is_clean]

    @property
    def untouched(self) -> Share:
        """How many images without text are as they were."""
        return Share(sum(marked.is_untouched for marked in self.clean), len(self.clean))

    @property
    def usual_untouched(self) -> Share:
        """The same, of 512 by 512 pixels."""
        some = [marked for marked in self.clean if marked.question.shape[1:] == _USUAL]
        return Share(sum(marked.is_untouched for marked in some), len(some))

    @property
    def false_area(self) -> float:
        """Share of the area of images without text that was masked, on average."""
        return float(np.mean([marked.masked for marked in self.clean])) if self.clean else float("nan")

    @property
    def false_regions(self) -> float:
        """Boxes masked in an image without text, on average."""
        return float(np.mean([marked.regions for marked in self.clean])) if self.clean else float("nan")

    @property
    def refused_count(self) -> int:
        return sum(bool(marked.refused) for marked in self.marked)

    @property
    def altered_count(self) -> int:
        """Images that changed where nothing was masked."""
        return sum(marked.altered > 0 for marked in self.marked)

    @property
    def dcmtk(self) -> Share:
        """How many outputs DCMTK decodes to the same values."""
        asked = [marked.dcmtk for marked in self.marked if marked.dcmtk is not None]
        return Share(sum(asked), len(asked))

    @property
    def mean_cpu_ms(self) -> float:
        return float(np.mean([marked.cpu_ms for marked in self.marked])) if self.marked else float("nan")


def targets(marks: Marks, seed_set: Scored | None, memory: Mapping[str, Measured]) -> list[Target]:
    """Return the acceptance lines of what was run."""
    out = []
    if marks.marked:
        out += [
            Target(f"lines masked, contrast >= {CLEAR}", marks.lines(marks.is_clear).value, CLEAR_MASKED),
            Target(
                "lines masked, contrast >= 0.4, unrotated, >= 10 px", marks.lines(marks.is_easy).value, STRONG_MASKED
            ),
            Target("lines masked, outside the window", marks.lines(marks.is_hidden).value, HIDDEN_MASKED),
            Target("images of 512x512 without text untouched", marks.usual_untouched.value, UNTOUCHED),
            Target("area masked of images without text", marks.false_area, FALSE_AREA, is_most=True),
            Target("images altered outside of masks", marks.altered_count, 0, is_most=True),
            Target("images that were refused", marks.refused_count, 0, is_most=True),
            Target("outputs that DCMTK decodes otherwise", marks.dcmtk.whole - marks.dcmtk.part, 0, is_most=True),
        ]
    if seed_set is not None:
        out += [
            Target("seed set's kind: F1 of whole lines, exact but for case", seed_set.f1, PUBLISHED_F1),
            Target("seed set's kind: CPU s for a file, reading alone", seed_set.cpu_s, MOST_CPU_S, is_most=True),
        ]
    for name, each in memory.items():
        most = float("nan") if each.refused else each.anonymous_mib
        out.append(Target(f"MiB at most, {name}", most, MOST_MIB, is_most=True))
    return out


def overview(marks: Marks) -> Iterator[str]:
    """Yield the exam's figures, with 95 % intervals."""
    for title, share in (
        ("lines masked", marks.lines()),
        (f"  contrast >= {CLEAR}", marks.lines(marks.is_clear)),
        ("  contrast >= 0.4, unrotated, >= 10 px", marks.lines(marks.is_easy)),
        ("  outside the window", marks.lines(marks.is_hidden)),
        ("images wholly clean", marks.wholly_clean),
        ("images without text untouched", marks.untouched),
        ("  of 512x512", marks.usual_untouched),
        ("markers and settings kept", marks.harmless_kept),
        ("outputs that DCMTK decodes to the same", marks.dcmtk),
    ):
        low, high = share.interval
        yield f"{title:44}{share!s:>8} % of {share.whole:<6} [{100 * low:.2f}-{100 * high:.2f}]"
    yield f"{'area masked of images without text':44}{100 * marks.false_area:8.3f} %"
    yield f"{'boxes masked in an image without text':44}{marks.false_regions:8.3f}"
    yield f"{'images altered outside of masks':44}{marks.altered_count:8}"
    yield f"{'images refused':44}{marks.refused_count:8}"
    for reason, count in Counter(marked.refused for marked in marks.marked if marked.refused).most_common(12):
        yield f"{count:10}  {reason}"


def by_class(marks: Marks) -> Iterator[str]:
    """Yield how many lines are masked of each class."""
    for title, class_of in _CLASSES.items():
        groups: dict[str, list[bool]] = defaultdict(list)
        for marked, line in marks.pairs:
            groups[class_of(marked, line)].append(line.is_masked)
        yield f"{'lines masked, by ' + title:34}{'lines':>7}{'%':>9}{'missed':>8}"
        for name in sorted(groups):
            share = Share(sum(groups[name]), len(groups[name]))
            yield f"  {name:32}{share.whole:7}{share!s:>9}{share.whole - share.part:8}"
        yield ""


def by_modality(marks: Marks) -> Iterator[str]:
    """Yield time, and what happened to images without text."""
    yield (
        f"{'by modality':14}{'images':>8}{'Mpixel':>9}{'ms':>9}{'CPU ms':>9}{'worst':>9}"
        f"{'no text':>9}{'untouched %':>13}{'area %':>9}{'boxes':>8}"
    )
    for name, some in _grouped(marks.marked, lambda marked: marked.question.modality).items():
        part = Marks(some)
        pixels = sum(int(np.prod(each.question.shape)) for each in some) / len(some) / 1e6
        yield (
            f"  {name:12}{len(some):8}{pixels:9.2f}{np.mean([each.wall_ms for each in some]):9.0f}"
            f"{part.mean_cpu_ms:9.0f}{max(each.cpu_ms for each in some):9.0f}"
            f"{len(part.clean):9}{part.untouched!s:>13}{100 * part.false_area:9.3f}{part.false_regions:8.2f}"
        )


def by_syntax(marks: Marks) -> Iterator[str]:
    """Yield what came out of each transfer syntax: the same or which other, and whether all else is what it was."""
    yield f"{'by transfer syntax':20}{'images':>8}{'stays %':>9}{'altered':>9}{'refused':>9}   comes out as"
    for name, some in _grouped(marks.marked, lambda marked: marked.question.syntax.name).items():
        others = Counter(each.syntax for each in some if each.syntax and each.syntax != each.question.syntax.uid)
        stays = Share(
            sum(each.syntax == each.question.syntax.uid for each in some), sum(bool(each.syntax) for each in some)
        )
        part = Marks(some)
        shown = ", ".join(f"{uid} x{count}" for uid, count in others.items())
        yield f"  {name:18}{len(some):8}{stays!s:>9}{part.altered_count:9}{part.refused_count:9}   {shown}"


def _grouped(some: Sequence[_T], key: Callable[[_T], str]) -> dict[str, list[_T]]:
    groups: dict[str, list[_T]] = defaultdict(list)
    for each in some:
        groups[key(each)].append(each)
    return dict(sorted(groups.items()))


def of_seed_set(found: Scored, product: Share | None) -> Iterator[str]:
    """Yield what reading alone made of the set."""
    yield f"seed set's kind: {found.files} files, {found.lines} lines; reading alone, exact strings but for case"
    yield f"  precision {found.precision:.3f}, recall {found.recall:.3f}, F1 {found.f1:.3f} (best published 0.829)"
    yield f"  F1 of what stands behind the labels {found.values:.3f}, of lines without blanks {found.spaceless:.3f}"
    yield f"  lines under what was found {100 * found.placed:.2f} %, CPU s for a file {found.cpu_s:.3f}"
    if product is not None:
        yield f"  lines masked by the product {product} % of {product.whole}"


def of_memory(memory: Mapping[str, Measured]) -> Iterator[str]:
    """Yield how much memory the largest took."""
    yield f"{'memory of a worker':34}{'own MiB':>10}{'with files':>12}{'CPU s':>9}{'s':>9}{'frames masked %':>17}"
    for name, each in memory.items():
        yield (
            f"  {name:32}{each.anonymous_mib:10.0f}{each.resident_mib:12.0f}{each.cpu_s:9.1f}{each.seconds:9.1f}"
            f"{100 * each.masked:17.2f}   {each.refused}"
        )


def figures(
    seed: int, marks: Marks, seed_set: Scored | None, memory: Mapping[str, Measured], *, ahead: bool | None
) -> str:
    """Return the line that a script reads."""
    said: dict[str, object] = {"seed": seed, "images": len(marks.marked), "lines": len(marks.pairs)}
    if marks.marked:
        said |= {
            "masked": _number(marks.lines()),
            "clear_masked": _number(marks.lines(marks.is_clear)),
            "strong_masked": _number(marks.lines(marks.is_easy)),
            "hidden_masked": _number(marks.lines(marks.is_hidden)),
            "wholly_clean": _number(marks.wholly_clean),
            "untouched": _number(marks.untouched),
            "untouched_512": _number(marks.usual_untouched),
            "false_area": f"{marks.false_area:.5f}",
            "false_boxes": f"{marks.false_regions:.3f}",
            "altered": marks.altered_count,
            "refused": marks.refused_count,
            "harmless_kept": _number(marks.harmless_kept),
            "cpu_ms": f"{marks.mean_cpu_ms:.1f}",
        }
    if seed_set is not None:
        said |= {
            "seed_precision": f"{seed_set.precision:.4f}",
            "seed_recall": f"{seed_set.recall:.4f}",
            "seed_f1": f"{seed_set.f1:.4f}",
            "seed_placed": f"{seed_set.placed:.4f}",
            "seed_cpu_s": f"{seed_set.cpu_s:.3f}",
        }
    for key, each in zip(("cine", "mammogram"), memory.values(), strict=False):
        said |= {f"{key}_mib": f"{each.anonymous_mib:.0f}", f"{key}_resident_mib": f"{each.resident_mib:.0f}"}
        said |= {f"{key}_s": f"{each.seconds:.0f}"}
    said |= {
        "ahead_of_peers": "not-asked" if ahead is None else str(ahead).lower(),
        "targets_missed": sum(not target.is_met for target in targets(marks, seed_set, memory)),
    }
    return "pixel-exam " + " ".join(f"{key}={value}" for key, value in said.items())


def _number(share: Share) -> str:
    return f"{share.value:.4f}"
