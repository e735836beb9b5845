"""The command line: what the commands are called, what they take, and how their errors end.

The commands themselves lie in `node.commands` and are imported only when they are called.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

from deid.errors import DeidError
from deid.errors import Misconfigured as DeidMisconfigured
from node.commands import advice
from node.commands.admission import add_passcode
from node.commands.arguments import ae_title, drawn_box, positive, remote
from node.commands.exits import EXIT_CODES, Exit, NoSpool
from node.commands.parsers import Parser as _Parser
from node.commands.parsers import Subparsers as _Subparsers
from node.commands.parsers import add_command as _add
from node.commands.parsers import add_config as _add_config
from node.commands.parsers import add_group as _add_group
from node.commands.reporting import add_report
from node.commands.resend import add_resend
from node.commands.route import add_init
from node.commands.trail import add_audit, add_key
from node.errors import Misconfigured, NodeError, Unreachable

PROG = "deid-node"

_EXITS: tuple[tuple[type[Exception], Exit], ...] = (
    (Misconfigured, Exit.USAGE),
    (DeidMisconfigured, Exit.USAGE),
    (NoSpool, Exit.NOT_RUNNING),
    (NodeError, Exit.FAILED),
    (DeidError, Exit.FAILED),
)

_Command = Callable[[argparse.Namespace], int]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; errors are one line on stderr."""
    arguments = _parser().parse_args(argv)
    try:
        return _load(arguments.command)(arguments)
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokenPipeError:
        # Who read our output has had enough (`deid-node status | head -1`); nothing more can be said there.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.FAILED
    except Exception as error:  # noqa: BLE001  a border: a traceback's last line may quote values
        return _complain(error)


def _complain(error: Exception) -> int:
    if isinstance(error, Unreachable):
        return _fail(f"{error}; {advice.of_peer(error)}", Exit.UNREACHABLE)
    for kind, code in _EXITS:
        if isinstance(error, kind):
            return _fail(str(error), code)
    if isinstance(error, OSError) and error.strerror:
        where = "" if error.filename is None else f": {os.fsdecode(error.filename)}"
        return _fail(f"{error.strerror}{where}; {advice.of_file(error)}", Exit.FAILED)
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "unknown place"
    return _fail(f"internal error, {type(error).__name__} at {place}; report it with this line", Exit.FAILED)


def _fail(message: str, code: Exit) -> int:
    sys.stderr.write(f"{PROG}: {message}\n")
    return code


def _load(command: str) -> _Command:
    module, _, function = command.partition(":")
    return cast("_Command", getattr(importlib.import_module(f"node.commands.{module}"), function))


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog=PROG,
        description="A DICOM node that de-identifies every instance on its way to a research archive.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=_Parser)
    for add in _GROUPS:
        add(commands)
    return parser


def _add_running(commands: _Subparsers) -> None:
    serve = _add(
        commands,
        "serve",
        "running:serve",
        "receive, de-identify and forward until told to stop",
        "Runs the roles receive, work and forward as child processes and starts them again when they end.\n"
        "SIGTERM or Ctrl-C: each role finishes the instance it holds, then all end. SIGHUP: the configuration is read\n"
        "again; if it is wrong, nothing changes. Logs are JSON lines on stderr.",
    )
    _add_config(serve)
    serve.add_argument(
        "--role",
        choices=("receive", "work", "forward", "web"),
        help="do only this role's work, in this process, without a supervisor (for one systemd unit per role)",
    )
    status = _add(
        commands,
        "status",
        "running:status",
        "show the roles, the instances in each state, the destinations and the room left",
        "Ends with 0 if the node runs and all roles are ready, 1 if a role is not, 4 if no node runs.",
    )
    _add_config(status)
    status.add_argument("--json", action="store_true", help="one JSON object instead of text")


