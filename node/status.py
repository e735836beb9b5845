"""What an answer to C-STORE means for the delivery (PS3.4 Table B.2-1, PS3.7 Annex C)."""

from __future__ import annotations

from enum import Enum, IntEnum


class Status(IntEnum):
    """Statuses of C-STORE and, in storage commitment, of N-operations; classes like A7xx are named by their first."""

    SUCCESS = 0x0000
    """Stored."""
    COERCED = 0xB000
    """Warning: coercion of data elements. Stored."""
    ELEMENTS_DISCARDED = 0xB006
    """Warning: elements discarded. Stored."""
    DATA_SET_MISMATCH_WARNING = 0xB007
    """Warning: data set does not match SOP Class. Stored."""
    OUT_OF_RESOURCES = 0xA700
    """Refused: out of resources (A7xx). Not stored; may be later."""
    DATA_SET_MISMATCH = 0xA900
    """Error: data set does not match SOP Class (A9xx)."""
    CANNOT_UNDERSTAND = 0xC000
    """Error: cannot understand (Cxxx)."""
    INVALID_ATTRIBUTE_VALUE = 0x0106
    PROCESSING_FAILURE = 0x0110
    """A general failure of the archive's own doing (a full disk, a locked database): may work later."""
    DUPLICATE_INSTANCE = 0x0111
    NO_SUCH_INSTANCE = 0x0112
    NO_SUCH_EVENT_TYPE = 0x0113
    INVALID_ARGUMENT_VALUE = 0x0115
    INVALID_INSTANCE = 0x0117
    NO_SUCH_SOP_CLASS = 0x0118
    SOP_CLASS_NOT_SUPPORTED = 0x0122
    NO_SUCH_ACTION = 0x0123
    NOT_AUTHORIZED = 0x0124
    DUPLICATE_INVOCATION = 0x0210
    UNRECOGNIZED_OPERATION = 0x0211
    MISTYPED_ARGUMENT = 0x0212
    RESOURCE_LIMITATION = 0x0213
    """Resource limitation: may work later."""


class Outcome(Enum):
    """What becomes of a delivery."""

    STORED = "stored"
    RETRY = "retry"
    GIVE_UP = "give-up"


# (first, last, outcome); what no row names is GIVE_UP: the files stay, and a person looks.
OUTCOMES: tuple[tuple[int, int, Outcome], ...] = (
    (0x0000, 0x0000, Outcome.STORED),
    (0xB000, 0xB000, Outcome.STORED),
    (0xB006, 0xB007, Outcome.STORED),
    (0xA700, 0xA7FF, Outcome.RETRY),
    (0x0110, 0x0110, Outcome.RETRY),
    (0x0213, 0x0213, Outcome.RETRY),
    (0xA900, 0xA9FF, Outcome.GIVE_UP),
    (0xC000, 0xCFFF, Outcome.GIVE_UP),
    (0x0100, 0x010F, Outcome.GIVE_UP),
    (0x0111, 0x01FF, Outcome.GIVE_UP),
)


def outcome_of(status: int | None) -> Outcome:
    """Return what a status means; None stands for no answer at all (abort, time-out, unreachable).

    Without an answer the instance may or may not be stored. Sending it again does no harm: same UIDs, same bytes.
    """
    if status is None:
        return Outcome.RETRY
    for first, last, outcome in OUTCOMES:
        if first <= status <= last:
            return outcome
    return Outcome.GIVE_UP
