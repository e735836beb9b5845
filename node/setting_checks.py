"""Does the configuration fit together: names that lead somewhere, and are used once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from node.access.settings import check_access
from node.commitment.settings import check_commitment
from node.credentials import is_credential
from node.destinations.settings import check_destinations
from node.identity_settings import check_identity
from node.schema import nearest
from node.web.settings import check_web

if TYPE_CHECKING:
    from node.access.settings import Peer
    from node.schema import Where
    from node.settings import Project, Settings


def check_settings(settings: Settings, where: Where) -> None:
    """Look whether all of it goes together.

    Raises
    ------
    Misconfigured
        with the file, the line, the key and the remedy
    """
    check_access(settings.peers, settings.receive.tls, settings.receive.passcodes_file, where)
    _check_unique("name", [each.name for each in settings.projects], where)
    _check_unique("called_ae_title", [each.called_ae_title for each in settings.projects], where)
    for number, project in enumerate(settings.projects, 1):
        at = where.at(f"projects.{number}.destinations")
        if not project.destinations:
            raise at.wrong("needs at least one destination")
        for name in project.destinations:
            if name not in settings.destinations:
                remedy = nearest(name, settings.destinations) or f"add [destinations.{name}]"
                raise at.wrong(f"no destination is called {name!r}; {remedy}")
        _check_permission(project, settings.peers, where.at(f"projects.{number}"))
        check_identity(project.identity, where.at(f"projects.{number}.identity"))
    check_destinations(settings.destinations, where)
    check_commitment(settings, where)
    check_web(settings.web, where.at("web"))
    receive = settings.receive
    if receive.tls and not is_credential(receive.tls.certificate) and not receive.tls.certificate.is_file():
        raise where.at("receive.tls.certificate").wrong("no such file")


def _check_permission(project: Project, peers: tuple[Peer, ...], where: Where) -> None:
    if project.accepts:
        from node.contexts import sop_class_uid  # noqa: PLC0415  takes half a second that few commands need

        try:
            for name in project.accepts:
                sop_class_uid(name)
        except ValueError as error:
            raise where.at("accepts").wrong(str(error)) from None
    titles = {peer.ae_title.strip() for peer in peers}
    for title in project.peers:
        if not titles & {"*", title.strip()}:
            raise where.at("peers").wrong(f"{title!r} may not call at all; add it to [[peers]]")


def _check_unique(key: str, values: list[str], where: Where) -> None:
    for number, value in enumerate(values, 1):
        if value in values[: number - 1]:
            at = where.at(f"projects.{number}")
            raise at.wrong(f"two projects have the {key} {value!r}; it must tell them apart", key)
