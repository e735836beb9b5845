"""The reasons of the quarantine in words, and what a person can do about each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from deid.errors import Reason
from node.jobs import NodeReason

_SENDER = "The sender has to send it anew; discard it then."
_CONFIGURE = "Change the configuration, then clean it again."

WORDS: Final[Mapping[str, tuple[str, str]]] = {
    Reason.NOT_DICOM: ("It is no DICOM data set.", _SENDER),
    Reason.TRUNCATED: ("It ends too early.", _SENDER),
    Reason.MALFORMED: ("It can't be read for sure.", _SENDER),
    Reason.TRAILING_BYTES: ("There are bytes behind its end.", _SENDER),
    Reason.TOO_DEEP: ("Its sequences are nested too deeply.", _SENDER),
    Reason.TOO_LARGE: ("It asks for more memory than an instance may.", _SENDER),
    Reason.UNSUPPORTED_TRANSFER_SYNTAX: ("Its transfer syntax is not known here.", "Have it sent in another one."),
    Reason.UNSUPPORTED_SOP_CLASS: ("Its SOP Class is not known here.", "Discard it."),
    Reason.MISSING_UID: ("It has no SOP Class or SOP Instance UID.", _SENDER),
    Reason.INVALID_UID: ("A UID in it is none.", _SENDER),
    Reason.UNDECODABLE_TEXT: ("A text in it is not in the character set that it names.", _SENDER),
    Reason.NO_PATIENT: ("Nothing says whose it is.", _SENDER),
    Reason.UNMAPPED_PATIENT: ("The crosswalk doesn't have its patient.", _CONFIGURE),
    Reason.PIXELS_NOT_CLEANABLE: ("Its frames can't be decoded or written, so nobody can look at them.", _SENDER),
    Reason.TEXT_LEFT: (
        "After masking there was still something that reads like text.",
        "Look at the frame that is named. Draw a mask over what identifies, or approve if nothing does.",
    ),
    Reason.KEPT_BACK: (
        "The profile keeps images of this kind back until a person has seen them.",
        "Look at all frames. Draw masks over what identifies, or approve if nothing does.",
    ),
    Reason.FACE_SERIES_UNFIT: (
        "It may show a face, and its series is no volume from which that could be removed.",
        "When the rest of the series has come, clean all of it again together.",
    ),
    Reason.FACE_LEFT: ("Too much of a face would be left.", "Discard it, or change the profile and clean it again."),
    Reason.STEP_UNAVAILABLE: ("A step of the profile could not be done.", _CONFIGURE),
    Reason.IDENTIFIER_LEFT: (
        "Something that identifies the patient was still in the bytes about to be sent.",
        "The header below shows the attribute that is named. Give it an override in the profile, then clean it again.",
    ),
    NodeReason.WORKER_DIED: (
        "The processes that tried to clean it died.",
        "Clean it again; if it stays so, discard it.",
    ),
    NodeReason.WORKER_TIMED_OUT: ("It took too long to clean.", "Raise [work] time_limit_s, then clean it again."),
    NodeReason.FORWARDER_DIED: ("The process that sends died whenever it sent this.", "Please report it."),
    NodeReason.OTHER_CONTENT: (
        "The destination has another content under the same SOP Instance UID.",
        "Find out which one is right. Cleaned again it is sent all the same, and may take the other's place.",
    ),
    NodeReason.OUT_OF_MEMORY: ("It needs too much memory.", "Raise [work] memory_limit_bytes, then clean it again."),
    NodeReason.INTERNAL_ERROR: ("The program made a mistake; the detail says where.", "Please report it."),
    NodeReason.NO_SUCH_PROJECT: ("Its project is not configured any more.", _CONFIGURE),
    NodeReason.NO_SUCH_DESTINATION: ("Its destination is not configured any more.", _CONFIGURE),
    NodeReason.NO_ACCEPTABLE_TRANSFER_SYNTAX: (
        "The archive takes its SOP Class in no transfer syntax that the node can make of it.",
        "Have the archive accept another one, then clean it again.",
    ),
    NodeReason.SOP_CLASS_NOT_ACCEPTED: (
        "The archive doesn't take its SOP Class.",
        "Have it accepted, then clean it again.",
    ),
    NodeReason.REFUSED_BY_DESTINATION: (
        "The archive refused it; the detail says how.",
        "Ask there, then clean it again.",
    ),
    NodeReason.UNDELIVERABLE: ("The archive was away for too long.", "Clean it again when it is back."),
    NodeReason.NOT_COMMITTED: ("The archive never committed itself to it.", "Ask there, then clean it again."),
    NodeReason.FILES_MISSING: (
        "Its file is gone, and not by the node's doing.",
        "Have it sent anew, and discard this.",
    ),
    NodeReason.UNRECORDED: ("Why it was refused is not known any more.", "Clean it again."),
}


def meaning(reason: str) -> str:
    """Say what a reason means."""
    return WORDS.get(reason, (reason, ""))[0]


def remedy(reason: str) -> str:
    """Say what can be done about it."""
    return WORDS.get(reason, ("", ""))[1]
