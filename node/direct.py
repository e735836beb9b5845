"""Direct delivery: the sender is answered once every destination has its clean instance; nothing touches a disk.

0000  every destination has stored it
A700  a destination is away, or asks to be tried later, or nobody has mapped the patient yet: the sender may try again
0110  cleaning it failed: its process died, took too long, or stumbled
C000  it is refused: by the rules, or by a destination for good
"""

from __future__ import annotations

import contextlib
import queue
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from deid.errors import Reason, Refused
from deid.instance import Instance
from node.audit.outlet import audited
from node.decoder import Decoder
from node.destinations.outlet import Outlet, check_outlet, open_outlet
from node.errors import NoRoom, Transient, Unreachable
from node.faces import check_delivery
from node.identities import look_and_say
from node.log import Event, Name, emit, emit_error
from node.offline import Recipe
from node.pool import WorkerDied, WorkerPool, WorkerTimedOut
from node.scu import Outgoing
from node.settings import profile_path
from node.status import Outcome, Status, outcome_of
from node.transcode import NoSyntax

if TYPE_CHECKING:
    from collections.abc import Iterator

    from node.settings import AnyDestination, Project, Settings
    from node.transcode import Decode

_ANSWERS = {
    Outcome.STORED: Status.SUCCESS,
    Outcome.RETRY: Status.OUT_OF_RESOURCES,
    Outcome.GIVE_UP: Status.CANNOT_UNDERSTAND,
}
# An unmapped patient may be mapped soon: only A7xx makes senders try again.
_STATUS_OF_REASON = {Reason.UNMAPPED_PATIENT: Status.OUT_OF_RESOURCES}
_GRAVITY = (Outcome.STORED, Outcome.RETRY, Outcome.GIVE_UP)
_LOOK_FOR_IDLE_S = 1.0


