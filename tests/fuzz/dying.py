"""Stands for the cleaning where a test wants a process that dies, or hangs, on one mutant."""

from __future__ import annotations

import os
import time

from tests.fuzz.cleaning import Batch, Tally

DIES_ON, HANGS_ON = 7, 11


def begin() -> None:
    """Be imported, before time is taken."""


def run_batch(batch: Batch) -> Tally:
    """Die or hang on two mutants of all, and say of the others that they were cleaned."""
    tally = Tally()
    for index in batch.indices:
        if index == DIES_ON:
            os._exit(1)
        if index == HANGS_ON:
            time.sleep(60)
        tally.outcomes["cleaned"] += 1
    return tally
