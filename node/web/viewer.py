"""The processes in which the console has instances read, drawn and tried out; they end when nobody looks any more."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from node.errors import Transient
from node.pool import WorkerPool
from node.web import frames
from node.web.frames import Asked, prepare

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from deid.pixels.view import Facts, View
    from deid.review import Review
    from node.settings import Settings
    from node.web.frames import Header, Tried

P = ParamSpec("P")
T = TypeVar("T")

_LOOK_LIMIT_S = 60.0
_IDLE_S = 600.0
_WATCH_EVERY_S = 30.0
_MOST_WAITING = 24
_MOST_TRIALS = 32
_MOST_DRAFTS = 1000
_SAME_LOOK_S = 300.0
_FILE_LIMIT_BYTES = 1 << 20  # they have no business with files


class _Kind(Enum):
    """Looks are short; a trial may take minutes, and nobody's look shall wait for it."""

    LOOK = "look"
    TRIAL = "trial"


@dataclass(slots=True)
class _Pool:
    pool: WorkerPool
    used_s: float
    waiting: int = 0


class Viewer:
    """Everything that the console sees of instances goes through here.

    What was read stays in the memory of these processes alone, and they end after ten minutes in which nobody looked.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.RLock()  # a task that is done at once calls back within the call that began it
        self._pools: dict[_Kind, _Pool] = {}
        self._trials: OrderedDict[Asked, Future[Tried]] = OrderedDict()
        self._watch: threading.Thread | None = None
        self._drafts: OrderedDict[str, Review] = OrderedDict()
        self._noted: dict[tuple[str, str], float] = {}

    def draft(self, review: Review) -> str:
        """Keep what somebody may decide, so that its result can be asked for; return its name."""
        name = hashlib.sha256(repr(review).encode()).hexdigest()[:32]
        with self._lock:
            self._drafts[name] = review
            self._drafts.move_to_end(name)
            while len(self._drafts) > _MOST_DRAFTS:
                self._drafts.popitem(last=False)
        return name

    def drafted(self, name: str) -> Review | None:
        """Give what was kept under a name; None if that is too long ago."""
        return self._drafts.get(name)

    def is_first_look(self, who: str, what: str) -> bool:
        """Say whether a session looks at something for the first time in a while: a scroller is one look, not many."""
        now_s = time.monotonic()
        with self._lock:
            self._noted = {key: at_s for key, at_s in self._noted.items() if now_s - at_s < _SAME_LOOK_S}
            is_first = (who, what) not in self._noted
            self._noted[who, what] = now_s
        return is_first

    def forget_look(self, who: str, what: str) -> None:
        """Let the next look be a first one, since this one could not be noted."""
        with self._lock:
            self._noted.pop((who, what), None)

    def facts(self, asked: Asked, frame: int) -> Facts | None:
        """As `node.web.frames.frame_facts`.

        Raises
        ------
        Refused, FileNotFoundError
            as there
        WorkerDied, WorkerTimedOut
            if reading it takes the process with it, or too long; likewise for the others
        Transient
            if too many look at once; likewise
        """
        return self._do(_kind(asked), frames.frame_facts, asked, frame)

    def png(self, asked: Asked, frame: int, view: View) -> bytes:
        """As `node.web.frames.frame_png`; errors as of `facts`."""
        return self._do(_kind(asked), frames.frame_png, asked, frame, view)

    def header(self, asked: Asked) -> Header:
        """As `node.web.frames.header`; errors as of `facts`."""
        return self._do(_Kind.LOOK, frames.header, asked)

    def sizes(self, paths: Sequence[Path]) -> list[tuple[int, int] | None]:
        """As `node.web.frames.sizes`; errors as of `facts`."""
        return self._do(_Kind.LOOK, frames.sizes, paths)

    def tried(self, asked: Asked, wait_s: float) -> Tried | None:
        """Try a decision out, or say what came of that; None if that takes longer; errors as of `facts`."""
        with self._lock:
            future = self._trials.pop(asked, None)
            if future is None or (future.done() and future.exception() is not None):
                future = self._submit(_Kind.TRIAL, frames.tried, asked)
            self._trials[asked] = future
            while len(self._trials) > _MOST_TRIALS:
                self._trials.popitem(last=False)
        try:
            return future.result(wait_s)
        except NotYet:
            return None

    def close(self) -> None:
        """End all processes."""
        with self._lock:
            pools, self._pools = list(self._pools.values()), {}
            self._trials.clear()
        for each in pools:
            each.pool.kill()

    def _do(self, kind: _Kind, task: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        with self._lock:
            future = self._submit(kind, task, *args, **kwargs)
        return future.result()

    def _submit(self, kind: _Kind, task: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        each = self._pools.get(kind)
        if each is None:
            each = self._pools[kind] = _Pool(self._begun(kind), 0.0)
            self._watched()
        if each.waiting >= _MOST_WAITING:
            raise Transient("many look at instances just now; try again in a moment")
        each.waiting, each.used_s = each.waiting + 1, time.monotonic()
        future = each.pool.submit(task, *args, **kwargs)
        future.add_done_callback(lambda _: self._note_done(each))
        return future

    def _note_done(self, each: _Pool) -> None:
        with self._lock:
            each.waiting, each.used_s = each.waiting - 1, time.monotonic()

    def _begun(self, kind: _Kind) -> WorkerPool:
        work = self._settings.work
        is_look = kind is _Kind.LOOK
        return WorkerPool(
            1,
            time_limit_s=_LOOK_LIMIT_S if is_look else work.time_limit_s,
            step_time_limit_s=None if is_look else work.time_limit_per_frame_s,
            memory_limit_bytes=work.memory_limit_bytes,
            file_limit_bytes=_FILE_LIMIT_BYTES,
            initializer=prepare,
            initargs=(self._settings,),
        )

    def _watched(self) -> None:
        if self._watch is None:
            self._watch = threading.Thread(target=self._end_idle, name="viewer", daemon=True)
            self._watch.start()

    def _end_idle(self) -> None:
        while True:
            time.sleep(_WATCH_EVERY_S)
            before_s = time.monotonic() - _IDLE_S
            with self._lock:
                idle = [kind for kind, each in self._pools.items() if not each.waiting and each.used_s < before_s]
                pools = [self._pools.pop(kind).pool for kind in idle]
                if _Kind.TRIAL in idle:
                    self._trials.clear()
            for pool in pools:
                pool.shutdown(wait=True)


def _kind(asked: Asked) -> _Kind:
    return _Kind.LOOK if asked.review is None else _Kind.TRIAL


__all__ = ["Asked", "Viewer"]
