"""Modalities that send without a pause, and send again what was not acknowledged."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests import factories
from tests.factories import Study
from tests.people import PATIENTS
from tests.sender import send

_BATCH = 8
SIZE = 128
"""Rows and columns of each instance, of two bytes a pixel."""


@dataclass
class Load:
    """What the senders sent; `acknowledged` are SOP Instance UIDs."""

    folder: Path
    port: int
    stop: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)
    acknowledged: set[str] = field(default_factory=set)
    made: int = 0
    errors: list[BaseException] = field(default_factory=list)

    def run(self, number: int) -> None:
        """Send until told to stop: one thread, one study after the other."""
        try:
            unsent: dict[Path, str] = {}
            study_number = 1
            while not self.stop.is_set():
                if len(unsent) < _BATCH:
                    study = replace(Study(PATIENTS[number]), number=study_number)
                    unsent |= self._make(study)
                    study_number += 1
                answers = send(list(unsent), self.port)
                with self.lock:
                    for answer in answers:
                        if answer.is_acknowledged:
                            self.acknowledged.add(unsent.pop(answer.path))
                            answer.path.unlink()
                if not any(answer.is_acknowledged for answer in answers):
                    time.sleep(0.05)
        except BaseException as error:  # noqa: BLE001 -- told to the main thread
            self.errors.append(error)

    def _make(self, study: Study) -> dict[Path, str]:
        made = {}
        for seed in range(_BATCH):
            ds = factories.ct(study, seed, size=SIZE)
            path = self.folder / f"{ds.SOPInstanceUID}.dcm"
            path.write_bytes(factories.to_bytes(ds))
            made[path] = str(ds.SOPInstanceUID)
        with self.lock:
            self.made += len(made)
        return made
