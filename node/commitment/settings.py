"""Storage commitment in the configuration: ``[commitment]``, and the key ``commitment`` of peers and projects."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from node.setting_types import AeTitle, Count, Days, Host, Port, Seconds, Tls

if TYPE_CHECKING:
    from node.schema import Where
    from node.settings import Settings


class CommitmentMode(StrEnum):
    """When the node commits itself to the storage of an instance that a project's sender asks about."""

    NONE = "none"
    RECEIVED = "received"
    FORWARDED = "forwarded"


@dataclass(frozen=True, slots=True)
class ReportTo:
    """Where a sender takes the reports of storage commitment that come after its association.

    Attributes
    ----------
    tls
        None = not encrypted
    """

    ae_title: AeTitle
    host: Host
    port: Port
    tls: Tls | None = None


@dataclass(frozen=True, slots=True)
class CommitmentSettings:
    """How long storage commitment waits for what.

    Attributes
    ----------
    unknown_after_s
        an instance that has not come so long after it was asked about is reported as unknown (0112)
    wait_days
        after which what is neither forwarded nor refused is reported as not committed (0213)
    give_up_days
        after which a report that its sender doesn't take is given up; at least `wait_days`
    ask_after_s
        how long instances that a destination has stored are collected before it is asked to commit itself
    ask_again_s
        after which a destination that has not reported is asked again
    most_instances
        in one request to a destination
    """

    unknown_after_s: Seconds = 30.0
    wait_days: Days = 7.0
    give_up_days: Days = 14.0
    ask_after_s: Seconds = 2.0
    ask_again_s: Seconds = 900.0
    most_instances: Count = 500


def check_commitment(settings: Settings, where: Where) -> None:
    """Look whether what is said of commitment goes together.

    Raises
    ------
    Misconfigured
        with the key and the remedy
    """
    if settings.commitment.give_up_days < settings.commitment.wait_days:
        raise where.at("commitment.give_up_days").wrong("must not be less than wait_days")
    for number, project in enumerate(settings.projects, 1):
        if project.delivery.value != "direct":
            continue
        at = where.at(f"projects.{number}")
        if project.commitment is not CommitmentMode.NONE:
            raise at.at("commitment").wrong('with delivery = "direct" the node keeps nothing that it could commit to')
        for name in project.destinations:
            if settings.destinations[name].commitment:
                raise at.at("delivery").wrong(f'"direct" cannot wait for the commitment that destination {name!r} owes')
    titles = {peer.ae_title.strip() for peer in settings.peers}
    for name, destination in settings.archives.items():
        if destination.commitment and not titles & {"*", destination.ae_title.strip()}:
            raise where.at(f"destinations.{name}.commitment").wrong(
                f"{destination.ae_title!r} may not call, so it could not report; add it to [[peers]]"
            )
