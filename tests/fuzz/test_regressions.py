"""What once went wrong goes right, and some new mutants too."""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deid.encoding.reader import read_part10
from node import cleaning as node_cleaning
from node.dimse import PduType
from node.spool import Spool
from tests import factories
from tests.fuzz import cleaning
from tests.fuzz.cleaning import Batch, clean, run_batch
from tests.fuzz.datasets import settings_for
from tests.fuzz.fields import EXPLICIT
from tests.fuzz.mutants import Mutant
from tests.fuzz.seeds import seeds
from tests.fuzz.sockets import echo_s
from tests.integration.receiving import receiving
from tests.integration.receiving import settings_for as receiver_settings

FOLDER = Path(__file__).parent / "regressions"
PROFILES = ("basic", "longitudinal", "strict", "tcia-header")


@pytest.fixture(scope="module", autouse=True)
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Be a process of the pool."""
    folder = tmp_path_factory.mktemp("fuzz")
    settings = settings_for(folder)
    found = node_cleaning.prepared(settings, lenient=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("node.cleaning._prepared", found)
        patch.setattr("tests.fuzz.cleaning._prepared", found)
        patch.setattr("tests.fuzz.cleaning._spools", [Spool(settings.spool.path, 1)])
        cleaning.take(seeds(corpus=Path("/nonexistent")))
        yield
        cleaning.take([])


@pytest.mark.parametrize("profile", [*PROFILES, "tcia"])
@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.dcm")), ids=lambda path: path.stem)
def test_no_instance_that_once_leaked_or_failed_does(path: Path, profile: str) -> None:
    file = read_part10(path.read_bytes())
    outcome, wrong = clean(Mutant(path.stem, (), file.transfer_syntax, bytes(file.data_set_bytes)), profile)
    assert not wrong, (outcome, wrong)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.pdus")), ids=lambda path: path.stem)
def test_no_peer_that_once_left_something_behind_does(path: Path, tmp_path: Path) -> None:
    said = path.read_bytes()
    request_end = 6 + int.from_bytes(said[2:6])
    with receiving(receiver_settings(tmp_path)) as node:
        with socket.create_connection(("127.0.0.1", node.port), timeout=10) as sock:
            sock.sendall(said[:request_end])
            assert sock.recv(1 << 16)[0] == PduType.ASSOCIATE_AC
            sock.sendall(said[request_end:])
            sock.shutdown(socket.SHUT_WR)
            while sock.recv(1 << 16):
                pass
        assert echo_s(node.port) < 5
        assert node.files() == []


@pytest.mark.parametrize("profile", PROFILES)
def test_new_mutants_are_cleaned_or_refused_and_nothing_else(profile: str) -> None:
    tally = run_batch(Batch(20_261_121, 0, 60, profile))
    assert tally.findings == []
    assert tally.outcomes.total() == 60
    assert tally.outcomes["cleaned"] >= 5


def test_an_instance_that_names_ten_thousand_people_takes_seconds() -> None:
    ds = factories.cr(size=8)
    rng = random.Random(1)
    persons = ("^".join("".join(rng.choices("abcdefghijklmnopqrst", k=7)) for _ in range(2)) for _ in range(10_000))
    ds.ContentSequence = [factories.item(PersonName=person) for person in persons]
    file = Mutant("many", (), EXPLICIT, factories.data_set_bytes(ds))
    began_s = time.process_time()
    assert clean(file, "basic") == ("cleaned", "")
    assert time.process_time() - began_s < 5  # without the quick look 10, and 40 for twice as many
