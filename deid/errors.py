"""What can go wrong in `deid`.

DeidError
├── Refused        this instance cannot be cleaned with certainty: quarantine it (UNMAPPED_PATIENT: not yet, hold it)
├── SeriesNeeded   this instance can only be cleaned once its series is known: plan that, and come again
└── Misconfigured  profile, key or models are wrong: stop, nothing can be cleaned

Messages carry tags, codes and counts, never values of an instance.
"""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Why an instance was refused: the closed vocabulary of the quarantine."""

    NOT_DICOM = "not-dicom"
    TRUNCATED = "truncated"
    MALFORMED = "malformed-data-set"
    TRAILING_BYTES = "trailing-bytes"
    TOO_DEEP = "sequences-too-deep"
    TOO_LARGE = "too-large"
    UNSUPPORTED_TRANSFER_SYNTAX = "unsupported-transfer-syntax"
    UNSUPPORTED_SOP_CLASS = "unsupported-sop-class"
    MISSING_UID = "missing-uid"
    INVALID_UID = "invalid-uid"
    UNDECODABLE_TEXT = "undecodable-text"
    NO_PATIENT = "no-patient-identity"
    UNMAPPED_PATIENT = "patient-not-mapped"
    PIXELS_NOT_CLEANABLE = "pixels-not-cleanable"
    TEXT_LEFT = "text-left-in-pixels"
    KEPT_BACK = "kept-back-by-profile"
    FACE_SERIES_UNFIT = "face-series-unfit"
    FACE_LEFT = "face-left"
    STEP_UNAVAILABLE = "step-unavailable"
    IDENTIFIER_LEFT = "identifier-left"


class DeidError(Exception):
    """Root of all errors of this package."""


class Refused(DeidError):
    """The instance cannot be cleaned with certainty; it belongs in quarantine."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        """Keep `reason`; `detail` names tags, codes or counts, never a value."""
        super().__init__(f"{reason.value}: {detail}" if detail else reason.value)
        self.reason = reason
        self.detail = detail

    def __reduce__(self) -> tuple[type[Refused], tuple[Reason, str]]:
        """Pickle by reason and detail, so that a worker process can raise it."""
        return (Refused, (self.reason, self.detail))


class SeriesNeeded(DeidError):
    """The instance may be part of a head: it can only be cleaned with a plan made of its whole series."""

    def __init__(self, series_code: str) -> None:
        """Keep the code of the series: 32 hexadecimal digits by HMAC from the key, never its UID."""
        super().__init__(f"series needed: {series_code}")
        self.series_code = series_code

    def __reduce__(self) -> tuple[type[SeriesNeeded], tuple[str]]:
        """Pickle by the code, so that a worker process can raise it."""
        return (SeriesNeeded, (self.series_code,))


class Misconfigured(DeidError):
    """The profile, the key or a model is missing or wrong."""
