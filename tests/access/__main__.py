"""Try every kind of caller at a real node, and a crowd before its door.

    python -m tests.access [--sample N --seed S]

Prints a table and ends with 1 if anybody got in, or was turned away, against the configuration, if a byte of somebody
refused came into the spool, or if a listed peer had to wait for a second.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from tests import factories
from tests.access.control import open_door, openssl_can, possible, python_can
from tests.access.crowd import CROWDS, longest_wait_s
from tests.access.place import Pki, Place, receiving
from tests.access.plan import NODES, Case, Fate, Node, every_caller, every_suite, fate, whole_matrix
from tests.access.tools import DCMTK_OPTIONS, dcmtk, openssl, python
from tests.network import missing

Tool = Callable[[Case, Pki, int], "Fate | str"]
Offers = Mapping[tuple[str, str], bool]

MOST_WAIT_S = 1.0


@dataclass
class Tally:
    """What became of the callers of one kind."""

    expected: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    spooled_bytes: int = 0

    @property
    def count(self) -> int:
        return self.expected.total()


def try_all(cases: Iterable[Case], tool: Tool, node: Node, place: Place, pki: Pki) -> Tally:
    """Let each case call; look into the spool after each."""
    tally = Tally()
    for case in cases:
        wanted = fate(case, node)
        found = tool(case, pki, place.port)
        tally.expected[wanted] += 1
        if found != wanted:
            tally.wrong.append(f"{case}: {found}, not {wanted}")
        if found == Fate.STORED:
            place.forget()
        else:
            tally.spooled_bytes += place.spooled_bytes()
    time.sleep(0.2)  # for who was refused and still talked
    tally.spooled_bytes += place.spooled_bytes()
    return tally


def drawn(cases: Iterable[Case], sample: int, chance: random.Random) -> list[Case]:
    """Return all cases, or so many of them by chance."""
    found = list(cases)
    return found if not sample else chance.sample(found, min(sample, len(found)))


def offers(pki: Pki) -> Mapping[str, Offers]:
    """Say which versions and suites each tool can offer at all, by a door without rules."""
    if missing("openssl"):
        return {}
    with open_door(pki) as port:
        wanted = [(case.version, case.suite) for case in every_suite()]
        wanted_of_python = [(case.version, case.suite) for case in every_suite_of_python()]
        return {
            "Python ssl": possible(wanted_of_python, python_can, pki, port),
            "openssl s_client": possible(wanted, openssl_can, pki, port),
        }


def offered(cases: Iterable[Case], can: Offers | None) -> Iterable[Case]:
    """Leave out what a tool cannot offer; without a word on that, it is taken to be able."""
    return (case for case in cases if can is None or can[case.version, case.suite])


def rows(pki: Pki, can: Mapping[str, Offers], sample: int, seed: int) -> Iterable[tuple[str, str, Tally]]:
    """Yield node, tool and what came of it."""
    chance = random.Random(seed)
    source = pki.folder / "ct.dcm"
    factories.ct().save_as(source)
    for index, node in enumerate(NODES):
        with receiving(pki.folder / f"node-{index}", pki, node) as place:
            run = partial(try_all, node=node, place=place, pki=pki)
            for name, tool, cases in callers(node, source, full=index == 0):
                yield str(node), name, run(drawn(offered(cases, can.get(name)), sample, chance), tool)


def callers(node: Node, source: Path, *, full: bool) -> Iterable[tuple[str, Tool, Iterable[Case]]]:
    """Yield the tools that are here, with whom they call as."""
    yield "Python ssl", python, whole_matrix(node) if full else every_suite_of_python()
    if not missing("openssl"):
        cases = [case for case in every_suite() if case.version]
        yield "openssl s_client", openssl, [*cases, *(every_caller(("1.2", "1.3")) if full else ())]
    if not missing("storescu"):
        yield "DCMTK storescu", partial(dcmtk, file=source), dcmtk_cases(full=full)


def every_suite_of_python() -> Iterable[Case]:
    """Yield the suites of TLS 1.2 and all versions; Python cannot choose among those of TLS 1.3."""
    return (case for case in every_suite() if case.version != "1.3" or not case.suite)


def dcmtk_cases(*, full: bool) -> Iterable[Case]:
    """Yield what storescu can be: from 127.0.0.1 only, with those versions and suites that `DCMTK_OPTIONS` has."""
    for version, suite in DCMTK_OPTIONS:
        for case in every_caller((version,)):
            is_here = case.address == "127.0.0.1" and (version or case.certificate == "none")
            if is_here and (full or (case.title, case.certificate) == ("CT1", "ct1")):
                yield replace(case, suite=suite)


def _but(lacking: list[str]) -> str:
    return f"; not tried: {', '.join(lacking)}" if lacking else ""


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", type=int, default=0, help="so many callers of each kind, by chance (0: all)")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    wrong: list[str] = []
    total, spooled_bytes = 0, 0
    print(f"{'node':46}{'tool':18}{'callers':>8}{'stored':>8}{'1,1,3':>7}{'nothing':>9}{'wrong':>7}{'spooled':>9}")
    with tempfile.TemporaryDirectory() as folder:
        pki = Pki.made_in(Path(folder))
        can = offers(pki)
        for node, tool, tally in rows(pki, can, arguments.sample, arguments.seed):
            counts = [tally.expected[each] for each in Fate]
            print(
                f"{node:46}{tool:18}{tally.count:8}{counts[0]:8}{counts[1]:7}{counts[2]:9}{len(tally.wrong):7}"
                f"{tally.spooled_bytes:7} B",
                flush=True,
            )
            wrong += [f"{node}, {tool}: {each}" for each in tally.wrong]
            total, spooled_bytes = total + tally.count, spooled_bytes + tally.spooled_bytes
        waits = [(crowd, longest_wait_s(crowd, Path(folder))) for crowd in CROWDS]
    for tool, its in can.items():
        lacking = [f"TLS {version or 'none'} {suite}".strip() for (version, suite), able in its.items() if not able]
        print(f"  {tool}: {sum(its.values())} of {len(its)} offers reach a door without rules" + _but(lacking))
    for each in wrong[:20]:
        print(f"  {each}")
    print(f"{total - len(wrong)} of {total} callers as configured; {spooled_bytes} bytes spooled of those refused")
    for crowd, wait_s in waits:
        print(f"  {crowd:58} a listed peer is served within {wait_s:.3f} s (at most {MOST_WAIT_S:g})")
    return int(bool(wrong) or spooled_bytes > 0 or any(wait_s > MOST_WAIT_S for _, wait_s in waits))


if __name__ == "__main__":
    sys.exit(main())
