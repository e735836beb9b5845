"""How a command ends."""

from __future__ import annotations

from enum import IntEnum

from node.errors import NodeError


class Exit(IntEnum):
    """Exit codes of every command; `EXIT_CODES` is their documentation."""

    OK = 0
    FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    NOT_RUNNING = 4
    INTERRUPTED = 130


class NoSpool(NodeError):
    """No node has ever run with this configuration."""


EXIT_CODES = """exit codes:
  0    done
  1    something was refused, failed or is not ready; it is listed
  2    wrong usage, configuration or key; the message says what to change
  3    a peer does not answer or rejects the association
  4    no node is running, or there is no spool
  130  interrupted
"""
