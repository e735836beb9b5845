"""One walk over a Data Set that does to each element what the profile's rule says (PS3.15 Table E.1-1a)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

from deid.actions import Action, Means, Rule
from deid.elements.ages import cap_age
from deid.elements.allow import is_allowed
from deid.elements.content import CLEANED_TEXT_VRS, CONTENT_TAGS, ContentRules, clean_content, clean_text_element
from deid.elements.dates import SHIFT_BY_VR, TIMEZONE_OFFSET_FROM_UTC, keep_zone, shift_value
from deid.elements.dummies import dummy_element, stand_in_for_codes
from deid.elements.private import (
    OPAQUE_VRS,
    PRIVATE,
    block_of,
    block_of_creator,
    creator_name,
    disclosed,
    drop_unowned,
    is_creator,
    map_private_uids,
    shift_epoch,
    shift_private,
)
from deid.elements.pseudonyms import ACCESSION_NUMBER, PATIENT_ID, PATIENT_NAME, Patient, value_text
from deid.elements.uids import map_ui_value
from deid.elements.values import fitted, stand_in
from deid.encoding.element import Buffer, DataSet, Element, Fragments
from deid.encoding.limits import Limits
from deid.encoding.tags import show
from deid.encoding.vr import implied_vr
from deid.errors import Reason, Refused
from deid.needles import Needle, Needles, first_in_bytes
from deid.report import Finding, Seen
from deid.rules import Rules
from deid.search import NUMBER_VRS, TEXT_VRS, finding_in
from deid.standard.beyond import UIDS_OF_NO_INSTANCE
from deid.texts import CleanText, TextClass, text_class

_PSEUDONYMOUS = frozenset({PATIENT_NAME, PATIENT_ID})
_FIRST_OVERLAY_GROUP, _LAST_OVERLAY_GROUP = 0x6000, 0x60FF
_OVERLAY_DATA = 0x3000
ENCAPSULATED_DOCUMENT = 0x0042_0011
_MIME_TYPE_OF_ENCAPSULATED_DOCUMENT = 0x0042_0012


@dataclass(slots=True)
class Cleaner:
    """The rules and keys for one instance, and what was done so far.

    Attributes
    ----------
    rules
        of the profile, for the instance's SOP Class
    patient
        whose pseudonym replaces name and ID, and whose new accession number, if there is one, the old one
    uid_key
        key of the UID mapping
    shift_days
        shift of this patient's dates
    needles
        identifiers that must not stay in any kept text
    little_endian
        byte order of the transfer syntax
    options
        of the profile, by name
    shift_in_texts
        as `shift_days`, but None where dates in texts go, and 0 where they stay
    clean_text
        what the text step makes of a text; None if there is no such step
    clean_document
        what it makes of an encapsulated document of a MIME type
    counts
        elements per action
    findings
        one per element if wanted, else None
    seen
        what the text step has found since it was last looked at, if findings are wanted
    """

    rules: Rules
    patient: Patient
    uid_key: bytes
    shift_days: int
    needles: Needles
    little_endian: bool = True
    options: frozenset[str] = frozenset()
    shift_in_texts: int | None = None
    clean_text: CleanText | None = None
    clean_document: Callable[[str, Buffer], bytes] | None = None
    counts: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] | None = None
    seen: list[Seen] = field(default_factory=list)
    _kept_texts: list[tuple[DataSet, Element, Action]] = field(default_factory=list)
    _kept_bytes: list[tuple[DataSet, Element, Action]] = field(default_factory=list)
    _blocks: dict[int, tuple[DataSet, dict[int, Action]]] = field(default_factory=dict)
    _finding_of: dict[int, int] = field(default_factory=dict)

    def clean(self, data_set: DataSet, *, redact: bool = True) -> DataSet:
        """Return the clean counterpart of a top-level Data Set; the argument is not changed.

        Parameters
        ----------
        data_set
            the source
        redact
            replace what the table lets stay but holds a known identifier; False if the caller looks for that itself

        Raises
        ------
        Refused
            If an element needs a step that does not exist, or has no dummy.
        """
        out = self._clean_data_set(data_set, 0, ())
        if redact:
            self._remove_known_identifiers()
        self._drop_unowned_blocks()
        return out

    def _clean_data_set(self, data_set: DataSet, parent: int, path: tuple[int, ...]) -> DataSet:
        out = DataSet(charset=data_set.charset)
        kept = out.elements
        rule_for, counts, apply_by_action = self.rules.rule, self.counts, _APPLY_BY_ACTION
        findings, reads_private = self.findings, self.rules.reads_private
        creators: dict[int, str] = {}
        for tag, element in data_set.elements.items():
            if reads_private and tag & PRIVATE:
                self._clean_private(element, data_set, out, path, creators)
                continue
            rule = rule_for(tag, element.vr, parent)
            counts[rule.action] += 1
            if findings is not None:
                self._record(element, rule, path)
            new = apply_by_action[rule.action](self, element, rule, data_set, path)
            if new is None:
                continue
            if new is element:
                new = fitted(element, data_set.charset)
                if new is not element:
                    new = self._fitted_or_stand_in(element, new, rule, parent)
                    if new is None:
                        continue
                if new.vr in _SEARCHED_VRS:
                    self._kept_texts.append((out, new, rule.action))
                elif new.vr in _OPAQUE_VRS and tag >> 16 != _PIXEL_GROUP:
                    self._kept_bytes.append((out, new, rule.action))
            kept[tag] = new
        if self.patient.new_accession_number is not None and ACCESSION_NUMBER in data_set.elements:
            self._renumber(data_set, out, parent)
        self._drop_overlay_groups(data_set, out)
        return out

    def _fitted_or_stand_in(self, source: Element, new: Element | None, rule: Rule, parent: int) -> Element | None:
        """Return what stays of a value that isn't wholly what its VR says, or what the IOD demands in its place."""
        if new is None:
            new = stand_in(source, self.rules.type_of(source.tag, parent), self.uid_key)
            now = Action.X if new is None else Action.D if new.value else Action.Z
            self._correct(source, rule.action, now, "not of its VR")
        if new is not None and self.findings is not None:
            self._finding_of[id(new)] = self._finding_of[id(source)]
        return new

    def _record(self, element: Element, rule: Rule, path: tuple[int, ...]) -> None:
        assert self.findings is not None  # noqa: S101  callers have looked
        self._finding_of[id(element)] = len(self.findings)
        self.findings.append(Finding((*path, element.tag), element.vr, rule.action, rule.source))

    def _clean_private(
        self, source: Element, owner: DataSet, out: DataSet, path: tuple[int, ...], creators: dict[int, str]
    ) -> None:
        """Do to a private element what its creator's list says; creators stay for now, if they have a name."""
        if is_creator(source.tag):
            element, rule = _creator_element(source, creators)
        else:
            element, rule = self._private_element(source, owner, path, creators.get(block_of(source.tag), ""))
        self.counts[rule.action] += 1
        if self.findings is not None:
            self._record(source, rule, path)
        new = _APPLY_TO_PRIVATE[rule.action](self, element, rule, owner, path)
        is_as_it_came = new is element
        if is_as_it_came:
            new = fitted(element, owner.charset)
            if new is None:
                self._correct(source, rule.action, Action.X, "not of its VR")
        if new is None:
            return
        self._blocks.setdefault(id(out), (out, {}))[1][element.tag] = rule.action
        out.elements[element.tag] = new
        if self.findings is not None:
            self._finding_of[id(new)] = self._finding_of[id(source)]
        if is_as_it_came and not isinstance(new.value, list):
            if new.vr in _SEARCHED_VRS:
                self._kept_texts.append((out, new, rule.action))
            if source.vr in OPAQUE_VRS or new.vr not in _SEARCHED_VRS:
                self._kept_bytes.append((out, new, rule.action))

    def _private_element(
        self, source: Element, owner: DataSet, path: tuple[int, ...], creator: str
    ) -> tuple[Element, Rule]:
        """Return the element as what it is known to be, and its rule."""
        if not creator:
            return source, _WITHOUT_CREATOR
        element: Element | None = source
        if source.vr in OPAQUE_VRS:
            known_vr = self.rules.private_vr(creator, source.tag)
            element = disclosed(source, known_vr, owner.charset, little_endian=self.little_endian)
        if element is None:
            return source, _UNREADABLE
        if isinstance(element.value, list) and len(path) >= _DEEPEST:
            raise Refused(Reason.TOO_DEEP, f"more than {_DEEPEST} sequences within each other")
        vr = "SQ" if isinstance(element.value, list) else element.vr
        return element, self.rules.private_rule(creator, element.tag, vr)

    def _clean_items(self, element: Element, path: tuple[int, ...]) -> Element:
        assert isinstance(element.value, list)  # noqa: S101  callers have looked
        inner = (*path, element.tag)
        return Element(element.tag, "SQ", [self._clean_data_set(item, element.tag, inner) for item in element.value])

    def _keep(self, element: Element, rule: Rule, owner: DataSet, path: tuple[int, ...]) -> Element | None:
        del owner
        if isinstance(element.value, list):
            return self._clean_items(element, path)
        if element.tag in _KEPT_IF_PUBLIC and rule.source == _OUTSIDE_THE_TABLE:
            return self._keep_if_public(element)
        return element

    def _keep_if_public(self, element: Element) -> Element:
        """Keep the UID of a class or a syntax that is well known, the name of a layer that is a word of the standard.

        Any other could tell of an instance or a person; what stands for it is the same wherever it is referred to,
        whatever VR it was sent with.
        """
        if not isinstance(element.value, bytes | memoryview):
            return element
        before = bytes(element.value)
        after = _STAND_IN_BY_VR[implied_vr(element.tag)](self.uid_key, before)
        return element if after == before.strip(b" \0") else Element(element.tag, element.vr, after)

    def _remove(self, element: Element, rule: Rule, owner: DataSet, path: tuple[int, ...]) -> Element | None:
        del element, rule, owner, path
        return None

    def _empty(self, element: Element, rule: Rule, owner: DataSet, path: tuple[int, ...]) -> Element | None:
        del rule, owner, path
        if element.tag in _PSEUDONYMOUS:
            return Element(element.tag, element.vr, self.patient.pseudonym.encode("ascii"))
        if isinstance(element.value, Fragments):
            return None
        return Element(element.tag, element.vr, [] if isinstance(element.value, list) else b"")

    def _dummy(self, element: Element, rule: Rule, owner: DataSet, path: tuple[int, ...]) -> Element | None:
        if element.tag in _PSEUDONYMOUS:
            return self._empty(element, rule, owner, path)
        return dummy_element(element, self.uid_key)

    def _replace_uid(self, element: Element, rule: Rule, owner: DataSet, path: tuple[int, ...]) -> Element | None:
        if isinstance(element.value, list):
            return self._clean_items(element, path)
        if element.vr != "UI" or isinstance(element.value, Fragments):
            return self._dummy(element, rule, owner, path)
        return Element(element.tag, "UI", map_ui_value(self.uid_key, bytes(element.value)))

    def _clean_value(self, element: Element, rule: Rule, owner: DataSet, path: tuple[int, ...]) -> Element | None:
        """Move a date, cap an age, clean a text or a tree, or keep what says nothing; else do the fallback."""
        if rule.means is Means.TERMS and is_allowed(element, owner):
            return element
        first_seen = len(self.seen)
        if isinstance(element.value, list):
            cleaned = self._clean_sequence(element, rule, owner, path)
        elif element.tag == ENCAPSULATED_DOCUMENT and self.clean_document is not None:
            cleaned = self._cleaned_document(element, owner)
        else:
            cleaned = self._cleaned_by_form(element) or self._cleaned_text(element, rule, owner)
        if len(self.seen) > first_seen:
            self._note_seen(element, first_seen)
        if cleaned is not None:
            return cleaned
        if rule.means is not Means.TERMS and rule.source != _CLEAN_GRAPHICS and self._needs_a_step(element):
            raise Refused(Reason.STEP_UNAVAILABLE, f"{show(element.tag)} {rule.source}")
        return _APPLY_BY_ACTION[rule.fallback](self, element, rule, owner, path)

    def _clean_sequence(self, element: Element, rule: Rule, owner: DataSet, path: tuple[int, ...]) -> Element | None:
        if rule.source in _CLEANED_BY_ITEMS:
            return self._clean_items(element, path)
        if element.tag in CONTENT_TAGS and self.clean_text is not None:
            return clean_content(element, owner, self._content_rules(self.clean_text, path))
        return None

    def _cleaned_document(self, element: Element, owner: DataSet) -> Element | None:
        """Return a document without what identifies; what can't be looked through refuses the instance."""
        assert self.clean_document is not None  # noqa: S101  the caller has looked
        if not isinstance(element.value, bytes | memoryview):
            return None
        mime = value_text(owner, _MIME_TYPE_OF_ENCAPSULATED_DOCUMENT)
        return Element(element.tag, element.vr, self.clean_document(mime, element.value))

    def _cleaned_by_form(self, element: Element) -> Element | None:
        """Return a value whose VR or tag says how it is cleaned; None if it can't be read, or is of no such kind."""
        if not isinstance(element.value, bytes | memoryview):
            return None
        value = bytes(element.value)
        if element.vr in SHIFT_BY_VR:
            cleaned = shift_value(element.vr, value, self.shift_days)
        elif element.vr == "AS":
            cleaned = cap_age(value)
        elif element.tag == TIMEZONE_OFFSET_FROM_UTC:
            cleaned = keep_zone(value)
        else:
            cleaned = None if value.strip(b" \0") else b""
        return None if cleaned is None else Element(element.tag, element.vr, cleaned)

    def _cleaned_text(self, element: Element, rule: Rule, owner: DataSet) -> Element | None:
        if rule.means is not Means.VALUE or element.vr not in CLEANED_TEXT_VRS or self.clean_text is None:
            return None
        if element.tag == TIMEZONE_OFFSET_FROM_UTC:
            return None
        how = partial(self.clean_text, text_class=text_class(element.tag, element.vr))
        return clean_text_element(element, owner, how)

    def _note_seen(self, element: Element, first: int) -> None:
        """Say of an element what the text step found in it, and not in what it holds that has a finding of its own."""
        if self.findings is not None and (index := self._finding_of.get(id(element))) is not None:
            self.findings[index] = replace(self.findings[index], seen=tuple(self.seen[first:]))
        del self.seen[first:]

    def _content_rules(self, clean_text: CleanText, path: tuple[int, ...]) -> ContentRules:
        def rest(item: DataSet, parent: int) -> DataSet:
            return self._clean_data_set(item, parent, (*path, parent))

        how = partial(clean_text, text_class=TextClass.STRUCTURED)
        return ContentRules(how, rest, self.patient.pseudonym, self.uid_key, self.shift_in_texts, self.options)

    def _needs_a_step(self, element: Element) -> bool:
        """Tell whether only a step beyond the tables can clean the value; what is no such text has its fallback."""
        if isinstance(element.value, list):
            return True
        if element.tag == TIMEZONE_OFFSET_FROM_UTC:
            return False
        return element.vr in _NEED_THE_TEXT_STEP and self.clean_text is None

    def _clean_private_date(
        self, element: Element, rule: Rule, owner: DataSet, path: tuple[int, ...]
    ) -> Element | None:
        """Move a private date, be it a text or a number, or cap a private age; a text only where an override asks."""
        del path
        value = element.value
        if isinstance(value, bytes | memoryview) and element.vr == "AS":
            moved = cap_age(bytes(value))
        elif rule.means is Means.EPOCH:
            moved = shift_epoch(element, self.shift_days, little_endian=self.little_endian)
        else:
            moved = shift_private(element, self.shift_days)
            if moved is None and rule.source.startswith(_OVERRIDE):
                return self._cleaned_text(element, rule, owner)
        return None if moved is None else Element(element.tag, element.vr, moved)

    def _replace_private_uid(
        self, element: Element, rule: Rule, owner: DataSet, path: tuple[int, ...]
    ) -> Element | None:
        del rule, owner
        if isinstance(element.value, list):
            return self._clean_items(element, path)
        mapped = map_private_uids(element, self.uid_key)
        return None if mapped is None else Element(element.tag, element.vr, mapped)

    def _renumber(self, source: DataSet, out: DataSet, parent: int) -> None:
        """Give the study its new accession number, here and where items repeat it; another request's is left alone."""
        old = source.elements[ACCESSION_NUMBER]
        if parent and value_text(source, ACCESSION_NUMBER) != self.patient.accession_number:
            return
        assert self.patient.new_accession_number is not None  # noqa: S101  callers have looked
        value = self.patient.new_accession_number.encode("ascii")
        out.elements[ACCESSION_NUMBER] = Element(ACCESSION_NUMBER, old.vr, value)
        out.elements = dict(sorted(out.elements.items()))
        self._correct(old, self.rules.rule(ACCESSION_NUMBER, old.vr, parent).action, Action.D, "crosswalk")

    def _drop_overlay_groups(self, source: DataSet, out: DataSet) -> None:
        """Remove what is left of an overlay whose data is gone: it describes nothing (PS3.3 Section C.9.2)."""
        last = next(reversed(source.elements), 0)
        if last >> 16 < _FIRST_OVERLAY_GROUP:
            return
        for tag in list(out.elements):
            group = tag >> 16
            is_overlay = _FIRST_OVERLAY_GROUP <= group <= _LAST_OVERLAY_GROUP
            if is_overlay and group << 16 | _OVERLAY_DATA not in out.elements:
                del out.elements[tag]

    def _remove_known_identifiers(self) -> None:
        """Replace by a dummy what the table lets stay but holds an identifier of this patient; remove it if private."""
        looked_at = [*self._kept_texts, *self._kept_bytes]
        if not looked_at:
            return
        texts = b"\0".join([bytes(element.value) for _, element, _ in looked_at])  # type: ignore[arg-type]
        candidates = self.needles.possible_in(texts)
        if not candidates:
            return
        for owner, element, action in self._kept_texts:
            is_still_there = owner.elements.get(element.tag) is element
            if is_still_there and finding_in(candidates, element, owner) is not None:
                self._redact(owner, element, action)
        self._remove_bytes_with_identifiers(candidates)

    def _remove_bytes_with_identifiers(self, candidates: list[Needle]) -> None:
        for owner, element, action in self._kept_bytes:
            is_still_there = owner.elements.get(element.tag) is element
            if is_still_there and first_in_bytes(candidates, bytes(element.value)) is not None:  # type: ignore[arg-type]  # a leaf
                self._redact(owner, element, action)

    def _redact(self, owner: DataSet, element: Element, action: Action) -> None:
        now = Action.X if element.tag & PRIVATE else Action.D
        if now is Action.X:
            del owner.elements[element.tag]
        else:
            owner.elements[element.tag] = dummy_element(element, self.uid_key)
        self._correct(element, action, now, "known identifier")

    def _drop_unowned_blocks(self) -> None:
        """Remove the creators whose elements are all gone, and what has lost its creator (PS3.5 Section 7.8.1)."""
        for data_set, actions in self._blocks.values():
            before = dict(data_set.elements)
            for tag in drop_unowned(data_set):
                self._correct(before[tag], actions[tag], Action.X, "private block without elements")

    def _correct(self, element: Element, was: Action, now: Action, source: str) -> None:
        """Count, and say, what became of an element in the end."""
        self.counts[was] -= 1
        self.counts[now] += 1
        if self.findings is not None:
            index = self._finding_of[id(element)]
            self.findings[index] = replace(self.findings[index], action=now, source=source)


