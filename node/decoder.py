"""Compressed pixels are decoded in a process of their own: a codec that crashes or hangs takes nothing with it."""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING, Self

from node.errors import Transient
from node.pool import WorkerDied, WorkerPool, WorkerTimedOut
from node.transcode import Encapsulated, Native, NoSyntax, decode_pixels

if TYPE_CHECKING:
    from concurrent.futures import Future
    from types import TracebackType

    from node.settings import WorkSettings


class Decoder:
    """A `node.transcode.Decode` for many threads; its process is started when it is first needed.

    Parameters
    ----------
    work
        the limits for time and memory
    """

    def __init__(self, work: WorkSettings) -> None:
        self._work = work
        self._lock = threading.Lock()
        self._pool: WorkerPool | None = None
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __call__(self, encapsulated: Encapsulated) -> Native:
        """Decode.

        Raises
        ------
        NoSyntax
            if it cannot be done, or the process died of it
        Transient
            if `close` came first
        """
        try:
            return self._submitted(encapsulated).result()
        except (WorkerDied, WorkerTimedOut, CancelledError) as error:
            if self._closed:
                raise Transient("decoding was broken off") from None
            raise NoSyntax(f"the pixels cannot be decoded ({type(error).__name__})") from None

    def close(self) -> None:
        """End the process, whatever it is at."""
        with self._lock:
            self._closed = True
        if self._pool is not None:
            self._pool.kill()

    def _submitted(self, encapsulated: Encapsulated) -> Future[Native]:
        with self._lock:
            if self._closed:
                raise Transient("decoding is over")
            if self._pool is None:
                self._pool = WorkerPool(
                    1, time_limit_s=self._work.time_limit_s, memory_limit_bytes=self._work.memory_limit_bytes
                )
            return self._pool.submit(decode_pixels, encapsulated)