def _add_network(commands: _Subparsers) -> None:
    echo = _add(commands, "echo", "network:echo", "ask a peer for a sign of life (C-ECHO)")
    send = _add(
        commands,
        "send",
        "network:send",
        "send instances to a peer as they are (C-STORE)",
        "Folders are searched; a DICOMDIR is skipped. What is not stored is listed on stdout, with its reason or\n"
        "status and its path (which may name a patient).\n"
        "NOTHING IS DE-IDENTIFIED: this is how a test or a script stands in for a modality.",
    )
    send.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a DICOM file or a folder")
    for parser in (echo, send):
        parser.add_argument("remote", type=remote, metavar="AE@host:port", help="such as DEIDNODE@127.0.0.1:11112")
        parser.add_argument(
            "--calling", type=ae_title, default="DEIDSEND", metavar="AE", help="our own AE title (default: DEIDSEND)"
        )
        parser.add_argument(
            "--timeout", type=positive, default=30, metavar="SECONDS", help="for each answer (default: 30)"
        )


def _add_quarantine(commands: _Subparsers) -> None:
    kinds = _add_group(
        commands, "quarantine", "see, release or discard what was refused", "Nothing of a patient is printed."
    )
    listed = _add(kinds, "list", "quarantine:listed", "list the refused instances with their reasons")
    show = _add(kinds, "show", "quarantine:show", "show all that is known about one refused instance")
    release = _add(
        kinds,
        "release",
        "quarantine:release",
        "put refused instances back in line",
        "They are cleaned again, as if just received: after a change of the profile or a repaired archive.",
    )
    discard = _add(kinds, "discard", "quarantine:discard", "delete refused instances for good")
    discard.add_argument("--yes", action="store_true", help="do not ask")
    mask = _add(
        kinds,
        "mask",
        "quarantine:mask",
        "mask parts of refused instances, and put them back in line",
        "The boxes are masked beside whatever the profile masks, in place of boxes that were drawn before. What\n"
        "cannot be cleaned with certainty then is refused again. See the frames first, in the console.",
    )
    approve = _add(
        kinds,
        "approve",
        "quarantine:approve",
        "let frames leave of which only a person can be certain",
        "For instances that were refused for text-left-in-pixels or kept-back-by-profile, once a person has looked at\n"
        "all of their frames. All that is found is masked nevertheless, and the last look for identifiers decides.",
    )
    for each in (mask, approve):
        each.add_argument(
            "--box",
            type=drawn_box,
            action="append",
            required=each is mask,
            metavar="BOX",
            help="LEFT,TOP,RIGHT,BOTTOM in pixels, of all frames, or …@2-5 of some; may be given several times",
        )
    for several in (release, mask, approve, discard):
        several.add_argument("ids", nargs="*", metavar="ID", help="as `list` prints it")
        several.add_argument("--reason", metavar="REASON", help="all that were refused for this reason")
    show.add_argument("id", metavar="ID", help="as `list` prints it")
    listed.add_argument("--json", action="store_true", help="one JSON object per line")
    for each in (listed, show, release, mask, approve, discard):
        _add_config(each)


