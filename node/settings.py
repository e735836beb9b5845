"""The configuration: one TOML file → frozen `Settings`. ``config/node.toml`` shows every key with its default.

An unknown key, a value of the wrong type or out of range, and a name that leads nowhere are errors that name the file,
the key and the remedy. Relative paths are relative to the configuration file, without one to the working directory.
"""

from __future__ import annotations

import os
import re
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from deid.toml_lines import lines_of
from node.access.settings import Peer
from node.audit.settings import AuditSettings
from node.commitment.settings import CommitmentMode, CommitmentSettings
from node.destinations.settings import FolderDestination, StowDestination
from node.errors import Misconfigured
from node.identity_settings import IdentitySettings
from node.schema import Between, Where, read
from node.setting_checks import check_settings
from node.setting_types import AeTitle, Count, Days, Host, NameText, Port, Seconds, Tls
from node.web.settings import WebSettings

DEFAULT_AE_TITLE = "DEIDNODE"

Bytes: TypeAlias = Annotated[int, Between(0, 1 << 50)]


@dataclass(frozen=True, slots=True)
class SpoolSettings:
    """Where jobs lie.

    Attributes
    ----------
    path
        the folder of incoming, outbox, quarantine and ledger
    min_free_bytes
        below this much free space instances are answered A700 (out of resources)
    keep_finished_days
        how long the ledger remembers a job that is done
    """

    path: Path = Path("var/spool")
    min_free_bytes: Bytes = 1 << 30
    keep_finished_days: Days = 30.0


@dataclass(frozen=True, slots=True)
class ReceiveSettings:
    """The listener and its limits.

    Attributes
    ----------
    processes
        that share the port
    max_associations, max_associations_per_address
        per process
    max_pdu_bytes
        offered to the peer, and enforced
    max_pdu_before_negotiation_bytes
        the longest A-ASSOCIATE-RQ
    pdu_deadline_s
        from the first to the last byte of a PDU
    associate_deadline_s
        from the connection to a complete A-ASSOCIATE-RQ
    idle_deadline_s
        between two PDUs of an association
    max_pending_connections
        that have not yet sent an A-ASSOCIATE-RQ; one more drops the oldest
    max_instance_bytes
        a longer instance is answered A700
    passcodes_file
        users and their passcodes, for peers that have to name one
    """

    address: str = "127.0.0.1"
    port: Annotated[int, Between(0, 65_535)] = 11112
    processes: Count = 1
    max_associations: Count = 64
    max_associations_per_address: Count = 32
    max_pdu_bytes: Annotated[int, Between(4_096, 1 << 24)] = 131072
    max_pdu_before_negotiation_bytes: Annotated[int, Between(4_096, 1 << 24)] = 1 << 20
    pdu_deadline_s: Seconds = 15.0
    associate_deadline_s: Seconds = 10.0
    idle_deadline_s: Seconds = 60.0
    max_pending_connections: Count = 64
    max_instance_bytes: Bytes = 8 << 30
    tls: Tls | None = None
    passcodes_file: Path | None = None


@dataclass(frozen=True, slots=True)
class WorkSettings:
    """The worker processes.

    Attributes
    ----------
    processes
        0 = one for each CPU
    time_limit_s
        for one instance; of one with several frames: in which a frame must be done
    time_limit_per_frame_s
        that each frame which is done adds to the time for the whole instance
    memory_limit_bytes
        for one instance
    attempts
        how often a worker may die or time out on an instance before it is quarantined
    """

    processes: Annotated[int, Between(0, 1024)] = 0
    time_limit_s: Seconds = 300.0
    time_limit_per_frame_s: Seconds = 20.0
    memory_limit_bytes: Annotated[int, Between(256 << 20, 1 << 50)] = 4 << 30
    attempts: Annotated[int, Between(1, 100)] = 3

    @property
    def process_count(self) -> int:
        """`processes`, with 0 resolved to the CPUs that this process may use."""
        return self.processes or len(os.sched_getaffinity(0))


@dataclass(frozen=True, slots=True)
class FacesSettings:
    """When a series that could show a face is there as a whole, and how long it is known how it was cleaned.

    Attributes
    ----------
    quiet_s
        for which no instance of it has come
    keep_plans_days
        after which a late instance is a series of its own
    """

    quiet_s: Seconds = 20.0
    keep_plans_days: Days = 30.0


