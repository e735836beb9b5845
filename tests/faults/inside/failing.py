"""Failures inside the steps of a node's processes.

An instance says by its Station Name what is to fail on its way: ``FP-<step>-<how>``.
"""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

MARKER = re.compile(rb"FP-([a-z]+)-([a-z]+)")
_current: list[tuple[str, str]] = []


def _read(raw: Any) -> None:
    """Note what is to fail on the way of the instance that has just been read."""
    _current[:] = [(step.decode(), how.decode()) for step, how in MARKER.findall(bytes(raw))[:1]]


def _fail(step: str) -> None:
    for wanted, how in _current:
        if wanted != step:
            continue
        if how == "raise":
            raise ValueError("a text of FP^Patient")
        if how == "hang":
            time.sleep(3600)
        if how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if how == "oom":
            raise MemoryError


def _before(step: str) -> Callable[[Any], Any]:
    def wrap(function: Any) -> Any:
        def failing(*args: Any, **kwargs: Any) -> Any:
            _fail(step)
            return function(*args, **kwargs)

        return failing

    return wrap


def _after(step: str) -> Callable[[Any], Any]:
    def wrap(function: Any) -> Any:
        def failing(*args: Any, **kwargs: Any) -> Any:
            result = function(*args, **kwargs)
            _fail(step)
            return result

        return failing

    return wrap


def _reading(function: Any) -> Any:
    """Wrap what reads the origin of a raw file: it is given all of the file."""

    def reading(raw: Any) -> Any:
        _read(raw)
        _fail("read")
        return function(raw)

    return reading


def _planning(function: Any) -> Any:
    """Wrap what plans a series: its instances are read one by one, so the first is read before it begins."""

    def planning(instances: Any, context: Any) -> Any:
        known = list(instances)
        _fail("plan")
        return function(iter(known), context)

    return planning


def _writing(function: Any) -> Any:
    """Wrap what writes pieces of a file: of a clean one, half is written before it fails."""

    def writing(self: Any, buffers: Sequence[Any]) -> None:
        if "/outbox/" in self._final and any(step == "write" for step, _ in _current):
            function(self, buffers[: len(buffers) // 2])
            _fail("write")
        function(self, buffers)

    return writing


def _sending(function: Any) -> Any:
    """Wrap what takes a clean file to send it: what is to fail stands in the raw one."""

    def sending(path: Path, *args: Any) -> Any:
        raw = path.parents[1] / "incoming" / path.name
        _read(raw.read_bytes() if raw.exists() else b"")
        _fail("send")
        return function(path, *args)

    return sending


WRAPPED: dict[str, dict[str, Callable[[Any], Any]]] = {
    "node.cleaning": {"origin_of": _reading, "plan_series": _planning},
    "deid.engine": {
        "read_data_set": _before("decode"),
        "harvest": _before("harvest"),
        "_text_step": _before("text"),
        "_clean_with": _after("clean"),
        "rebuild_pixel_data": _before("rebuild"),
        "clean_pixels": _before("pixels"),
        "deface": _after("face"),
        "write_data_set": _before("encode"),
        "verify": _before("verify"),
    },
    "node.part": {"PartFile._write_some": _writing},
    "node.spool": {"Spool.put_outbox": _after("written")},
    "node.lane": {"outgoing_from_file": _sending},
}