def _creator_element(source: Element, creators: dict[int, str]) -> tuple[Element, Rule]:
    """Return a Private Creator and its rule; note its name under the block that it reserves.

    Tags ascend, so a block's creator is known before the block's elements come (PS3.5 Section 7.8.1).
    """
    name = creators[block_of_creator(source.tag)] = creator_name(source)
    return (Element(source.tag, "LO", source.value), _CREATOR) if name else (source, _WITHOUT_CREATOR)


_OUTSIDE_THE_TABLE = "not in E.1-1"
_GRAPHIC_LAYER = 0x0070_0002
_KEPT_IF_PUBLIC = UIDS_OF_NO_INSTANCE | {_GRAPHIC_LAYER}
_STAND_IN_BY_VR = {"UI": map_ui_value, "CS": stand_in_for_codes}
_CREATOR = Rule(Action.K, Action.X, "private creator")
_WITHOUT_CREATOR = Rule(Action.X, Action.X, "private without creator")
_UNREADABLE = Rule(Action.X, Action.X, "private unreadable sequence")
_DEEPEST = Limits().max_depth
_OVERRIDE = "override "

# Its Sequences hold codes, or attributes that have rows of their own in Table E.1-1.
_CLEAN_GRAPHICS = "option clean_graphics"
_CLEANED_BY_ITEMS = frozenset({"option clean_descriptors"})

_SEARCHED_VRS = TEXT_VRS | NUMBER_VRS
_OPAQUE_VRS = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
_PIXEL_GROUP = 0x7FE0
_NEED_THE_TEXT_STEP = TEXT_VRS - {"CS"}

_APPLY_BY_ACTION = {
    Action.K: Cleaner._keep,  # noqa: SLF001  the class's own table
    Action.X: Cleaner._remove,  # noqa: SLF001
    Action.Z: Cleaner._empty,  # noqa: SLF001
    Action.D: Cleaner._dummy,  # noqa: SLF001
    Action.U: Cleaner._replace_uid,  # noqa: SLF001
    Action.C: Cleaner._clean_value,  # noqa: SLF001
}
_APPLY_TO_PRIVATE = {
    **_APPLY_BY_ACTION,
    Action.U: Cleaner._replace_private_uid,  # noqa: SLF001
    Action.C: Cleaner._clean_private_date,  # noqa: SLF001
}
