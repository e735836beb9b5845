"""What all tests share: one hypothesis profile, the corpus where it is present."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

_CORPUS = Path(__file__).parents[2] / "shared" / "corpus"

# The same examples on every run in CI; new ones on a developer's machine. Loaded machines make deadlines meaningless.
settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("developer", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "developer")


@pytest.fixture(scope="session")
def corpus() -> Path:
    """Return the folder of real public files; skip where it is absent."""
    if not _CORPUS.is_dir():
        pytest.skip("../shared/corpus is not present")
    return _CORPUS