def _add_offline(commands: _Subparsers) -> None:
    clean = _add(
        commands,
        "clean",
        "offline:clean",
        "de-identify files and folders without any network",
        "Writes OUT/<patient>/<study UID>/<series UID>/<SOP instance UID>.dcm, all of them new names; nothing that\n"
        "IN calls its files is carried over. What cannot be cleaned is not written but listed on stdout, with the\n"
        "reason and its path below IN (which may name a patient); a DICOMDIR is skipped. The same key gives the same\n"
        "output, so a run that was interrupted can be repeated into the same OUT.\n"
        "With --text, instead, each line of a text file (- for stdin) is cleaned like a value and written to stdout.",
    )
    clean.add_argument("source", nargs="?", type=Path, metavar="IN", help="a file or folder")
    clean.add_argument("target", nargs="?", type=Path, metavar="OUT", help="a folder; made if it is missing")
    clean.add_argument("--text", type=Path, metavar="FILE", help="clean the lines of a text file, UTF-8, instead")
    _add_patient(clean)
    clean.add_argument("--jobs", type=positive, metavar="N", help="processes (default: one per CPU)")
    explain = _add(
        commands,
        "explain",
        "explain:explain",
        "show what becomes of each element of a file, and which row, option or override says so",
        "One line per element at every depth: tag, VR, action (D Z X K C U of PS3.15 Table E.1-1a; + is added; - goes\n"
        "with the Sequence around it), what became of it, source, keyword. Of a private one also the creator, if a\n"
        "list or dictionary knows it: others are values of the instance. For an instance that would be refused, the\n"
        "reason and where. Of a text that was cleaned, what was found in it: kinds, finders and confidences.",
    )
    explain.add_argument("file", type=Path, metavar="FILE", help="a DICOM file")
    explain.add_argument("--values", action="store_true", help="also print values, before and after: PATIENT DATA")
    explain.add_argument("--json", action="store_true", help="one JSON object instead of text")
    text = _add(
        commands,
        "text",
        "text:text",
        "clean one text as if it stood in an instance",
        "Prints the clean text. Without --name and --id nothing is known of a patient: then dates are taken out where\n"
        "the profile would move them, and names are found by what they look like and where they stand.",
    )
    text.add_argument("string", metavar="STRING", help="the text")
    text.add_argument("--explain", action="store_true", help="also each thing found: range, kind, finder, confidence")
    _add_patient(text)
    preview = _add(
        commands,
        "preview",
        "preview:preview",
        "draw what would be masked in a frame of a file, or faces of a folder, before and after: PATIENT DATA",
        "Writes a PNG that only its owner can read: the frame as it is, and beside it as it would leave, with the\n"
        "boxes: red for lines that were found, orange for what is masked unseen (device templates, outside calibrated\n"
        "ultrasound regions, screens). Prints each box with its reason and its frames, never a text. With --face, the\n"
        "surface of each head in a folder from the front and from the side, before and after, as PNGs in a folder.",
    )
    preview.add_argument("file", type=Path, metavar="FILE", help="a DICOM file; with --face the folder of a series")
    preview.add_argument("--out", type=Path, required=True, metavar="PNG", help="the picture, or with --face a folder")
    preview.add_argument("--face", action="store_true", help="draw what becomes of faces in a folder")
    preview.add_argument("--frame", type=positive, default=1, metavar="N", help="which frame, from 1 (default: 1)")
    for parser in (clean, explain, text, preview):
        parser.add_argument(
            "--profile", metavar="P", help="a shipped profile's name or a TOML file (default: the first project's)"
        )
        _add_config(parser)


def _add_patient(parser: _Parser) -> None:
    """Add what may be known of a text."""
    parser.add_argument("--attribute", metavar="A", help="where it stands: a keyword (default: ImageComments)")
    parser.add_argument("--name", action="append", metavar="PN", help="a known name, such as DOE^JANE; may be repeated")
    parser.add_argument("--id", action="append", metavar="ID", help="a known ID; dates move by the first")


