"""One lane to one destination: claims deliveries from the ledger, sends them, and notes what came of it."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from deid.errors import Refused
from node.channel import ClassNotAccepted
from node.errors import NoRoom, Transient, Unreachable
from node.flight import Flight
from node.jobs import NodeReason
from node.log import Event, Name, emit, emit_error
from node.retry import delay, next_try
from node.scu import outgoing_from_file
from node.status import Outcome, outcome_of
from node.transcode import NoSyntax

if TYPE_CHECKING:
    from node.destinations.outlet import Outlet
    from node.jobs import Delivery, JobId
    from node.ledger import Ledger
    from node.settings import ForwardSettings
    from node.spool import Spool

_BATCH = 32
_LEASE_S = 900.0
_LOOK_FOR_CHANGES_S = 0.05
_LOOK_AT_LEAST_EVERY_S = 1.0
_NOTE_EVERY_S = 0.25
"""How long a delivery may wait to be noted, so that many are noted in one commit; forgotten ones are sent again."""

_LONGEST_PAUSE_S = 60.0
"""Between two looks at a destination that is away: a look costs a connection, and work waits for its return."""


class Reachability:
    """What the lanes to one destination know of it together.

    A lane that gets no association has found the destination away only if no other lane has one: some archives serve
    one association at a time.
    """

    def __init__(self, channels: Sequence[Outlet]) -> None:
        self._channels = channels
        self._destination = Name(channels[0].destination.name)
        self._lock = threading.Lock()
        self._is_away = False
        self._returns = 0

    @property
    def returns(self) -> int:
        """How often the destination came back; a pause that began before the last time is over."""
        return self._returns

    def is_away_for(self, channel: Outlet) -> bool:
        """Note that a channel got no association; say whether that means that the destination is away."""
        if any(other.is_open for other in self._channels if other is not channel):
            return False
        with self._lock:
            was_away, self._is_away = self._is_away, True
        if not was_away:
            emit(Event.DESTINATION_AWAY, destination=self._destination)
        return True

    def answered(self) -> None:
        """Note that the destination answered."""
        if not self._is_away:
            return
        with self._lock:
            was_away, self._is_away = self._is_away, False
            self._returns += was_away
        if was_away:
            emit(Event.DESTINATION_BACK, destination=self._destination)


class _Pause:
    """How long a lane leaves its destination alone: longer after each failure, until the destination comes back."""

    def __init__(self, forward: ForwardSettings, reachability: Reachability) -> None:
        self._forward = forward
        self._reachability = reachability
        self._failures = 0
        self._until = 0.0
        self._returns = 0

    def left_s(self) -> float:
        """Return the rest of the pause; 0 if there is none."""
        if self._reachability.returns != self._returns:
            return 0.0
        return max(0.0, self._until - time.monotonic())

    def begin(self) -> float:
        """Pause after a failure; return for how long."""
        self._failures += 1
        pause_s = min(delay(self._failures, self._forward, random.random()), _LONGEST_PAUSE_S)  # noqa: S311 -- jitter
        self._returns = self._reachability.returns
        self._until = time.monotonic() + pause_s
        return pause_s

    def end(self) -> None:
        """Go on after a success."""
        self._failures = 0
        self._until = 0.0


class Lane:
    """Delivers over one association at a time until told to stop.

    Every second handful is of what came last, the others of what has waited longest: a single image doesn't wait behind
    a backlog of thousands, and the backlog goes on at half the speed at least.

    Parameters
    ----------
    reachability
        shared with the other lanes of this destination
    note
        that the destination has stored an instance (job, destination, status); None: then it is delivered

    Attributes
    ----------
    flight
        where it stands which instance the lane has in hand
    """

    def __init__(
        self,
        channel: Outlet,
        reachability: Reachability,
        ledger: Ledger,
        spool: Spool,
        forward: ForwardSettings,
        stop: threading.Event,
        note: Callable[[JobId, str, int], None] | None = None,
    ) -> None:
        self.flight = Flight()
        self._note = note or ledger.delivered
        self._channel = channel
        self._destination = channel.destination.name
        self._reachability = reachability
        self._pause = _Pause(forward, reachability)
        self._ledger = ledger
        self._spool = spool
        self._forward = forward
        self._stop = stop
        self._delivered: list[tuple[JobId, int]] = []
        self._noted_at = 0.0
        self._was_latest = True

    def run(self) -> None:
        """Deliver until `stop`; what is claimed and not sent by then is given back."""
        try:
            while not self._stop.is_set():
                self._step()
        finally:
            self._channel.close()
            self._ledger.close()

    def interrupt(self) -> None:
        """Break off a delivery under way; from another thread."""
        self._channel.interrupt()

    def _step(self) -> None:
        if self._pause.left_s():
            self._stop.wait(min(self._pause.left_s(), _LOOK_AT_LEAST_EVERY_S))
            return
        try:
            # One, until it has brought an association about: what waits for that is out of reach of the other lanes.
            limit = _BATCH if self._channel.is_open else 1
            latest, self._was_latest = not self._was_latest, not self._was_latest
            deliveries = self._ledger.due(self._destination, time.time(), limit, _LEASE_S, latest=latest)
            if deliveries:
                self._deliver_all(deliveries)
            else:
                self._wait_for_work()
        except (Transient, NoRoom) as error:  # the ledger's disk is full or slow: claims lapse, nothing is lost
            emit_error(Event.DELIVERY_FAILED, error, destination=Name(self._destination))
            self._stop.wait(self._forward.first_retry_s)

    def _wait_for_work(self) -> None:
        until = time.monotonic() + _LOOK_AT_LEAST_EVERY_S
        while time.monotonic() < until and not self._stop.wait(_LOOK_FOR_CHANGES_S):
            self._channel.release_if_idle()
            if self._ledger.changed():
                return

    def _deliver_all(self, deliveries: list[Delivery]) -> None:
        for delivery in deliveries:
            self._channel.expect(delivery.sop_class_uid, delivery.transfer_syntax)
        self._noted_at = time.monotonic()
        try:
            for index, delivery in enumerate(deliveries):
                if self._stop.is_set() or self._pause.left_s():
                    self._give_back(deliveries[index:])
                    return
                with self.flight.of(delivery.job_id):
                    self._deliver(delivery)
                if time.monotonic() - self._noted_at >= _NOTE_EVERY_S:
                    self._note_delivered()
        finally:
            self._note_delivered()

    def _give_back(self, deliveries: list[Delivery]) -> None:
        """Give claims back untried, for any lane that can."""
        with self._ledger.batch():
            for delivery in deliveries:
                self._ledger.put_off(delivery.job_id, self._destination)

    def _note_delivered(self) -> None:
        delivered, self._delivered = self._delivered, []
        self._noted_at = time.monotonic()
        if not delivered:
            return
        with self._ledger.batch():
            for job_id, status in delivered:
                self._note(job_id, self._destination, status)

    def _deliver(self, delivery: Delivery) -> None:
        """Send one instance and see to it that the ledger knows, whatever happens."""
        try:
            status = self._channel.send(outgoing_from_file(self._spool.outbox_path(delivery.job_id)))
        except Unreachable as error:
            self._unreachable(delivery, error)
        except Transient as error:
            self._lost(delivery, error)
        except ClassNotAccepted:
            self._give_up(delivery, None, NodeReason.SOP_CLASS_NOT_ACCEPTED)
        except NoSyntax:
            self._give_up(delivery, None, NodeReason.NO_ACCEPTABLE_TRANSFER_SYNTAX)
        except FileNotFoundError:  # the work role cleans the raw file again, or a person discarded it
            self._try_again(delivery, None)
        except Refused:  # what lies in the outbox is no longer what was written there
            self._give_up(delivery, None, NodeReason.INTERNAL_ERROR)
        except Exception as error:  # noqa: BLE001 -- one instance that we stumble over must not hold up the others
            emit_error(Event.FAILED, error, job=delivery.job_id, destination=Name(self._destination))
            self._try_again(delivery, None)
        else:
            self._pause.end()
            self._reachability.answered()
            self._answered(delivery, status)

    def _answered(self, delivery: Delivery, status: int) -> None:
        outcome = outcome_of(status)
        if outcome is Outcome.STORED:
            self._delivered.append((delivery.job_id, status))
            emit(Event.INSTANCE_DELIVERED, job=delivery.job_id, destination=Name(self._destination), status=status)
        elif outcome is Outcome.RETRY:
            emit(Event.DELIVERY_FAILED, job=delivery.job_id, destination=Name(self._destination), status=status)
            self._try_again(delivery, status)
        else:
            self._give_up(delivery, status, NodeReason.REFUSED_BY_DESTINATION)

    def _unreachable(self, delivery: Delivery, error: Unreachable) -> None:
        """Pause; the delivery has failed only if no other lane can do it."""
        emit_error(Event.ASSOCIATION_FAILED, error, destination=Name(self._destination))
        pause_s = self._pause.begin()
        if self._stop.is_set() or not self._reachability.is_away_for(self._channel):
            self._give_back([delivery])
        else:
            self._try_again(delivery, None, pause_s)

    def _lost(self, delivery: Delivery, error: Transient) -> None:
        """Pause; whatever broke the association may do so again."""
        emit_error(Event.DELIVERY_FAILED, error, job=delivery.job_id, destination=Name(self._destination))
        self._pause.begin()
        if self._stop.is_set():  # broken off by ourselves
            self._give_back([delivery])
        else:
            self._try_again(delivery, None)

    def _try_again(self, delivery: Delivery, status: int | None, pause_s: float | None = None) -> None:
        """Put a failed delivery off: by its own failures, or for `pause_s` where they say nothing of it."""
        now = time.time()
        first_failed_at = now if delivery.first_failed_at_s is None else delivery.first_failed_at_s
        again = next_try(delivery.attempts + 1, first_failed_at, now, self._forward, random.random())  # noqa: S311
        if again is None:
            self._give_up(delivery, status, NodeReason.UNDELIVERABLE)
            return
        if pause_s is not None:
            again = min(again, now + pause_s)
        self._ledger.retry(delivery.job_id, self._destination, again, status, now)

    def _give_up(self, delivery: Delivery, status: int | None, reason: NodeReason) -> None:
        emit(
            Event.DELIVERY_GIVEN_UP,
            job=delivery.job_id,
            destination=Name(self._destination),
            status=status,
            reason=reason,
        )
        self._ledger.gave_up(delivery.job_id, self._destination, status, reason)


class Runner(Protocol):
    """What a thread of the forward role does."""

    def run(self) -> None:
        """Do it until the role stops."""

    def interrupt(self) -> None:
        """Break off what is under way; from another thread."""


def lane_thread(lane: Runner, name: str, failed: Callable[[BaseException], None]) -> threading.Thread:
    """Return the thread that runs a lane, or what stands beside it, and tells `failed` if it ends by an error."""

    def run() -> None:
        try:
            lane.run()
        except BaseException as error:  # noqa: BLE001 -- a lane that is gone must not go unnoticed
            failed(error)

    return threading.Thread(target=run, name=name, daemon=True)