@dataclass(frozen=True, slots=True)
class ForwardSettings:
    """When a delivery is tried again, and how long a peer may take.

    Attributes
    ----------
    first_retry_s, max_retry_s
        the pause doubles from the one to the other
    give_up_days
        after the first failure
    idle_release_s
        an association without work is released after this long
    echo_every_s
        each destination is asked for a sign of life so often; 0: never
    """

    first_retry_s: Seconds = 2.0
    max_retry_s: Seconds = 900.0
    give_up_days: Days = 14.0
    dimse_timeout_s: Seconds = 60.0
    connect_timeout_s: Seconds = 10.0
    idle_release_s: Seconds = 30.0
    echo_every_s: Annotated[float, Between(0.0, 86_400.0)] = 300.0


@dataclass(frozen=True, slots=True)
class ModelsSettings:
    """Where the networks are.

    Attributes
    ----------
    folder
        with the manifest; None for the shipped one
    """

    folder: Path | None = None


@dataclass(frozen=True, slots=True)
class LogSettings:
    """What is logged: this level and above. Lines are JSON on standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"


class DeliveryMode(StrEnum):
    """When the sender is answered: after the spool has the instance, or after every destination has it."""

    SPOOLED = "spooled"
    DIRECT = "direct"


@dataclass(frozen=True, slots=True)
class Project:
    """What happens to the instances sent to one called AE title.

    Attributes
    ----------
    profile
        the name of a shipped profile, or the path of a TOML file
    destinations
        names; the instance goes to each
    accepts
        SOP Classes by keyword or UID, empty for all that the node knows; an instance of another is answered 0124
    peers
        calling AE titles, empty for all that may call; an instance from another is answered 0124 (not authorized)
    commitment
        when the node commits itself to the storage of an instance, for senders that ask
    resent
        what becomes of an instance that all destinations have with the same content
    identity
        who patients become
    """

    name: NameText
    called_ae_title: AeTitle = DEFAULT_AE_TITLE
    profile: str = "longitudinal"
    delivery: DeliveryMode = DeliveryMode.SPOOLED
    destinations: tuple[str, ...] = ("archive",)
    accepts: tuple[str, ...] = ()
    peers: tuple[AeTitle, ...] = ()
    commitment: CommitmentMode = CommitmentMode.NONE
    resent: Literal["forward", "drop"] = "forward"
    identity: IdentitySettings = field(default_factory=IdentitySettings)


@dataclass(frozen=True, slots=True)
class Destination:
    """An archive that takes instances by C-STORE.

    Attributes
    ----------
    associations
        held open in parallel while there is work
    commitment
        whether an instance counts as delivered only once the archive has committed itself to its storage
    tls
        None = not encrypted
    """

    name: NameText
    ae_title: AeTitle
    host: Host
    port: Port
    calling_ae_title: AeTitle = DEFAULT_AE_TITLE
    associations: Annotated[int, Between(1, 64)] = 2
    commitment: bool = False
    tls: Tls | None = None
    kind: Literal["c-store"] = "c-store"

    @property
    def address(self) -> str:
        """Where it is, for a person."""
        return f"{self.ae_title}@{self.host}:{self.port}"


AnyDestination: TypeAlias = Destination | StowDestination | FolderDestination

_LOOPBACK = (Peer("*", "127.0.0.0/8"), Peer("*", "::1"))


def _archive() -> Mapping[str, AnyDestination]:
    return {"archive": Destination("archive", "ARCHIVE", "127.0.0.1", 11113)}


@dataclass(frozen=True, slots=True)
class Settings:
    """The whole configuration; the defaults are a node on loopback that keeps its state below ``./var``."""

    ae_title: AeTitle = DEFAULT_AE_TITLE
    key_file: Path = Path("var/key")
    spool: SpoolSettings = field(default_factory=SpoolSettings)
    receive: ReceiveSettings = field(default_factory=ReceiveSettings)
    work: WorkSettings = field(default_factory=WorkSettings)
    faces: FacesSettings = field(default_factory=FacesSettings)
    forward: ForwardSettings = field(default_factory=ForwardSettings)
    commitment: CommitmentSettings = field(default_factory=CommitmentSettings)
    models: ModelsSettings = field(default_factory=ModelsSettings)
    log: LogSettings = field(default_factory=LogSettings)
    web: WebSettings = field(default_factory=WebSettings)
    audit: AuditSettings = field(default_factory=AuditSettings)
    peers: tuple[Peer, ...] = _LOOPBACK
    projects: tuple[Project, ...] = (Project("default"),)
    destinations: Mapping[str, AnyDestination] = field(default_factory=_archive)
    config_path: Path | None = None

    @property
    def archives(self) -> Mapping[str, Destination]:
        """The destinations that take instances by C-STORE, and may be asked for storage commitment."""
        return {name: each for name, each in self.destinations.items() if isinstance(each, Destination)}

    def project_for(self, called_ae_title: str) -> Project | None:
        """Find the project that a called AE title chooses; spaces around it don't count (PS3.8 Table 9-11)."""
        called = called_ae_title.strip(" ")
        return next((project for project in self.projects if project.called_ae_title == called), None)

    def project_named(self, name: str) -> Project | None:
        """Find a project by its name."""
        return next((project for project in self.projects if project.name == name), None)


