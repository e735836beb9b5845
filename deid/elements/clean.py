"""One walk over a Data Set that does to each element what the profile's rule says (PS3.15 Table E.1-1a)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from deid.elements.dates import SHIFT_BY_VR, TIMEZONE_OFFSET_FROM_UTC, keep_zone, shift_value
from deid.elements.dummies import dummy_element
from deid.elements.pseudonyms import PATIENT_ID, PATIENT_NAME, Patient
from deid.elements.uids import map_ui_value
from deid.encoding.element import DataSet, Element, Fragments
from deid.errors import Reason, Refused
from deid.needles import Needles
from deid.profile import Action, Rule, Rules
from deid.report import Finding
from deid.search import NUMBER_VRS, TEXT_VRS, finding_in

_PSEUDONYMOUS = frozenset({PATIENT_NAME, PATIENT_ID})
_FIRST_OVERLAY_GROUP, _LAST_OVERLAY_GROUP = 0x6000, 0x60FF
_OVERLAY_DATA = 0x3000


@dataclass(slots=True)
class Cleaner:
    """The rules and keys for one instance, and what was done so far.

    Attributes
    ----------
    rules
        of the profile, for the instance's SOP Class
    patient
        whose pseudonym replaces name and ID
    uid_key
        key of the UID mapping
    shift_days
        shift of this patient's dates
    needles
        identifiers that must not stay in any kept text
    counts
        elements per action
    findings
        one per element if wanted, else None
    """

    rules: Rules
    patient: Patient
    uid_key: bytes
    shift_days: int
    needles: Needles
    counts: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] | None = None
    _kept_texts: list[tuple[DataSet, Element]] = field(default_factory=list)

    def clean(self, data_set: DataSet) -> DataSet:
        """Return the clean counterpart of a top-level Data Set; the argument is not changed.

        Raises
        ------
        Refused
            If an element needs a step that does not exist, or has no dummy.
        """
        out = self._clean_data_set(data_set, 0, ())
        self._remove_known_identifiers()
        return out

    def _clean_data_set(self, data_set: DataSet, parent: int, path: tuple[int, ...]) -> DataSet:
        out = DataSet(charset=data_set.charset)
        kept = out.elements
        rule_for, counts, apply_by_action = self.rules.rule, self.counts, _APPLY_BY_ACTION
        for tag, element in data_set.elements.items():
            rule = rule_for(tag, element.vr, parent)
            counts[rule.action] += 1
            if self.findings is not None:
                self.findings.append(Finding((*path, tag), element.vr, rule.action, rule.source))
            new = apply_by_action[rule.action](self, element, rule, data_set, path)
            if new is not None:
                kept[tag] = new
                if new.vr in _SEARCHED_VRS and rule.action is Action.K:
                    self._kept_texts.append((out, new))
        self._drop_overlay_groups(data_set, out)
        return out

    def _clean_items(self, element: Element, path: tuple[int, ...]) -> Element:
        assert isinstance(element.value, list)  # noqa: S101  callers have looked
        inner = (*path, element.tag)
        return Element(element.tag, "SQ", [self._clean_data_set(item, element.tag, inner) for item in element.value])

    def _keep(self, element: Element, rule: Rule, owner: DataSet, path: tuple[int, ...]) -> Element | None:
        del rule, owner
        return self._clean_items(element, path) if isinstance(element.value, list) else element

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
        """Move a date, or keep what says nothing; a text needs a step of its own."""
        value = element.value
        if isinstance(value, bytes | memoryview):
            if element.vr in SHIFT_BY_VR:
                cleaned = shift_value(element.vr, bytes(value), self.shift_days)
            elif element.tag == TIMEZONE_OFFSET_FROM_UTC:
                cleaned = keep_zone(bytes(value))
            else:
                cleaned = b"" if not bytes(value).strip(b" \0") else None
            if cleaned is not None:
                return Element(element.tag, element.vr, cleaned)
        if element.vr in _NEED_THE_TEXT_STEP or isinstance(value, list):
            raise Refused(
                Reason.STEP_UNAVAILABLE, f"({element.tag >> 16:04X},{element.tag & 0xFFFF:04X}) {rule.source}"
            )
        return _APPLY_BY_ACTION[rule.fallback](self, element, rule, owner, path)

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
        """Replace by a dummy what the table lets stay but holds an identifier of this patient."""
        if not self._kept_texts:
            return
        texts = b"\0".join([bytes(element.value) for _, element in self._kept_texts])  # type: ignore[arg-type]
        candidates = self.needles.possible_in(texts.lower())
        if not candidates:
            return
        for owner, element in self._kept_texts:
            is_still_there = owner.elements.get(element.tag) is element
            if is_still_there and finding_in(candidates, element, owner) is not None:
                owner.elements[element.tag] = dummy_element(element, self.uid_key)
                self.counts[Action.K] -= 1
                self.counts[Action.D] += 1


_SEARCHED_VRS = TEXT_VRS | NUMBER_VRS
_NEED_THE_TEXT_STEP = TEXT_VRS - {"CS"}

_APPLY_BY_ACTION = {
    Action.K: Cleaner._keep,  # noqa: SLF001  the class's own table
    Action.X: Cleaner._remove,  # noqa: SLF001
    Action.Z: Cleaner._empty,  # noqa: SLF001
    Action.D: Cleaner._dummy,  # noqa: SLF001
    Action.U: Cleaner._replace_uid,  # noqa: SLF001
    Action.C: Cleaner._clean_value,  # noqa: SLF001
}
