"""Which clean study an instance belongs to, told by a worker process and kept in the ledger (`node.studies`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deid.errors import Reason, Refused
from deid.naming import names_of
from node.jobs import CleanedJob, GatheredJob

if TYPE_CHECKING:
    from concurrent.futures import Future

    from deid.context import Context
    from deid.instance import Instance
    from deid.naming import Names


class RefusedInstance(Refused):
    """A refusal that says which instance it is about, by the names that the clean one would have."""

    def __init__(self, reason: Reason, detail: str, names: Names) -> None:
        """Keep the names beside the refusal."""
        super().__init__(reason, detail)
        self.names = names

    def __reduce__(self) -> tuple[type[RefusedInstance], tuple[Reason, str, Names]]:  # type: ignore[override]
        """Pickle with the names, so that a worker process can raise it."""
        return (RefusedInstance, (self.reason, self.detail, self.names))


def told_whose(refused: Refused, instance: Instance, context: Context) -> Refused:
    """Give a refusal that says which instance it is about, if that can be told."""
    try:
        names = None if refused.reason is Reason.UNMAPPED_PATIENT else names_of(instance, context)
    except Exception:  # noqa: BLE001  whatever is the matter with it: a refusal stays a refusal
        return refused
    return refused if names is None else RefusedInstance(refused.reason, refused.detail, names)


def names_in(outcome: Future[CleanedJob | GatheredJob | None]) -> Names | None:
    """Give the names that a finished task told of its instance."""
    if outcome.cancelled():
        return None
    error = outcome.exception()
    if error is not None:
        return error.names if isinstance(error, RefusedInstance) else None
    result = outcome.result()
    return None if result is None else result.names