def shipped_config() -> Path:
    """Give the folder of the shipped configuration: beside the packages, or below sys.prefix when installed."""
    checkout = Path(__file__).resolve().parents[1] / "config"
    return checkout if checkout.is_dir() else Path(sys.prefix) / "share" / "deid-node" / "config"


def profile_path(project: Project) -> Path:
    """Give the file of a project's profile: a path as it stands, a name among the shipped profiles."""
    if _is_path(project.profile):
        return Path(project.profile)
    return shipped_config() / "profiles" / f"{project.profile}.toml"


def _is_path(profile: str) -> bool:
    return "/" in profile or profile.endswith(".toml")


def load_settings(path: Path | None) -> Settings:
    """Read and check a configuration file; without one, give the built-in defaults below the working directory.

    Raises
    ------
    Misconfigured
        with the file, the key and the remedy
    """
    file = (path or Path("built-in defaults")).absolute()
    table, lines = _parsed(file) if path else ({}, {})
    where = Where(file, lines=lines)
    ae_title = table.get("ae_title", DEFAULT_AE_TITLE)
    table = {"ae_title": ae_title, **_PATHS, "projects": [{"name": "default"}], "destinations": _ARCHIVE, **table}
    table["spool"] = _filled(table.get("spool", {}), {"path": "var/spool"})
    table["web"] = _filled(table.get("web", {}), {"users_file": "var/users"})
    table["projects"] = [_filled(each, {"called_ae_title": ae_title}) for each in _listed(table["projects"])]
    table["destinations"] = _archives_filled(table["destinations"], {"calling_ae_title": ae_title})
    settings = read(Settings, table, where, {"config_path": file if path else None})
    settings = replace(settings, projects=tuple(_placed(each, file.parent) for each in settings.projects))
    check_settings(settings, where)
    return settings


_PATHS = {"key_file": "var/key"}
_ARCHIVE = {"archive": {"ae_title": "ARCHIVE", "host": "127.0.0.1", "port": 11113}}


def _parsed(file: Path) -> tuple[dict[str, Any], Mapping[str, int]]:
    try:
        text = file.read_text("utf-8")
        return tomllib.loads(text), lines_of(text)
    except OSError as error:
        raise Misconfigured(f"{file}: {error.strerror}; `deid-node init` writes a configuration") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        line = re.search(r"\(at line (\d+)", str(error))
        raise Misconfigured(f"{file}{f':{line[1]}' if line else ''}: not TOML: {error}") from None


# What these three meet may be of any type: `read` says so afterwards, with the key.


def _filled(table: Any, known: dict[str, str]) -> Any:  # noqa: ANN401
    return {**known, **table} if isinstance(table, dict) else table


def _listed(tables: Any) -> list[Any]:  # noqa: ANN401
    return tables if isinstance(tables, list) else [tables]


def _archives_filled(tables: Any, known: dict[str, str]) -> Any:  # noqa: ANN401
    if not isinstance(tables, dict):
        return tables
    return {name: _filled(each, known) if _is_archive(each) else each for name, each in tables.items()}


def _is_archive(table: Any) -> bool:  # noqa: ANN401
    return isinstance(table, dict) and table.get("kind", "c-store") == "c-store"


def _placed(project: Project, folder: Path) -> Project:
    """Take the path of a profile from the configuration file's folder."""
    if not _is_path(project.profile):
        return project
    return replace(project, profile=str(folder / Path(project.profile).expanduser()))