def _add_profile(commands: _Subparsers) -> None:
    kinds = _add_group(
        commands,
        "profile",
        "read what a profile does beside the standard's table, or import one",
        "The table is PS3.15 Table E.1-1.",
    )
    listed = _add(kinds, "list", "profile:listed", "list the shipped profiles with their options")
    show = _add(
        kinds,
        "show",
        "profile:show",
        "show a profile as the table, with what it does for each Type, and its rules for all else",
        "The columns of options are the table's; their names are printed above it. Types are those of the instance's\n"
        "IOD (PS3.3); with --sop-class it is one IOD's, and Sequences where another action counts are listed.",
    )
    diff = _add(kinds, "diff", "profile:diff", "show what two profiles do differently, and which source says so")
    show.add_argument("name", metavar="NAME", help="a shipped profile's name or a TOML file")
    diff.add_argument("first", metavar="A", help="a shipped profile's name or a TOML file")
    diff.add_argument("second", metavar="B", help="likewise")
    part = show.add_mutually_exclusive_group()
    part.add_argument("--attribute", metavar="A", help="only this one: a keyword, or a tag such as (0010,0010)")
    part.add_argument(
        "--private",
        nargs="?",
        const="",
        metavar="CREATOR",
        help="the lists of private elements: of all creators or one",
    )
    for each in (show, diff):
        each.add_argument("--sop-class", metavar="S", help="for its instances: a UID, or a keyword as CTImageStorage")
    for each in (listed, show, diff):
        each.add_argument("--format", choices=("table", "json"), default="table", help="default: table")
    imported = _add(
        kinds,
        "import",
        "profile_import:imported",
        "make a profile or region file of what another tool is configured with",
        "FILE is a script of RSNA CTP's DICOM anonymizer (it becomes a profile), a script of CTP's pixel anonymizer,\n"
        "or a recipe of pydicom/deid (they become region files). Prints how each of its functions was carried over,\n"
        "and what is done instead of what could not be; the new file says so too. Read it before you use it.",
    )
    imported.add_argument("file", type=Path, metavar="FILE", help="the script or recipe")
    imported.add_argument("-o", "--out", type=Path, required=True, metavar="OUT", help="the TOML file to write")


def _add_lookup(commands: _Subparsers) -> None:
    lookup = _add(
        commands,
        "lookup",
        "lookup:lookup",
        "say whom pseudonyms stand for: PATIENT DATA, audited",
        "For projects whose identities come from a crosswalk or the table, or which remember keyed codes. Prints one\n"
        "line, separated by tabs, for each patient behind a pseudonym (or a new accession number of a crosswalk).\n"
        "The node's key is asked for, or read from the file that --key names; the configuration alone is not enough.\n"
        "Each call adds a line to audit.log in the spool: when, who, which pseudonyms; never what was found.",
    )
    lookup.add_argument("pseudonyms", nargs="+", metavar="PSEUDONYM", help="a new Patient ID, as the archive has it")
    lookup.add_argument("--key", type=Path, metavar="FILE", help="the node's key; without it the key is asked for")
    lookup.add_argument("--project", metavar="NAME", help="look only in this project")
    _add_config(lookup)


def _add_users(commands: _Subparsers) -> None:
    kinds = _add_group(
        commands, "users", "say who may use the web console", "A running console takes a change at once."
    )
    add = _add(
        kinds,
        "add",
        "users:add",
        "add a user, or give one another role or password",
        "The password is asked for twice; without a terminal it is the first line of the standard input.\n"
        "viewer: sees how the node does, nothing of a patient. reviewer: also refused instances, PATIENT DATA.\n"
        "admin: all of it, and the audit log.",
    )
    add.add_argument("--role", choices=("viewer", "reviewer", "admin"), required=True)
    add.add_argument("--no-password", action="store_true", help="logs in through a proxy alone ([web.proxy])")
    listed = _add(kinds, "list", "users:listed", "list the users with their roles")
    remove = _add(kinds, "remove", "users:remove", "remove a user; who is logged in by that name is out at once")
    for each in (add, remove):
        each.add_argument("name", metavar="NAME")
    for each in (add, listed, remove):
        _add_config(each)


def _add_setup(commands: _Subparsers) -> None:
    check = _add(
        commands,
        "check",
        "setup:check",
        "try whether the node could run: configuration, profiles, key, spool, port, destinations",
        "One line per thing that was tried. Destinations are asked by C-ECHO.",
    )
    _add_config(check)


_GROUPS = (
    _add_running,
    _add_network,
    _add_quarantine,
    add_resend,
    add_report,
    _add_offline,
    _add_profile,
    _add_lookup,
    add_audit,
    add_key,
    add_passcode,
    _add_users,
    add_init,
    _add_setup,
)
