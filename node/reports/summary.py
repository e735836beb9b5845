"""The report: what this node does, and what it did, by project and by study."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from deid.options import BASIC_PROFILE, OPTIONS
from deid.profile import load_profile
from deid.standard import EDITION
from node.errors import Misconfigured
from node.reports.facts import ACTION, CLASS, CODE, MASK, PIXELS, PROFILE, under
from node.reports.tables import StudyName, Tally, tallies
from node.settings import profile_path

if TYPE_CHECKING:
    from collections.abc import Iterable

    from node.ledger import Ledger
    from node.settings import Project, Settings

ACTIONS = {
    "D": "replaced by a dummy",
    "Z": "emptied, or replaced by a pseudonym",
    "X": "removed",
    "K": "kept",
    "C": "cleaned",
    "U": "UID replaced",
}
"""What the actions of PS3.15 Table E.1-1a do, in the words of a report."""

_MEANINGS = {
    BASIC_PROFILE.value: BASIC_PROFILE.meaning,
    **{option.code.value: option.code.meaning for option in OPTIONS.values()},
}


@dataclass(frozen=True, slots=True)
class ProjectReport:
    """One project, as it is configured now and with what was done in it.

    Attributes
    ----------
    project
        its settings; None if the configuration doesn't have it any more
    profile
        name of its profile
    options
        of the profile
    overrides
        how many the profile has
    tally
        of all its studies
    studies
        each of them
    """

    name: str
    project: Project | None
    profile: str
    options: tuple[str, ...]
    overrides: int
    tally: Tally
    studies: dict[StudyName, Tally]

    @property
    def patients(self) -> int:
        """How many pseudonyms there are."""
        return len({study.patient_id for study in self.studies if study.study_uid})


@dataclass(frozen=True, slots=True)
class NodeReport:
    """What a node did.

    Attributes
    ----------
    made_at
        ISO 8601, UTC
    """

    ae_title: str
    made_at: str
    software: str
    standard: str
    projects: tuple[ProjectReport, ...]


def node_report(settings: Settings, ledger: Ledger, made_at: str, project: str = "") -> NodeReport:
    """Put a report together.

    Parameters
    ----------
    made_at
        now, ISO 8601
    project
        only this one; empty: all

    Raises
    ------
    Misconfigured
        There is no such project, or a profile can't be read.
    """
    found = tallies(ledger, project)
    configured = {each.name: each for each in settings.projects}
    names = [project] if project else sorted({*configured, *(study.project for study in found)})
    if project and project not in configured and not found:
        raise Misconfigured(f"no project is called {project!r}; there are {', '.join(configured)}")
    reports = tuple(_project(name, configured.get(name), found) for name in names)
    return NodeReport(settings.ae_title, made_at, _version(), EDITION, reports)


def _project(name: str, project: Project | None, found: dict[StudyName, Tally]) -> ProjectReport:
    studies = {study: tally for study, tally in found.items() if study.project == name}
    total = Tally()
    for tally in studies.values():
        total.add(tally)
    if project is None:
        return ProjectReport(name, None, "", (), 0, total, studies)
    profile = load_profile(profile_path(project))
    options = tuple(option for option in OPTIONS if option in profile.options)
    return ProjectReport(name, project, profile.name, options, len(profile.overrides), total, studies)


def _version() -> str:
    try:
        return f"deid-node {version('deid-node')}"
    except PackageNotFoundError:
        return "deid-node"


def code_meaning(code: str) -> str:
    """Return the meaning of a code of CID 7050, empty if it isn't one of ours."""
    return _MEANINGS.get(code, "")


def class_name(uid: str) -> str:
    """Return the name of a SOP Class, its UID if there is none."""
    from pydicom._uid_dict import UID_dictionary  # noqa: PLC0415  only a report wants names

    return UID_dictionary[uid][0] if uid in UID_dictionary else uid


def tally_values(tally: Tally) -> dict[str, Any]:
    """Give a tally as plain values for JSON."""
    return {
        "instances": {
            "delivered": tally.sent,
            "under_way": tally.under_way,
            "quarantined": dict(sorted(tally.quarantined.items())),
        },
        "elements_by_action": under(tally.facts, ACTION),
        "claimed": {
            code: {"meaning": code_meaning(code), "instances": n} for code, n in under(tally.facts, CODE).items()
        },
        "profiles": under(tally.facts, PROFILE),
        "sop_classes": under(tally.facts, CLASS),
        "pixels": {**under(tally.facts, PIXELS), "masks_by_reason": under(tally.facts, MASK)},
    }


def rows(report: NodeReport, *, by_study: bool) -> Iterable[tuple[ProjectReport, StudyName, Tally]]:
    """Yield what a table has lines for: projects, or their studies."""
    for project in report.projects:
        if by_study:
            yield from ((project, study, tally) for study, tally in project.studies.items())
        else:
            yield project, StudyName(project.name), project.tally
