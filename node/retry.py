"""When a delivery that failed is tried again: pure arithmetic, no clock, no chance."""

from __future__ import annotations

from node.settings import ForwardSettings

_DAY_S = 86_400.0
_MOST_DOUBLINGS = 60


def delay(attempts: int, forward: ForwardSettings, jitter: float) -> float:
    """Return the seconds to wait after `attempts` failures: doubling, capped, between half and all of it by `jitter`.

    Parameters
    ----------
    attempts
        failures so far, at least 1
    jitter
        a random number in [0, 1) from the caller, so that many deliveries do not come back in one moment
    """
    doublings = min(max(attempts - 1, 0), _MOST_DOUBLINGS)
    longest = min(forward.first_retry_s * 2.0**doublings, forward.max_retry_s)
    return longest * (0.5 + jitter / 2)


def next_try(
    attempts: int, first_failed_at: float, now: float, forward: ForwardSettings, jitter: float
) -> float | None:
    """Return when to try again, in the seconds of `now`; None once `give_up_days` have passed since the first failure.

    The last try falls on the day of giving up itself, however long the steps have become by then.
    """
    give_up_at = first_failed_at + forward.give_up_days * _DAY_S
    if now >= give_up_at:
        return None
    return min(now + delay(attempts, forward, jitter), give_up_at)
