"""What becomes of one instance of each kind, line by line: a change of these files is a change of behaviour to review.

``DEID_NODE_WRITE_GOLDEN=1`` writes them anew.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from deid.context import Context
from deid.engine import Instance, deidentify
from deid.keys import Keys
from deid.profile import load_profile
from tests import factories, objects
from tests.golden.dump import dump

EXPECTED = Path(__file__).parent / "expected"
PROFILES = Path(__file__).parents[2] / "config" / "profiles"
KEYS = Keys.from_secret(b"the golden files' own key, no secret")

MAKERS = {
    "ct": factories.ct,
    "mr": factories.mr,
    "cr": factories.cr,
    "mg": factories.mg,
    "pt": factories.pt,
    "us": factories.us,
    "sc": factories.sc,
    "enhanced-mr": objects.enhanced_mr,
    "segmentation": objects.segmentation,
    "rt-structure-set": objects.rt_structure_set,
    "structured-report": objects.structured_report,
    "presentation-state": objects.presentation_state,
    "ecg": objects.ecg,
    "encapsulated-pdf": objects.encapsulated_pdf,
}


@pytest.mark.parametrize("profile", ["basic", "longitudinal"])
@pytest.mark.parametrize("kind", sorted(MAKERS))
def test_clean_instance_is_as_reviewed(kind: str, profile: str) -> None:
    context = Context(load_profile(PROFILES / f"{profile}.toml"), KEYS)
    source = factories.to_bytes(MAKERS[kind]())
    clean = deidentify(Instance.from_part10(source), context).clean
    lines = "\n".join(dump(b"".join(clean.part10()))) + "\n"
    path = EXPECTED / f"{kind}.{profile}.txt"
    if os.environ.get("DEID_NODE_WRITE_GOLDEN"):
        path.write_text(lines, encoding="utf-8")

    assert lines == path.read_text(encoding="utf-8")
