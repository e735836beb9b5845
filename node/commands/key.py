"""`key show`, `add`, `retire`, `backup` and `restore`."""

from __future__ import annotations

import getpass
import sys
from typing import TYPE_CHECKING

from node.audit import people
from node.commands.exits import Exit
from node.errors import Misconfigured
from node.identity_settings import IdentityMode
from node.key import KeyRing, load_ring, replace_ring, with_new_key
from node.key_backup import check_passphrase, read_backup, restore_backup, write_backup
from node.presence import look
from node.settings import load_settings

if TYPE_CHECKING:
    from argparse import Namespace

    from node.settings import Settings


def show(arguments: Namespace) -> int:
    """List the keys.

    Raises
    ------
    Misconfigured
        The key cannot be read.
    """
    settings = load_settings(arguments.config)
    for number, name in load_ring(settings.key_file).fingerprints().items():
        users = [
            _with_subkey(settings, project.name) for project in settings.projects if project.identity.key == number
        ]
        sys.stdout.write(f"key {number}  {name}  {', '.join(users) or 'no project'}\n")
    return Exit.OK


def _with_subkey(settings: Settings, name: str) -> str:
    project = settings.project_named(name)
    subkey = project.identity.subkey if project else ""
    return f"{name} (subkey {subkey})" if subkey else name


def add(arguments: Namespace) -> int:
    """Make one more key.

    Raises
    ------
    Misconfigured, Transient
        The key file, or the audit log, cannot be written.
    """
    settings = load_settings(arguments.config)
    ring = with_new_key(load_ring(settings.key_file))
    number = max(ring.keys)
    _note(settings, "added", ring.fingerprints()[number])
    replace_ring(settings.key_file, ring)
    sys.stdout.write(
        f"key {number} made; nothing changes until a project says key = {number} in [projects.identity]. "
        "Make a new backup: deid-node key backup\n"
    )
    return Exit.OK


def retire(arguments: Namespace) -> int:
    """Delete a key.

    Raises
    ------
    Misconfigured, Transient
        It is in use, or the last one; or the key file, or the audit log, cannot be written.
    """
    settings = load_settings(arguments.config)
    ring = load_ring(settings.key_file)
    _check_unused(settings, ring, arguments.number)
    if not arguments.yes and not _confirmed(f"delete key {arguments.number} for good? [y/N] "):
        raise Misconfigured("nothing was deleted; say --yes to delete without being asked")
    _note(settings, "retired", ring.fingerprints()[arguments.number])
    replace_ring(settings.key_file, KeyRing({n: key for n, key in ring.keys.items() if n != arguments.number}))
    sys.stdout.write(f"key {arguments.number} is deleted; older backups still have it\n")
    return Exit.OK


def _check_unused(settings: Settings, ring: KeyRing, number: int) -> None:
    if number not in ring.keys:
        raise Misconfigured(f"there is no key {number} (see deid-node key show)")
    users = [project.name for project in settings.projects if project.identity.key == number]
    if users or len(ring.keys) == 1:
        raise Misconfigured(f"key {number} is used by {', '.join(users) or 'all'}; name another in [projects.identity]")
    if number != min(ring.keys):
        return
    for project in settings.projects:
        identity = project.identity
        is_kept = identity.mode is IdentityMode.TABLE or identity.remember
        if is_kept and (path := identity.table_file(settings.spool.path)).exists():
            raise Misconfigured(f"key {number} seals {path}: without it nobody can read that; keep it")


def backup(arguments: Namespace) -> int:
    """Write a backup.

    Raises
    ------
    Misconfigured, Transient
        The key cannot be read, the file is there already, or the audit log cannot be written.
    """
    settings = load_settings(arguments.config)
    ring = load_ring(settings.key_file)
    passphrase = _passphrase(twice=True)
    check_passphrase(passphrase)
    _note(settings, "backed up", " ".join(ring.fingerprints().values()))
    files = write_backup(settings, arguments.file, passphrase)
    sys.stdout.write(f"{arguments.file}: {len(ring.keys)} keys and {files} files of the spool; keep it elsewhere\n")
    return Exit.OK


def restore(arguments: Namespace) -> int:
    """Put back what a backup holds.

    Raises
    ------
    Misconfigured, Transient
        The node runs, the backup cannot be opened, something is in its place, or the audit log cannot be written.
    """
    settings = load_settings(arguments.config)
    if settings.spool.path.exists() and look(settings.spool.path).running:
        raise Misconfigured("the node is running; stop it first")
    found = read_backup(arguments.file, _passphrase(twice=False))
    settings.spool.path.mkdir(mode=0o700, parents=True, exist_ok=True)
    _note(settings, "restored", " ".join(found.ring.fingerprints().values()))
    for path in restore_backup(settings, found):
        sys.stdout.write(f"restored {path}\n")
    return Exit.OK


def _passphrase(*, twice: bool) -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    first = getpass.getpass("passphrase of the backup: ")
    if twice and getpass.getpass("once more: ") != first:
        raise Misconfigured("the two passphrases are not the same")
    return first


def _confirmed(question: str) -> bool:
    if not sys.stdin.isatty():
        return False
    sys.stderr.write(question)
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def _note(settings: Settings, what: str, name: str) -> None:
    settings.spool.path.mkdir(mode=0o700, parents=True, exist_ok=True)
    people.key_changed(settings, people.me(), what, name)
