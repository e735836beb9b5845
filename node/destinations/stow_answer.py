"""What a DICOMweb server's answer to the storage of one instance means (PS3.18 Section 10.5.3), as a C-STORE status.

| HTTP | |
|---|---|
| 200 | stored, unless the answer lists the instance as failed or lists others only |
| 202, 409 | as the answer says of the instance; without a word of it 0110 (202: tried again), C409 (given up) |
| 500 | 0110, tried again |
| 507 | A700, tried again |
| 3xx, 401, 403, 404, 405, 407, 410, 429, 502, 503, 504 | we are not let in, or not now: the destination is away |
| others | Cnnn with the digits of the HTTP status (C413: too large): given up |

The reasons in an answer are statuses of C-STORE (PS3.18 Table I.2-2); C122: a transfer syntax that is not taken.
"""

from __future__ import annotations

import json
from typing import Any, Final

from node.errors import Unreachable
from node.status import Outcome, Status, outcome_of

_REFERENCED_SEQUENCE: Final = "00081199"
_FAILED_SEQUENCE: Final = "00081198"
_REFERENCED_INSTANCE: Final = "00081155"
_FAILURE_REASON: Final = "00081197"
_WARNING_REASON: Final = "00081196"

_ALL_STORED, _SOME_STORED, _NONE_STORED, _FAILED, _FULL = 200, 202, 409, 500, 507
_AWAY: Final = frozenset({401, 403, 404, 405, 407, 410, 429, 502, 503, 504})
_HTTP_REFUSED: Final = 0xC000


class HttpRefused(Unreachable):
    """The server answers, and does not let us in, or not now.

    Attributes
    ----------
    http_status
        of its answer
    """

    def __init__(self, message: str, http_status: int) -> None:
        super().__init__(message)
        self.http_status = http_status


def check_admission(http_status: int, title: str) -> None:
    """Look whether an answer is one to the request.

    Raises
    ------
    HttpRefused
        if the server does not let us in, or not now
    """
    if http_status in _AWAY or 300 <= http_status < 400:
        raise HttpRefused(f"{title} answers HTTP {http_status}", http_status)


def status_of(http_status: int, body: bytes, sop_instance_uid: str) -> int:
    """Return the status that an answer to the storage of one instance comes to; see `check_admission` first."""
    if http_status in (_ALL_STORED, _SOME_STORED, _NONE_STORED):
        return _said(http_status, _answer(body), sop_instance_uid)
    if 200 <= http_status < 300 or http_status == _FAILED:
        return Status.PROCESSING_FAILURE
    return Status.OUT_OF_RESOURCES if http_status == _FULL else _refused(http_status)


def _said(http_status: int, answer: Any, sop_instance_uid: str) -> int:  # noqa: ANN401
    failed, stored = _items(answer, _FAILED_SEQUENCE), _items(answer, _REFERENCED_SEQUENCE)
    for item in failed:
        if _first(item, _REFERENCED_INSTANCE) in (sop_instance_uid, None):
            return _failure(_first(item, _FAILURE_REASON))
    for item in stored:
        if _first(item, _REFERENCED_INSTANCE) == sop_instance_uid:
            return _success(_first(item, _WARNING_REASON))
    if http_status == _NONE_STORED:
        return _refused(http_status)
    if http_status == _SOME_STORED or failed or stored:
        return Status.PROCESSING_FAILURE
    return Status.SUCCESS


def _refused(http_status: int) -> int:
    return _HTTP_REFUSED + int(f"{http_status % 1000:03d}", 16)


def _failure(reason: object) -> int:
    """Return the reason of a failure; one that would mean success is none."""
    if isinstance(reason, int) and 0 < reason <= 0xFFFF and outcome_of(reason) is not Outcome.STORED:
        return reason
    return Status.PROCESSING_FAILURE


def _success(warning: object) -> int:
    if isinstance(warning, int) and outcome_of(warning) is Outcome.STORED:
        return warning
    return Status.SUCCESS


def _answer(body: bytes) -> Any:  # noqa: ANN401  JSON of a server, which may be anything
    """Return the answer in the DICOM JSON Model (PS3.18 Annex F); None if it is none."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return answer[0] if isinstance(answer, list) and len(answer) == 1 else answer


def _items(data_set: Any, tag: str) -> list[Any]:  # noqa: ANN401
    element = data_set.get(tag) if isinstance(data_set, dict) else None
    value = element.get("Value") if isinstance(element, dict) else None
    return value if isinstance(value, list) else []


def _first(item: Any, tag: str) -> object:  # noqa: ANN401
    values = _items(item, tag)
    return values[0] if values else None
