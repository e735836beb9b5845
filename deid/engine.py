"""From one instance as received to one that may leave.

The order of `STEPS` is part of the safety case: identifiers are harvested before anything is removed, and the last
step looks at the bytes that will be sent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache

from deid.actions import Action
from deid.context import Context
from deid.elements.charset import in_utf8
from deid.elements.clean import Cleaner
from deid.elements.marks import (
    BURNED_IN_ANNOTATION,
    RECOGNIZABLE_VISUAL_FEATURES,
    marks,
    nothing_burned_in,
    nothing_recognizable,
)
from deid.elements.pseudonyms import (
    SERIES_INSTANCE_UID,
    SOP_INSTANCE_UID,
    STUDY_INSTANCE_UID,
    Patient,
    subject_of,
    value_text,
)
from deid.elements.uids import new_uid
from deid.encoding.element import Buffer, DataSet, Element
from deid.encoding.reader import read_data_set
from deid.encoding.syntax import TransferSyntax, transfer_syntax
from deid.encoding.tags import SPECIFIC_CHARACTER_SET
from deid.encoding.writer import write_data_set
from deid.errors import Reason, Refused, SeriesNeeded
from deid.faces import FacePlan, deface, series_code
from deid.finders import looking, text_rules
from deid.identifiers import Identifiers, harvest
from deid.identity import check_chosen, shift_of
from deid.instance import CleanInstance, Instance
from deid.needles import LARGEST_SEARCHED_TWICE_BYTES
from deid.pixels.clean import clean_pixels, drop_unseen, mask_drawn
from deid.pixels.format import BITS_OF_FLOAT_PIXELS, PIXEL_DATA
from deid.pixels.frames import may_hold_text, rebuild_pixel_data
from deid.pixels.look import Looked
from deid.pixels.planes import remove_unseen_pixels
from deid.profile import OPTIONS, Code, Rules
from deid.report import Finding, Report, Seen
from deid.review import UNREVIEWED, Review
from deid.standard import EDITION, is_known_sop_class
from deid.text import clean_text
from deid.text.documents import clean_document
from deid.text.memory import Known, remembering
from deid.texts import CleanText, TextClass
from deid.verify import Outgoing, verify, verify_texts

__all__ = ["STEPS", "CleanInstance", "Instance", "Result", "deidentify", "explain", "explain_header"]

_SOP_CLASS_UID = 0x0008_0016
_FIRST_PIXEL_TAG, _LAST_PIXEL_TAG = 0x7FE0_0000, 0x7FE0_FFFF
_PIXEL_DATA_TAGS = frozenset({PIXEL_DATA, *BITS_OF_FLOAT_PIXELS})
_CLEAN_PIXEL_DATA = "clean_pixel_data"
_CLEAN_FACES = "clean_recognizable_visual_features"
_EXPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"


@dataclass(frozen=True, slots=True)
class Result:
    """The clean instance, and what was done to it."""

    clean: CleanInstance
    report: Report


@dataclass(frozen=True, slots=True)
class _Pixels:
    """What came of the look at the pixels, so that it can be done to the Data Set once more without another look.

    Attributes
    ----------
    looked
        what was done
    changed
        the elements that are others now, None for those that are gone
    """

    looked: Looked
    changed: dict[int, Element | None]


@dataclass(slots=True)
class _Work:
    """One instance between the steps; `transfer_syntax` is that of the clean one."""

    instance: Instance
    context: Context
    source: DataSet
    sop_class_uid: str
    rules: Rules
    patient: Patient
    shift_days: int
    findings: list[Finding] | None
    transfer_syntax: str
    seen: list[Seen] = field(default_factory=list)
    identifiers: Identifiers = field(default_factory=Identifiers)
    clean: DataSet = field(default_factory=DataSet)
    counts: Counter[str] = field(default_factory=Counter)
    pixels: _Pixels | None = None
    face: FacePlan | None = None
    review: Review = UNREVIEWED
    needs_face: bool = False
    defaced: dict[int, Element | None] | None = None
    chunks: list[Buffer] = field(default_factory=list)


def deidentify(
    instance: Instance, context: Context, face: FacePlan | None = None, review: Review = UNREVIEWED
) -> Result:
    """De-identify one instance.

    Pure: the arguments are unchanged, and equal ones give equal bytes.

    Parameters
    ----------
    instance, context
        what to clean, and how
    face
        what was found out about the series (`deid.faces.plan_series`), where the profile has faces cleaned
    review
        what a person has said of its frames

    Raises
    ------
    Refused
        If it cannot be cleaned with certainty.
    SeriesNeeded
        If it may be part of a head whose face has to go, and there is no plan for its series.
    """
    work = _begin(instance, context, None)
    work.face, work.review = face, review
    for step in STEPS:
        step(work)
    codes = tuple(code.value for code in _codes(work))
    pixels = None if work.pixels is None else work.pixels.looked.report
    return Result(_clean_instance(work), Report(dict(work.counts), codes, pixels=pixels))


def explain(instance: Instance, context: Context, face: FacePlan | None = None) -> tuple[Finding, ...]:
    """Say for each element what would be done and which row, option or override says so.

    Raises
    ------
    Refused
        If the instance would be.
    SeriesNeeded
        As `deidentify` does.
    """
    findings: list[Finding] = []
    work = _begin(instance, context, findings)
    work.face = face
    for step in STEPS:
        step(work)
    return tuple(findings)


def explain_header(instance: Instance, context: Context) -> tuple[tuple[Finding, ...], DataSet]:
    """Say what would be done to each element, whatever may be the matter with the pixels or found by the last look.

    Returns
    -------
    tuple
        as `explain` returns, without what is done to pixels; and the elements as they would be: to be looked at, not to
        be sent, since nothing has been verified

    Raises
    ------
    Refused
        If the elements can't be read or cleaned.
    """
    findings: list[Finding] = []
    work = _begin(instance, context, findings)
    for step in (_harvest, _clean_elements, _recode_texts):
        step(work)
    return tuple(findings), work.clean


def _codes(work: _Work) -> list[Code]:
    """Return what the instance says was applied to it: not that its pixels were cleaned if nobody looked at them.

    An option applies to an instance that has nothing for it to do, as one without pixels.
    """
    missing = set()
    if work.pixels is not None and work.pixels.looked.report.skipped:
        missing.add(OPTIONS[_CLEAN_PIXEL_DATA].code)
    if work.defaced is None and not _PIXEL_DATA_TAGS.isdisjoint(work.source.elements):
        missing.add(OPTIONS[_CLEAN_FACES].code)
    return [code for code in work.context.profile.method_codes if code not in missing]


def _begin(instance: Instance, context: Context, findings: list[Finding] | None) -> _Work:
    source = read_data_set(instance.data, instance.transfer_syntax, context.limits)
    sop_class_uid = value_text(source, _SOP_CLASS_UID)
    if not sop_class_uid or not value_text(source, SOP_INSTANCE_UID):
        raise Refused(Reason.MISSING_UID, "(0008,0016) or (0008,0018)")
    if not is_known_sop_class(sop_class_uid):
        raise Refused(Reason.UNSUPPORTED_SOP_CLASS)
    subject = subject_of(source)
    new = context.identity.assign(subject, context.keys)
    check_chosen(new, subject)
    patient = Patient(new.pseudonym, subject.accession_number, new.accession_number)
    days = shift_of(new, context.keys)
    rules = context.profile.rules(sop_class_uid)
    syntax = instance.transfer_syntax
    return _Work(instance, context, source, sop_class_uid, rules, patient, days, findings, syntax)


def _need_series(work: _Work) -> None:
    """Stop here what may be part of a head, unless there is a plan of its series."""
    code = series_code(work.source, work.sop_class_uid, work.context)
    if code is None:
        return
    if work.face is None:
        raise SeriesNeeded(code)
    if work.face.series_code != code:
        raise Refused(Reason.FACE_SERIES_UNFIT, "a plan of another series")
    work.needs_face = True


def _harvest(work: _Work) -> None:
    work.identifiers = harvest(work.source, work.rules.may_stay)


def _clean_elements(work: _Work) -> None:
    """Clean by the rules; known identifiers in kept texts are looked for in the encoded whole, where that will do."""
    _clean_with(work, redact=not _looks_in_the_whole(work))


def _looks_in_the_whole(work: _Work) -> bool:
    """Tell whether all kept values go out byte for byte, so that what isn't in the whole isn't in any of them."""
    return work.findings is None and work.context.profile.character_set == "source"


def _clean_with(work: _Work, *, redact: bool) -> None:
    cleaner = Cleaner(
        rules=work.rules,
        patient=work.patient,
        uid_key=work.context.keys.uid,
        shift_days=work.shift_days,
        needles=work.identifiers.needles,
        little_endian=transfer_syntax(work.instance.transfer_syntax).little_endian,
        options=work.context.profile.options,
        shift_in_texts=_shift_in_texts(work),
        clean_text=_text_step(work),
        clean_document=_document_step(work),
        findings=work.findings,
        seen=work.seen,
    )
    clean = cleaner.clean(work.source, redact=redact)
    work.clean = clean
    work.counts = cleaner.counts
    _mark(work)


def _mark(work: _Work) -> None:
    """Write what was done as the standard asks (PS3.15 Sections E.1.1 and E.3.1)."""
    profile, elements = work.context.profile, work.clean.elements
    elements.update((mark.tag, mark) for mark in marks(profile.name, profile.options, _codes(work), EDITION))
    if work.pixels is not None and not work.pixels.looked.report.skipped:
        elements[BURNED_IN_ANNOTATION] = nothing_burned_in()
    if work.defaced is not None:
        elements[RECOGNIZABLE_VISUAL_FEATURES] = nothing_recognizable()
    work.clean.elements = dict(sorted(elements.items()))


def _shift_in_texts(work: _Work) -> int | None:
    """Return by how much dates in texts and contents move; None if the profile lets no date stay."""
    options = work.context.profile.options
    if "retain_long_modified_dates" in options:
        return work.shift_days
    return 0 if "retain_long_full_dates" in options else None


def _text_step(work: _Work) -> CleanText | None:
    """Return what cleans a text of this instance, the network being loaded when the first text wants it.

    None if the profile cleans no texts: it needs no network, and what stands where no text should goes.
    """
    context = work.context
    if not context.profile.cleans_texts:
        return None
    needles, dates, shift = work.identifiers.needles, work.identifiers.dates, _shift_in_texts(work)
    rules = cache(lambda: text_rules(context, work.identifiers, shift))
    if work.findings is None:
        return remembering(rules, Known(needles, dates, shift, context.keys.uid, context.reader))

    def clean(text: str, text_class: TextClass) -> str:
        cleaned = clean_text(text, rules(), text_class)
        work.seen.extend(Seen(span.kind, span.finder, span.confidence) for span in cleaned.spans)
        return cleaned.text

    return clean


def _document_step(work: _Work) -> Callable[[str, Buffer], bytes] | None:
    """Return what cleans an encapsulated document, where an override wants that instead of Table E.1-1's dummy."""
    if not work.context.profile.cleans_texts:
        return None
    key, needles = work.context.keys.uid, work.identifiers.needles

    def rename(name: str) -> str:
        return f"name-{new_uid(key, name).rpartition('.')[2][:12]}"

    return lambda mime, data: clean_document(mime, data, needles, rename, work.context.ner())


