"""How work goes over to new settings: it looks at all of them first, and the other roles follow (`node.reload`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from node.errors import Misconfigured
from node.reload import note, say_rejected

if TYPE_CHECKING:
    from collections.abc import Callable

    from node.ledger import Ledger
    from node.reload import Reload
    from node.settings import Settings

ROLE = "work"

T = TypeVar("T")


class Changeover(Generic[T]):
    """What there is of new settings.

    Parameters
    ----------
    prepare
        makes all that instances are cleaned with; raises Misconfigured if the settings are wrong

    Attributes
    ----------
    next
        settings that are right, with what was prepared by them; None if there are none
    """

    def __init__(self, reload: Reload | None, ledger: Ledger, prepare: Callable[[Settings], T]) -> None:
        self.ledger = ledger
        self.next: tuple[Settings, T] | None = None
        self._reload = reload
        self._prepare = prepare
        self._digest = reload.digest if reload else ""

    def look(self) -> bool:
        """Say whether there are new settings that are right; of others say so in the log and to the other roles."""
        read = self._reload.read() if self._reload else None
        if read is None:
            return False
        settings, digest = read
        try:
            self.next = settings, self._prepare(settings)
        except Misconfigured as error:
            why = str(error)
            say_rejected(error)
            note(self.ledger, lambda agreement: agreement.reject(ROLE, digest, why))
            return False
        self._digest = digest
        return True

    def in_force(self) -> None:
        """Say that the settings, or the next ones if there are some, are in force from now on."""
        if self._reload is None:
            return
        if self.next:
            self._reload.take(self.next[0], self._digest)
            self.next = None
        note(self.ledger, lambda agreement: agreement.in_force(ROLE, self._digest))