@dataclass(frozen=True, slots=True)
class _Clean:
    """A clean instance on its way between two processes."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax: str
    data_set: bytes


def clean(recipe: Recipe, data: bytes | bytearray, transfer_syntax: str) -> _Clean:
    """De-identify one instance; runs in a process that may die.

    Raises
    ------
    Refused
        if it cannot be cleaned with certainty
    """
    result = recipe.prepared().deidentify(Instance(transfer_syntax, memoryview(data))).clean
    return _Clean(result.sop_class_uid, result.sop_instance_uid, result.transfer_syntax, b"".join(result.chunks))


class DirectRelay:
    """Cleans and forwards the instances of one project while their senders wait; for any number of threads.

    Raises
    ------
    Misconfigured
        if the project's profile, the key or the identities cannot be used
    """

    def __init__(self, settings: Settings, project: Project) -> None:
        self._project = Name(project.name)
        profile, models = profile_path(project), settings.models.folder
        recipe = Recipe(profile, settings.key_file, project.identity, project.name, settings.spool.path, models=models)
        recipe.check()
        check_delivery(project, recipe.context().profile)
        self._source = recipe.prepared().source  # a mistake must stop the node, not each instance
        self._recipe = replace(recipe, lenient=True)
        work = settings.work
        self._pool = WorkerPool(
            work.process_count,
            time_limit_s=work.time_limit_s,
            step_time_limit_s=work.time_limit_per_frame_s,
            memory_limit_bytes=work.memory_limit_bytes,
        )
        self._decoder = Decoder(work)
        for name in project.destinations:
            check_outlet(settings.destinations[name])
        self._routes = [_Route(settings.destinations[name], settings, self._decoder) for name in project.destinations]
        self._closed = threading.Event()
        threading.Thread(target=self._release_idle, name="direct-idle", daemon=True).start()

    def relay(self, data: bytes | bytearray, transfer_syntax: str, /) -> int:
        """Clean a data set, store it at every destination, and return the status for its sender."""
        try:
            outgoing = self._cleaned(data, transfer_syntax)
        except Refused as refused:
            emit(Event.INSTANCE_REJECTED, project=self._project, reason=refused.reason)
            return _STATUS_OF_REASON.get(refused.reason, Status.CANNOT_UNDERSTAND)
        except (NoRoom, Transient) as error:  # of the table of identities
            emit_error(Event.FAILED, error, project=self._project)
            return Status.OUT_OF_RESOURCES
        except (WorkerDied, WorkerTimedOut) as error:
            emit_error(Event.ATTEMPT_FAILED, error, project=self._project)
            return Status.PROCESSING_FAILURE
        except Exception as error:  # noqa: BLE001 -- whatever cleaning stumbles over, nothing of it is forwarded
            emit_error(Event.FAILED, error, project=self._project)
            return Status.PROCESSING_FAILURE
        outcomes = [route.store(outgoing) for route in self._routes]
        return _ANSWERS[max(outcomes, key=_GRAVITY.index)]

    def close(self) -> None:
        """Release all associations and end the processes."""
        self._closed.set()
        for route in self._routes:
            route.close()
        self._pool.kill()
        self._decoder.close()

    def _cleaned(self, data: bytes | bytearray, transfer_syntax: str) -> Outgoing:
        result = self._pool.submit(clean, self._recipe, data, transfer_syntax).result()
        return Outgoing(result.sop_class_uid, result.sop_instance_uid, result.transfer_syntax, [result.data_set])

    def _release_idle(self) -> None:
        while not self._closed.wait(_LOOK_FOR_IDLE_S):
            look_and_say(self._project, self._source)
            for route in self._routes:
                route.release_idle()


class _Route:
    """The channels to one destination, lent to one thread each."""

    def __init__(self, destination: AnyDestination, settings: Settings, decode: Decode) -> None:
        self._name = Name(destination.name)
        forward = settings.forward
        self._patience_s = forward.dimse_timeout_s
        self._channels: list[Outlet] = [
            audited(open_outlet(destination, forward, decode), settings) for _ in range(destination.associations)
        ]
        self._idle: queue.LifoQueue[Outlet] = queue.LifoQueue()
        for channel in self._channels:
            self._idle.put(channel)

    def store(self, outgoing: Outgoing) -> Outcome:
        """Store an instance and return what came of it."""
        try:
            with self._lent() as channel:
                try:
                    status = channel.send(outgoing)
                except Unreachable:
                    # Some archives serve one association at a time: then wait for the one that is open.
                    if not any(other.is_open for other in self._channels):
                        raise
                    with self._lent() as other:
                        status = other.send(outgoing)
        except (Unreachable, Transient) as error:
            emit_error(Event.ASSOCIATION_FAILED, error, destination=self._name)
            return Outcome.RETRY
        except NoSyntax as error:
            emit_error(Event.DELIVERY_GIVEN_UP, error, destination=self._name)
            return Outcome.GIVE_UP
        emit(Event.INSTANCE_DELIVERED, destination=self._name, status=status)
        return outcome_of(status)

    @contextlib.contextmanager
    def _lent(self) -> Iterator[Outlet]:
        """Lend a channel, the one used last if there is a choice: the others grow idle and are released."""
        try:
            channel = self._idle.get(timeout=self._patience_s)
        except queue.Empty:
            raise Transient("all associations are busy") from None
        try:
            yield channel
        finally:
            self._idle.put(channel)

    def release_idle(self) -> None:
        """Release what nobody has used for long."""
        resting: list[Outlet] = []
        try:
            while True:
                resting.append(self._idle.get_nowait())
        except queue.Empty:
            pass
        for channel in reversed(resting):
            channel.release_if_idle()
            self._idle.put(channel)

    def close(self) -> None:
        """Release what is idle; break off what is not, which its own thread then puts back."""
        for _ in self._channels:
            try:
                self._idle.get(timeout=1.0).close()
            except queue.Empty:
                return