def _rebuild_pixels(work: _Work) -> None:
    rebuild_pixel_data(work.clean, transfer_syntax(work.instance.transfer_syntax))


def _clean_pixels(work: _Work) -> None:
    """Mask what identifies in the pixels, and what a person has drawn."""
    if work.context.profile.pixels is None and not work.review.boxes:
        return
    before = dict(work.clean.elements)
    looked = _looked(work, transfer_syntax(work.transfer_syntax))
    if looked is None:
        return
    work.pixels = _Pixels(looked, _changed(before, work.clean))
    work.transfer_syntax = looked.syntax.uid
    _mark(work)
    _note(work, before, {*work.pixels.changed, BURNED_IN_ANNOTATION}, _CLEAN_PIXEL_DATA)


def _looked(work: _Work, syntax: TransferSyntax) -> Looked | None:
    rules = work.context.profile.pixels
    if rules is None:
        return mask_drawn(work.clean, syntax, work.review)
    how = replace(looking(work.context, work.identifiers, rules), review=work.review)
    return clean_pixels(work.source, work.clean, syntax, how)


def _changed(before: dict[int, Element], clean: DataSet) -> dict[int, Element | None]:
    """Return the elements that are others than before, None for those that are gone."""
    after = clean.elements
    return {tag: after.get(tag) for tag in {*before, *after} if after.get(tag) is not before.get(tag)}


