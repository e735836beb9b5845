"""What can go wrong in `node`.

NodeError
├── Misconfigured  the configuration is wrong: stop with one clear line (exit 2)
├── Transient      try again later (archive away, association lost, disk full for a moment)
├── NoRoom         the spool has no room: the sender is told A700
└── Unreachable    a peer does not answer or does not let us in (exit 3)

Messages carry names from the configuration, tags, codes and counts, never values of an instance.
"""

from __future__ import annotations


class NodeError(Exception):
    """Root of all errors of this package."""


class Misconfigured(NodeError):
    """The configuration, the key or a folder is wrong; the message says which and what to do."""


class Transient(NodeError):
    """It did not work now; it may work later."""


class NoRoom(NodeError):
    """The spool's file system has less room than the configuration wants to keep free."""


class Unreachable(NodeError):
    """A peer does not answer or rejects the association; the message names the peer and the reason."""
