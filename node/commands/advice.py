"""What to do next, where an error itself can't say it."""

from __future__ import annotations

import errno

from node.errors import Unreachable

_OF_PEERS = {
    "refused": "is it running, and are host and port right?",
    "not known": "check host",
    "No address": "check host",
    "name resolution": "check host",
    "timed out": "is this a DICOM port, and does a firewall let it through?",
    "unreachable": "check host, and the network between",
    "No route": "check host, and the network between",
    "reject": "check the AE titles here and there",
}
_OF_FILES = {
    errno.ENOENT: "name one that is there",
    errno.EISDIR: "name a file",
    errno.ENOTDIR: "name a folder",
    errno.EEXIST: "choose another name",
    errno.EACCES: "run this as a user who may",
    errno.EPERM: "run this as a user who may",
    errno.EROFS: "choose a place that can be written",
    errno.ENOSPC: "make room",
    errno.EDQUOT: "make room",
}


def of_peer(error: Unreachable) -> str:
    """Say what to look at when a peer can't be reached."""
    said = str(error)
    return next(
        (advice for part, advice in _OF_PEERS.items() if part in said), "is it running, and may this node call?"
    )


def of_file(error: OSError) -> str:
    """Say what to do about a file."""
    return _OF_FILES.get(error.errno or 0, "check it")