def _deface(work: _Work) -> None:
    """Do to the pixels what the plan of the series says."""
    if not work.needs_face or work.face is None:
        return
    before = dict(work.clean.elements)
    syntax = deface(work.source, work.clean, transfer_syntax(work.transfer_syntax), work.face)
    changed = _changed(before, work.clean)
    if changed:
        # what shows the image small, or beside it, shows the face too
        remove_unseen_pixels(work.clean, was_masked=True)
        changed = _changed(before, work.clean)
    work.defaced = changed
    work.transfer_syntax = syntax.uid
    _mark(work)
    _note(work, before, {*changed, RECOGNIZABLE_VISUAL_FEATURES}, _CLEAN_FACES)


def _note(work: _Work, before: dict[int, Element], tags: set[int], option: str) -> None:
    """Count, and say, which elements a step has changed or removed."""
    after = work.clean.elements
    for tag in tags & before.keys():
        if after.get(tag) is before[tag]:
            continue
        now = Action.C if tag in after else Action.X
        work.counts[work.rules.rule(tag, before[tag].vr, 0).action] -= 1
        work.counts[now] += 1
        if work.findings is not None:
            for index, finding in enumerate(work.findings):
                if finding.path == (tag,):
                    work.findings[index] = replace(finding, action=now, source=f"option {option}")


