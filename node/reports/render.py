"""A report as JSON, CSV and a page to print."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from typing import TYPE_CHECKING, Any

from deid.options import OPTIONS
from node.reports.facts import ACTION, CLASS, CODE, MASK, PIXELS, under
from node.reports.summary import ACTIONS, class_name, code_meaning, rows, tally_values
from node.web.reasons import meaning

if TYPE_CHECKING:
    from node.reports.summary import NodeReport, ProjectReport
    from node.reports.tables import Tally

_UID = re.compile(r"[0-9]+(?:\.[0-9]+)+")
_PIXEL_COLUMNS = ("frames", "masked frames", "images with a mask", "images not looked at", "lines kept as markers")


def as_json(report: NodeReport, *, by_study: bool) -> str:
    """Write one JSON object, ending with a line break."""
    return json.dumps(_values(report, by_study=by_study), indent=2) + "\n"


def _values(report: NodeReport, *, by_study: bool) -> dict[str, Any]:
    return {
        "ae_title": report.ae_title,
        "made_at": report.made_at,
        "software": report.software,
        "standard": report.standard,
        "projects": [_project_values(project, by_study=by_study) for project in report.projects],
    }


def _project_values(project: ProjectReport, *, by_study: bool) -> dict[str, Any]:
    values = {
        "project": project.name,
        "profile": project.profile,
        "options": list(project.options),
        "overrides": project.overrides,
        "patients": project.patients,
        "studies": sum(bool(study.study_uid) for study in project.studies),
        **tally_values(project.tally),
    }
    if by_study:
        values["by_study"] = [
            {"study_uid": study.study_uid, "patient_id": study.patient_id, **tally_values(tally)}
            for study, tally in project.studies.items()
        ]
    return values


def as_csv(report: NodeReport, *, by_study: bool) -> str:
    """Write a table with one line for each project or study (RFC 4180)."""
    found = list(rows(report, by_study=by_study))
    codes = sorted({code for _, _, tally in found for code in under(tally.facts, CODE)})
    reasons = sorted({reason for _, _, tally in found for reason in tally.quarantined})
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(
        [
            *("project", "study_uid", "patient_id", "delivered", "under_way", "quarantined"),
            *(f"action_{action}" for action in ACTIONS),
            *(f"claimed_{code}" for code in codes),
            *(name.replace(" ", "_") for name in _PIXEL_COLUMNS),
            *(f"quarantined_{reason}" for reason in reasons),
        ]
    )
    for _, study, tally in found:
        actions, claimed, pixels = (under(tally.facts, kind) for kind in (ACTION, CODE, PIXELS))
        table.writerow(
            [
                *(study.project, study.study_uid, study.patient_id),
                *(tally.sent, tally.under_way, tally.quarantined.total()),
                *(actions.get(action, 0) for action in ACTIONS),
                *(claimed.get(code, 0) for code in codes),
                *(pixels.get(name, 0) for name in _PIXEL_COLUMNS),
                *(tally.quarantined[reason] for reason in reasons),
            ]
        )
    return text.getvalue()


_STYLE = """
@page { size: A4; margin: 18mm }
body { font: 10.5pt/1.45 system-ui, sans-serif; color: #111; max-width: 60em; margin: 2em auto; padding: 0 1em }
h1 { font-size: 1.5em } h2 { font-size: 1.2em; margin-top: 2em } h3 { font-size: 1em }
h2, h3 { break-after: avoid }
table { border-collapse: collapse; margin: .5em 0 1em; width: 100% } tr { break-inside: avoid }
th, td { text-align: left; padding: .25em .75em .25em 0; border-bottom: 1px solid #bbb; vertical-align: top }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
td.uid { font-family: ui-monospace, monospace; font-size: .82em; overflow-wrap: anywhere }
p.small { font-size: .85em; color: #444 }
"""


def as_html(report: NodeReport, *, by_study: bool) -> str:
    """Write one page that needs nothing else, to be printed or kept."""
    body = "\n".join(line for project in report.projects for line in _section(project, by_study=by_study))
    title = f"De-identification report of {report.ae_title}"
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>{escape(title)}</h1>
<p>Made at {escape(report.made_at)} by {escape(report.software)}, which applies the Basic Application Level
Confidentiality Profile of DICOM PS3.15 Annex E (rules of {escape(report.standard)}) with the options named below.</p>
{body}
<p class="small">Delivered: every destination of the project has confirmed the de-identified instance. In quarantine:
the node refused to pass the instance on, or a destination to take it, for the reason given. Counts of actions are
data elements of delivered instances, those within sequences included. Patients and studies are named by their new
identifiers; the report holds nothing of the original ones. Instances of projects with direct delivery, and those from
before the ledger began or was last rebuilt, are not in it.</p>
</body>
</html>
"""


def _section(project: ProjectReport, *, by_study: bool) -> Iterator[str]:
    tally = project.tally
    yield f"<h2>Project {escape(project.name)}</h2>"
    if project.project is None:
        yield "<p>It is no longer in the configuration.</p>"
    else:
        overrides = f", with {project.overrides} overrides" if project.overrides else ""
        yield f"<p>Profile <strong>{escape(project.profile)}</strong>{overrides}. Options:</p><ul>"
        yield (
            "".join(f"<li>{escape(OPTIONS[option].code.meaning)}</li>" for option in project.options) or "<li>none</li>"
        )
        yield "</ul>"
    studies = sum(bool(study.study_uid) for study in project.studies)
    yield f"<p>Patients: {project.patients}. Studies: {studies}.</p>"
    yield from _table(
        ("", "Instances"),
        [
            ("delivered", tally.sent),
            ("under way", tally.under_way),
            ("in quarantine", tally.quarantined.total()),
        ],
    )
    yield from _parts(tally)
    if by_study and project.studies:
        yield "<h3>Studies</h3>"
        yield from _table(
            ("Patient ID (new)", "Study Instance UID (new)", "delivered", "under way", "quarantine", "images masked"),
            [
                (
                    *(study.patient_id or "could not be read", study.study_uid),
                    *(each.sent, each.under_way, each.quarantined.total()),
                    each.facts[f"{PIXELS}/images with a mask"],
                )
                for study, each in project.studies.items()
            ],
        )


def _parts(tally: Tally) -> Iterator[str]:
    """Yield the tables of what was done, those that have lines."""
    parts: list[tuple[str, tuple[str, str], Mapping[str, int]]] = [
        ("In quarantine, by reason", ("Reason", "Instances"), _reasons(tally)),
        ("Data elements, by action (PS3.15 Table E.1-1a)", ("Action", "Elements"), _actions(tally)),
        ("Claimed in De-identification Method Code Sequence", ("Code", "Instances"), _codes(tally)),
        ("Pixels", ("", "Number"), under(tally.facts, PIXELS)),
        ("Masks, by reason", ("Reason", "Masks"), under(tally.facts, MASK)),
        ("SOP Classes", ("SOP Class", "Instances"), _classes(tally)),
    ]
    for title, heads, values in parts:
        if values:
            yield f"<h3>{escape(title)}</h3>"
            yield from _table(heads, sorted(values.items()))


def _reasons(tally: Tally) -> dict[str, int]:
    return {f"{reason}: {meaning(reason)}": n for reason, n in tally.quarantined.items()}


def _actions(tally: Tally) -> dict[str, int]:
    return {f"{each} {ACTIONS.get(each, '')}".strip(): n for each, n in under(tally.facts, ACTION).items()}


def _codes(tally: Tally) -> dict[str, int]:
    return {f"{code} {code_meaning(code)}".strip(): n for code, n in under(tally.facts, CODE).items()}


def _classes(tally: Tally) -> dict[str, int]:
    return {class_name(uid): n for uid, n in under(tally.facts, CLASS).items()}


def _table(heads: tuple[str, ...], lines: Iterable[tuple[str | int, ...]]) -> Iterator[str]:
    found = list(lines)
    numeric = [bool(found) and isinstance(cell, int) for cell in found[0]] if found else [False] * len(heads)
    names = zip(heads, numeric, strict=True)
    yield f"<table><tr>{''.join(f'<th{_kind(is_n)}>{escape(head)}</th>' for head, is_n in names)}</tr>"
    for line in found:
        yield f"<tr>{''.join(_cell(cell) for cell in line)}</tr>"
    yield "</table>"


def _kind(is_number: bool) -> str:  # noqa: FBT001  of a column
    return ' class="n"' if is_number else ""


def _cell(cell: str | int) -> str:
    if isinstance(cell, int):
        return f'<td class="n">{cell:,}</td>'
    uid = ' class="uid"' if _UID.fullmatch(cell) else ""
    return f"<td{uid}>{escape(cell)}</td>"
