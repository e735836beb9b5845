"""What all tests share: one hypothesis profile, the corpus where it is present."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from node import log

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


@pytest.fixture(autouse=True)
def _log_as_before() -> Iterator[None]:
    """Give the log back as it was: a role that a test started in this process logs to what is closed after it."""
    severity, logger, observer = log._log.severity, log._log.logger, log._log.observer
    yield
    log._log.severity, log._log.logger, log._log.observer = severity, logger, observer