def _mask_again(work: _Work) -> None:
    """Do to a Data Set that was cleaned anew what was done to the pixels of the one before."""
    if work.pixels is not None:
        before = dict(work.clean.elements)
        _put(work, work.pixels.changed)
        drop_unseen(work.clean, work.pixels.looked, work.context.profile.pixels)
        _note(work, before, {*work.pixels.changed, BURNED_IN_ANNOTATION}, _CLEAN_PIXEL_DATA)
    if work.defaced is not None:
        before = dict(work.clean.elements)
        _put(work, work.defaced)
        if work.defaced:
            remove_unseen_pixels(work.clean, was_masked=True)
        _note(work, before, {*work.defaced, RECOGNIZABLE_VISUAL_FEATURES}, _CLEAN_FACES)


def _put(work: _Work, changed: dict[int, Element | None]) -> None:
    for tag, element in changed.items():
        if element is None:
            work.clean.elements.pop(tag, None)
        else:
            work.clean.elements[tag] = element
    _mark(work)


def _recode_texts(work: _Work) -> None:
    """Write the texts in the character set that the profile asks for; their old bytes are looked at a last time."""
    if work.context.profile.character_set != "utf-8":
        return
    recoded = in_utf8(work.clean)
    verify_texts(recoded.texts, work.identifiers)
    work.clean = recoded.data_set
    for parent in recoded.declarations:
        work.counts[work.rules.rule(SPECIFIC_CHARACTER_SET, "CS", parent).action] -= 1
        work.counts[Action.X if parent else Action.K] += 1
    if work.findings is not None and recoded.declarations:
        work.findings[:] = [_recoded_finding(finding, recoded.declarations) for finding in work.findings]


