"""Named points at which a process kills itself when it comes by: a test orders that by a file of the point's name."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

_ORDERS = Path(os.environ.get("DEID_NODE_DIES_AT", "/nowhere"))


def _die_at(point: str) -> None:
    with suppress(FileNotFoundError):
        (_ORDERS / point).unlink()  # for one process alone: the others find nothing
        os.kill(os.getpid(), signal.SIGKILL)


def _before(point: str) -> Any:
    def wrap(function: Any) -> Any:
        def dying(*args: Any, **kwargs: Any) -> Any:
            _die_at(point)
            return function(*args, **kwargs)

        return dying

    return wrap


def _after(point: str) -> Any:
    def wrap(function: Any) -> Any:
        def dying(*args: Any, **kwargs: Any) -> Any:
            result = function(*args, **kwargs)
            _die_at(point)
            return result

        return dying

    return wrap


def _around(point: str) -> Any:
    return lambda function: _after(f"{point}-done")(_before(point)(function))


def _committing(function: Any) -> Any:
    """Die in the middle of making a file visible: by the folder that it is in, before, between and after its steps."""

    def committing(self: Any, *args: Any, **kwargs: Any) -> Any:
        folder = self._final.rsplit("/", 2)[-2]
        _die_at(f"{folder}-part-written")
        result = function(self, *args, **kwargs)
        _die_at(f"{folder}-file-there")
        return result

    return committing


def _renaming(function: Any) -> Any:
    """Die between the fsync of a file and its new name, and between that and the fsync of its folder."""

    def renaming(old: Any, new: Any, *args: Any, **kwargs: Any) -> Any:
        folder = str(new).rsplit("/", 2)[-2]
        _die_at(f"{folder}-part-synced")
        result = function(old, new, *args, **kwargs)
        _die_at(f"{folder}-file-named")
        return result

    return renaming


class _Os:
    """The module `os`, but for its rename."""

    def __init__(self) -> None:
        self.rename = _renaming(os.rename)

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)


WRAPPED: dict[str, dict[str, Any]] = {
    "node.part": {"PartFile.commit": _committing, "os": lambda _: _Os(), "_open_locked": _after("part-opened")},
    "node.ledger": {
        "Ledger.received": _around("ledger-received"),
        "Ledger.cleaning": _around("ledger-cleaning"),
        "Ledger.cleaned": _around("ledger-cleaned"),
        "Ledger.due": _after("ledger-due"),
        "Ledger.delivered": _around("ledger-delivered"),
        "Ledger.sync": _around("ledger-sync"),
        "Ledger.forget_files": _around("ledger-forget-files"),
    },
    "node.spool": {"Spool.remove": _around("spool-remove")},
    "node.cleaning": {"origin_of": _after("raw-read")},
    "node.lane": {"outgoing_from_file": _after("clean-read")},
    "node.scu": {"StoreAssociation.store": _around("stored")},
    "node.sinks": {"SpoolSink.keep": _after("kept")},
}

POINTS = (
    "part-opened",
    *(f"{folder}-{what}" for folder in ("incoming", "outbox") for what in ("part-written", "file-named", "file-there")),
    "incoming-part-synced",
    "outbox-part-synced",
    *(
        f"ledger-{name}{done}"
        for name in ("received", "cleaning", "cleaned", "delivered", "sync", "forget-files")
        for done in ("", "-done")
    ),
    "ledger-due",
    "spool-remove",
    "spool-remove-done",
    "raw-read",
    "clean-read",
    "stored",
    "stored-done",
    "kept",
)
