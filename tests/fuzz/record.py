"""How far earlier runs came, and what came of them: a file that the next run goes on from."""

from __future__ import annotations

import fcntl
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

_FILE = "totals.json"


@dataclass
class Record:
    """The totals of all runs with one folder.

    Attributes
    ----------
    next_index
        the number of the next mutant, by what is broken and seed
    totals
        of all seeds
    """

    folder: Path
    next_index: dict[str, int] = field(default_factory=dict)
    totals: Counter[str] = field(default_factory=Counter)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read the record of earlier runs; an empty one if there were none."""
        path = folder / _FILE
        if not path.exists():
            return cls(folder)
        facts = json.loads(path.read_text(encoding="utf-8"))
        return cls(folder, facts["next_index"], Counter(facts["totals"]))

    def first(self, what: str, seed: int) -> int:
        return self.next_index.get(f"{what}/{seed}", 0)

    def note(self, what: str, seed: int, next_index: int, counts: Mapping[str, int]) -> None:
        """Note that all mutants below `next_index` are done, and what came of the last of them; at once.

        Other runs with this folder note theirs in between.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            now = self.read(self.folder)
            self.next_index, self.totals = now.next_index, now.totals
            self.next_index[f"{what}/{seed}"] = next_index
            self.totals.update(counts)
            facts = {"next_index": self.next_index, "totals": self.totals}
            part = self.folder / f"{_FILE}.part"
            part.write_text(json.dumps(facts, indent=1), encoding="utf-8")
            part.replace(self.folder / _FILE)
