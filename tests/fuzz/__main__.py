"""`make fuzz`: broken Data Sets through the worker's processes, and broken PDUs into the receiver's socket.

Each mutant has a number, and its seed and number alone decide what it is; the next run with the same seed goes on where
the last one ended, and both are counted. Exits with 1 if a sentinel came out, a process died, one hung, or an error was
none that the node has a reason for; the mutants of such are kept.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from tests.fuzz import datasets, sockets
from tests.fuzz.record import Record
from tests.network import ROOT


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=5000, help="mutated Data Sets")
    parser.add_argument("--pixels", type=int, default=-1, help="mutated images whose text is looked for; -1: 1 %%")
    parser.add_argument("--pdus", type=int, default=-1, help="mutated PDUs; -1: 10 %%")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=0, help="0: one for each CPU")
    parser.add_argument("--folder", type=Path, default=ROOT / "var" / "fuzz", help="totals, seeds and findings")
    arguments = parser.parse_args()
    record = Record.read(arguments.folder)
    results: list[datasets.Outcome | sockets.Outcome] = []
    if arguments.count:
        results.append(datasets.fuzz_data_sets(record, arguments.seed, arguments.count, arguments.processes))
    pixels = arguments.count // 100 if arguments.pixels < 0 else arguments.pixels
    if pixels:
        results.append(datasets.fuzz_data_sets(record, arguments.seed, pixels, arguments.processes, reads_pixels=True))
    pdus = arguments.count // 10 if arguments.pdus < 0 else arguments.pdus
    if pdus:
        results.append(sockets.fuzz_pdus(record, arguments.seed, pdus))
    print("fuzz", *(f"{key}={value}" for result in results for key, value in result.figures().items()),
          *(f"total_{key}={value}" for key, value in sorted(record.totals.items())))  # fmt: skip
    return 0 if all(result.is_good for result in results) else 1


if __name__ == "__main__":
    raise SystemExit(main())
