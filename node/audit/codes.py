"""What can be audited, and the codes of PS3.16 (CID 400 to 404) that say it in audit messages."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Deed(StrEnum):
    """What is audited, in the words of `deid-node audit`."""

    # the node
    STARTED = "started"
    STOPPED = "stopped"
    RECEIVED = "received"
    SENDING = "sending"
    SENT = "sent"
    EXPORTED = "exported"
    REJECTED = "rejected"
    RECORDING_GAP = "recording-gap"
    # people
    SIGNED_IN = "signed-in"
    SIGN_IN_FAILED = "sign-in-failed"
    SIGNED_OUT = "signed-out"
    LOOKED_AT = "looked-at"
    DECIDED = "decided"
    DISCARDED = "discarded"
    USERS_CHANGED = "users-changed"
    SETTINGS_CHANGED = "settings-changed"
    KEY_CHANGED = "key-changed"
    LOOKUP = "lookup"
    LOOKUP_DENIED = "lookup-denied"
    LOG_READ = "log-read"


class Code(NamedTuple):
    """A coded value: its code, where that is from, and what it means."""

    value: str
    scheme: str
    meaning: str


def _dcm(value: str, meaning: str) -> Code:
    return Code(value, "DCM", meaning)


# Audit events: PS3.16 CID 400
APPLICATION_ACTIVITY = _dcm("110100", "Application Activity")
AUDIT_LOG_USED = _dcm("110101", "Audit Log Used")
BEGIN_TRANSFERRING = _dcm("110102", "Begin Transferring DICOM Instances")
INSTANCES_ACCESSED = _dcm("110103", "DICOM Instances Accessed")
INSTANCES_TRANSFERRED = _dcm("110104", "DICOM Instances Transferred")
DATA_EXPORT = _dcm("110106", "Data Export")
PATIENT_RECORD = _dcm("110110", "Patient Record")
SECURITY_ALERT = _dcm("110113", "Security Alert")
USER_AUTHENTICATION = _dcm("110114", "User Authentication")

# Their types: PS3.16 CID 401, 403
APPLICATION_START = _dcm("110120", "Application Start")
APPLICATION_STOP = _dcm("110121", "Application Stop")
LOGIN = _dcm("110122", "Login")
LOGOUT = _dcm("110123", "Logout")
NODE_AUTHENTICATION = _dcm("110126", "Node Authentication")
SECURITY_CONFIGURATION = _dcm("110129", "Security Configuration")
USE_OF_RESTRICTED_FUNCTION = _dcm("110132", "Use of Restricted Function")
AUDIT_RECORDING_STOPPED = _dcm("110133", "Audit Recording Stopped")
USER_SECURITY_ATTRIBUTES_CHANGED = _dcm("110137", "User Security Attributes Changed")

# Who takes part: PS3.16 CID 402
APPLICATION = _dcm("110150", "Application")
APPLICATION_LAUNCHER = _dcm("110151", "Application Launcher")
DESTINATION_ROLE = _dcm("110152", "Destination Role ID")
SOURCE_ROLE = _dcm("110153", "Source Role ID")

# What it is about: PS3.16 CID 404, RFC 3881 Section 5.5.4, and what the standard has no code for
STUDY_INSTANCE_UID = _dcm("110180", "Study Instance UID")
URI = Code("12", "RFC-3881", "URI")
NODE_ID = _dcm("110182", "Node ID")
OWN_SCHEME = "99DEIDNODE"
PROJECT = Code("project", OWN_SCHEME, "Project of the node")
JOB = Code("job", OWN_SCHEME, "Job of the node")
PSEUDONYM = Code("pseudonym", OWN_SCHEME, "Pseudonym")
USER = Code("user", OWN_SCHEME, "User of the node")
SETTINGS = Code("settings", OWN_SCHEME, "Part of the configuration")
