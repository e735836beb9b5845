"""From a new ID back to whom it stands for. Patient data: for who has the key, and audited."""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deid.identity import PSEUDONYM_PREFIX
from node.audit import people
from node.crosswalk_file import CrosswalkFile
from node.errors import Misconfigured
from node.identity_settings import IdentityMode
from node.key import load_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from node.identity_table import Record
    from node.settings import Project, Settings

_OURS = re.compile(rf"{PSEUDONYM_PREFIX}[A-Z2-7]{{16}}")


@dataclass(frozen=True, slots=True)
class Answer:
    """What is known of one code; several records if several IDs were merged, or in several projects."""

    code: str
    records: tuple[Record, ...]


def who_is(settings: Settings, secret: bytes, codes: Sequence[str], project: str | None = None) -> list[Answer]:
    """Say whom pseudonyms (of crosswalks: also new accession numbers) stand for; the audit log knows before.

    Parameters
    ----------
    secret
        the key, from who asks
    project
        to look in; None for all

    Raises
    ------
    Misconfigured
        If the key is not the node's, there is no such project, or none of them keeps who is who. Audited too.
    Transient
        If the audit log can't be written: then nothing is said.
    """
    settings.spool.path.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        projects = _projects(settings, project)
        _check_key(settings, secret)
        answers = [Answer(code, _records(settings, secret, code, projects)) for code in codes]
    except Misconfigured:
        _note(settings, codes, [code for code in codes if _OURS.fullmatch(code)], denied=True)
        raise
    _note(settings, codes, [answer.code for answer in answers if answer.records], denied=False)
    return answers


def _note(settings: Settings, asked: Sequence[str], pseudonyms: list[str], *, denied: bool) -> None:
    """Write to the audit log what was asked for: of what is no pseudonym only how many, for it may be an old ID."""
    people.looked_up(settings, people.me(), len(asked), pseudonyms, denied=denied)


def _projects(settings: Settings, name: str | None) -> list[Project]:
    """Return the projects that keep who is who."""
    chosen = [each for each in settings.projects if name in {None, each.name}]
    if not chosen:
        known = ", ".join(each.name for each in settings.projects)
        raise Misconfigured(f"no project is called {name!r}; there are {known}")
    reversible = [each for each in chosen if _is_reversible(each)]
    if not reversible:
        raise Misconfigured(
            "keyed codes cannot be reversed; with remember = true in [projects.identity] the node keeps, encrypted, "
            "who gets which from then on"
        )
    return reversible


def _is_reversible(project: Project) -> bool:
    return project.identity.mode is not IdentityMode.KEYED or project.identity.remember


def _check_key(settings: Settings, secret: bytes) -> None:
    if not hmac.compare_digest(load_key(settings.key_file), secret):
        raise Misconfigured("this is not the key of this node; name the file of its key by --key")


def _records(settings: Settings, secret: bytes, code: str, projects: list[Project]) -> tuple[Record, ...]:
    from node.identity_table import IdentityTable, Record  # noqa: PLC0415  loads a library that else nobody needs

    names = {each.name for each in projects}
    records: list[Record] = []
    tables = {
        each.identity.table_file(settings.spool.path)
        for each in projects
        if each.identity.mode is not IdentityMode.CROSSWALK
    }
    for path in sorted(tables):
        table = IdentityTable(path, secret)
        records += [record for record in table.behind(code) if record.project in names]
        table.close()
    for each in projects:
        if each.identity.mode is IdentityMode.CROSSWALK:
            keys = CrosswalkFile(each.identity).current().behind(code)
            records += [Record(each.name, key.patient_id, key.issuer, key.accession_number) for key in keys]
    return tuple(records)