def _recoded_finding(finding: Finding, declarations: tuple[int, ...]) -> Finding:
    """Return what is said of a Specific Character Set that is another now, or not needed; any other as it is."""
    *around, tag = finding.path
    if tag != SPECIFIC_CHARACTER_SET or finding.action == Action.X or (around or [0])[-1] not in declarations:
        return finding
    return replace(finding, action=Action.X if around else Action.K, source="character_set utf-8")


def _encode_and_verify(work: _Work) -> None:
    """Encode what will be sent, and look at those bytes."""
    syntax = transfer_syntax(work.transfer_syntax)
    written_as = _EXPLICIT_VR_LITTLE_ENDIAN if syntax.deflated else syntax.uid
    encoded = _encoded(work, written_as)
    candidates = work.identifiers.needles.possible_in(encoded.header)
    is_searched_whole = len(encoded.header) <= LARGEST_SEARCHED_TWICE_BYTES
    if _looks_in_the_whole(work) and (candidates or not is_searched_whole):
        _clean_with(work, redact=True)
        _rebuild_pixels(work)
        _mask_again(work)
        encoded = _encoded(work, written_as)
        candidates = work.identifiers.needles.possible_in(encoded.header)
    searched = encoded.pixels.elements.values() if may_hold_text(work.clean, syntax) else ()
    outgoing = Outgoing(encoded.header, written_as, tuple(searched), work.patient, work.shift_days)
    verify(outgoing, work.identifiers, work.context.limits, candidates)
    if syntax.deflated:
        work.chunks = write_data_set(work.clean, syntax.uid)
    else:
        work.chunks = [encoded.before, *write_data_set(encoded.pixels, written_as)]
        work.chunks += [encoded.after] if encoded.after else []


@dataclass(frozen=True, slots=True)
class _Encoded:
    """A clean Data Set in the order in which it is sent; only the values of group 7FE0 are not encoded yet."""

    before: bytes
    pixels: DataSet
    after: bytes

    @property
    def header(self) -> bytes:
        """All that is no pixels: a Data Set of its own. Private groups after the pixels hold texts like any other."""
        return self.before + self.after


def _encoded(work: _Work, written_as: str) -> _Encoded:
    charset = work.clean.charset
    before, pixels, after = DataSet(charset=charset), DataSet(charset=charset), DataSet(charset=charset)
    for tag, element in work.clean.elements.items():
        part = before if tag < _FIRST_PIXEL_TAG else pixels if tag <= _LAST_PIXEL_TAG else after
        part.elements[tag] = element
    first, last = (b"".join(write_data_set(part, written_as)) for part in (before, after))
    return _Encoded(first, pixels, last)


def _clean_instance(work: _Work) -> CleanInstance:
    clean = work.clean
    return CleanInstance(
        sop_class_uid=work.sop_class_uid,
        sop_instance_uid=value_text(clean, SOP_INSTANCE_UID),
        transfer_syntax=work.transfer_syntax,
        study_instance_uid=value_text(clean, STUDY_INSTANCE_UID),
        series_instance_uid=value_text(clean, SERIES_INSTANCE_UID),
        patient_id=work.patient.pseudonym,
        chunks=tuple(work.chunks),
    )


STEPS: tuple[Callable[[_Work], None], ...] = (
    _need_series,
    _harvest,
    _clean_elements,
    _rebuild_pixels,
    _clean_pixels,
    _deface,
    _recode_texts,
    _encode_and_verify,
)
