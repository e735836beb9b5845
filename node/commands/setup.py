"""`check`: before the node runs."""

from __future__ import annotations

import os
import stat
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from deid.context import Context
from deid.errors import Misconfigured as DeidMisconfigured
from deid.keys import Keys
from deid.profile import load_profile
from node import log
from node.access.check import access_checks
from node.commands.exits import Exit
from node.commitment.scu import open_to_ask
from node.crosswalk_file import CrosswalkFile
from node.destinations.echo import EchoResult, echo
from node.destinations.outlet import check_outlet
from node.errors import Misconfigured, Unreachable
from node.faces import check_delivery
from node.identities import open_source
from node.identity_settings import IdentityMode
from node.isolation import missing
from node.key import load_key
from node.negotiation import NothingAccepted
from node.pool import WorkerPool
from node.ports import port_trouble
from node.settings import Destination, ForwardSettings, load_settings, profile_path
from node.web.check import console_checks

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator

    from node.settings import AnyDestination, Project, Settings

_PROBE_S = 60.0
_CHECK_PATIENCE = ForwardSettings(connect_timeout_s=5.0, dimse_timeout_s=10.0)
_MODE_OF_GROUP, _MODE_OF_OTHERS = 0o070, 0o007


def check(arguments: Namespace) -> int:
    """Try all that the node needs; say what is wrong.

    Raises
    ------
    Misconfigured
        The configuration cannot be read at all.
    """
    log.silence_libraries()
    settings = load_settings(arguments.config)
    worst = Exit.OK
    for what, trouble, code in _checks(settings):
        sys.stdout.write(f"ok    {what}\n" if not trouble else f"FAIL  {what}: {trouble}\n")
        worst = code if trouble and worst in (Exit.OK, Exit.UNREACHABLE) else worst
    return worst


def _checks(settings: Settings) -> Iterator[tuple[str, str, Exit]]:
    """Yield what was tried, what is wrong with it (empty: nothing), and how that should end."""
    yield f"configuration {settings.config_path or 'built in'}", "", Exit.OK
    yield f"key {settings.key_file}", _key_trouble(settings), Exit.USAGE
    for project in settings.projects:
        yield from _profile_checks(settings, project.name)
        yield from _identity_checks(settings, project)
    yield "worker processes are isolated", _isolation_trouble(), Exit.FAILED
    yield f"spool {settings.spool.path}", _spool_trouble(settings), Exit.USAGE
    receive = settings.receive
    yield f"port {receive.port} on {receive.address}", port_trouble(settings, receive.address, receive.port), Exit.USAGE
    for what, trouble in (*access_checks(settings, datetime.now(UTC)), *console_checks(settings)):
        yield what, trouble, Exit.USAGE
    for destination in settings.destinations.values():
        yield from _destination_checks(destination)


def _destination_checks(destination: AnyDestination) -> Iterator[tuple[str, str, Exit]]:
    what = f"destination {destination.name}"
    try:
        check_outlet(destination)
    except Misconfigured as error:
        yield what, str(error), Exit.USAGE
        return
    found = echo(destination, _CHECK_PATIENCE)
    if found.result in (EchoResult.UNREACHABLE, EchoResult.REFUSED):
        yield what, found.detail, Exit.UNREACHABLE
        return
    yield f"{what} ({destination.address})", found.detail, Exit.FAILED
    if isinstance(destination, Destination) and destination.commitment:
        yield f"storage commitment of {what}", _commitment_trouble(destination), Exit.FAILED


def _key_trouble(settings: Settings) -> str:
    if settings.config_path is None and not settings.key_file.exists():
        return ""  # serve makes it
    try:
        Keys.from_secret(load_key(settings.key_file))
    except (Misconfigured, DeidMisconfigured) as error:
        return str(error)
    return ""


def _profile_checks(settings: Settings, name: str) -> Iterator[tuple[str, str, Exit]]:
    project = settings.project_named(name)
    assert project is not None  # noqa: S101  the name came out of the settings
    try:
        profile = load_profile(profile_path(project))
    except DeidMisconfigured as error:
        yield f"project {name}", str(error), Exit.USAGE
        return
    trouble = ""
    try:
        Context(profile, Keys.from_secret(bytes(32)), models=settings.models.folder).check(thoroughly=True)
        check_delivery(project, profile)
    except (DeidMisconfigured, Misconfigured) as error:
        trouble = str(error)
    yield f"project {name}: called {project.called_ae_title}, profile {profile.name}", trouble, Exit.USAGE


def _identity_checks(settings: Settings, project: Project) -> Iterator[tuple[str, str, Exit]]:
    """Try the crosswalk or the table, where there is one; without the key there is nothing to try."""
    identity = project.identity
    if (identity.mode is IdentityMode.KEYED and not identity.remember) or _key_trouble(settings):
        return
    what = f"identities of project {project.name}: {identity.mode.value}"
    try:
        source = open_source(identity, project.name, settings.spool.path, load_key(settings.key_file))
    except Misconfigured as error:
        yield what, str(error), Exit.USAGE
    else:
        rows = f", {source.rows} rows" if isinstance(source, CrosswalkFile) else ""
        yield f"{what}{rows}", "", Exit.OK


def _spool_trouble(settings: Settings) -> str:
    path = settings.spool.path
    existing = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
    if not os.access(existing, os.W_OK | os.X_OK):
        return f"{existing} cannot be written by this user"
    if path.exists() and _others_enter(path.stat().st_mode):
        return f"others may look into it; run chmod 700 {path}"
    room = os.statvfs(existing)
    free_bytes = room.f_bavail * room.f_frsize
    if free_bytes < settings.spool.min_free_bytes:
        return f"{free_bytes >> 20} MiB are free, [spool] min_free_bytes wants {settings.spool.min_free_bytes >> 20}"
    return ""


def _commitment_trouble(destination: Destination) -> str:
    """Say why a destination cannot be asked to commit itself."""
    try:
        open_to_ask(destination, _CHECK_PATIENCE).release()
    except NothingAccepted:
        return "it takes no such requests; set commitment = false, or have it switched on there"
    except (Unreachable, OSError) as error:
        return str(error)
    return ""


def _others_enter(mode: int) -> bool:
    """Say whether somebody may look into a folder who is not meant to: a group is where it is shared (node.modes)."""
    return bool(mode & _MODE_OF_OTHERS or (mode & _MODE_OF_GROUP and not mode & stat.S_ISGID))


def _isolation_trouble() -> str:
    """Say what a worker process would not be kept from on this machine."""
    with WorkerPool(1, time_limit_s=_PROBE_S) as pool:
        found = pool.submit(missing).result()
    return f"the kernel does not keep them from {', '.join(found)}" if found else ""
