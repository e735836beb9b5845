"""Direct delivery: the real engine in real processes, real sockets, and nothing on a disk."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset

from deid.errors import Misconfigured
from node.direct import DirectRelay
from node.key import create_key
from node.settings import (
    DeliveryMode,
    Destination,
    ForwardSettings,
    Project,
    Settings,
    SpoolSettings,
    WorkSettings,
)
from tests import factories
from tests.integration.scripted import (
    CT,
    EXPLICIT,
    ScriptedStore,
    destination,
    ends,
    free_port,
    scripted_archive,
    storescp,
)
from tests.network import wait_until

FAST = ForwardSettings(connect_timeout_s=1.0, dimse_timeout_s=1.0, idle_release_s=0.3)


@contextlib.contextmanager
def relaying(folder: Path, *destinations: Destination, profile: str = "basic") -> Iterator[DirectRelay]:
    """Make a relay with everything it needs, and check that it leaves nothing on the disk."""
    key = folder / "key"
    if not key.exists():
        create_key(key)
    project = Project(
        "direct", profile=profile, delivery=DeliveryMode.DIRECT, destinations=tuple(each.name for each in destinations)
    )
    settings = Settings(
        key_file=key,
        spool=SpoolSettings(folder / "spool"),
        work=WorkSettings(processes=1, time_limit_s=60),
        forward=FAST,
        projects=(project,),
        destinations={each.name: each for each in destinations},
    )
    relay = DirectRelay(settings, project)
    try:
        yield relay
    finally:
        relay.close()
    assert sorted(path.name for path in folder.iterdir()) == ["key"]


def ct(seed: int = 0) -> bytes:
    return factories.data_set_bytes(factories.ct(seed=seed))


def test_answer_is_success_once_the_archive_has_the_clean_instance(tmp_path: Path) -> None:
    raw = factories.ct()
    archive = ScriptedStore()
    with scripted_archive(archive) as port, relaying(tmp_path, destination(port)) as relay:
        assert relay.relay(bytearray(factories.data_set_bytes(raw)), EXPLICIT) == 0x0000
    ((uid, data),) = archive.stored
    clean = read_dataset(DicomBytesIO(data), is_implicit_VR=False, is_little_endian=True)
    assert clean.SOPInstanceUID == uid != raw.SOPInstanceUID
    assert clean.PixelData == raw.PixelData
    assert clean.PatientIdentityRemoved == "YES"
    assert str(raw.PatientID).encode() not in data


def test_associations_are_kept_for_the_next_instance_and_released_when_idle(tmp_path: Path) -> None:
    archive = ScriptedStore()
    with scripted_archive(archive) as port, relaying(tmp_path, destination(port)) as relay:
        assert [relay.relay(ct(seed), EXPLICIT) for seed in range(5)] == [0] * 5
        assert archive.associations == 1
        wait_until(lambda: archive.released == 1, 10, "release")
        assert relay.relay(ct(), EXPLICIT) == 0
        assert archive.associations == 2


def test_many_senders_are_served_at_once(tmp_path: Path) -> None:
    archive = ScriptedStore()
    with scripted_archive(archive) as port, relaying(tmp_path, destination(port, associations=3)) as relay:
        with ThreadPoolExecutor(8) as senders:
            statuses = list(senders.map(lambda seed: relay.relay(ct(seed), EXPLICIT), range(16)))
        assert statuses == [0] * 16
        assert len(set(archive.uids)) == 16
        assert archive.associations <= 3


def test_archive_that_serves_one_association_at_a_time_serves_many_senders(tmp_path: Path) -> None:
    received = tmp_path.parent / f"{tmp_path.name}-received"
    received.mkdir()
    with storescp(received) as port, relaying(tmp_path, destination(port, associations=2)) as relay:
        assert relay.relay(ct(), EXPLICIT) == 0
        with ThreadPoolExecutor(4) as senders:
            statuses = list(senders.map(lambda seed: relay.relay(ct(seed), EXPLICIT), range(1, 9)))
    assert statuses == [0] * 8
    assert len(list(received.iterdir())) == 9


@pytest.mark.parametrize("status", [0xB000, 0xB006, 0xB007])
def test_archives_warning_is_no_warning_for_the_sender(tmp_path: Path, status: int) -> None:
    with scripted_archive(ScriptedStore(status)) as port, relaying(tmp_path, destination(port)) as relay:
        assert relay.relay(ct(), EXPLICIT) == 0x0000


@pytest.mark.parametrize("status", [0xA900, 0xC000, 0x0122, 0x0124])
def test_archives_refusal_is_a_refusal_for_the_sender(tmp_path: Path, status: int) -> None:
    with scripted_archive(ScriptedStore(status)) as port, relaying(tmp_path, destination(port)) as relay:
        assert relay.relay(ct(), EXPLICIT) == 0xC000


@pytest.mark.parametrize("answer", [0xA700, 0x0110, ends("abort"), ends("drop"), ends("stall"), ends("garbage")])
def test_sender_is_told_to_come_back_while_the_archive_cannot(tmp_path: Path, answer: object) -> None:
    archive = ScriptedStore(answer)  # type: ignore[arg-type]
    with scripted_archive(archive) as port, relaying(tmp_path, destination(port)) as relay:
        assert relay.relay(ct(), EXPLICIT) == 0xA700
        assert archive.stored == []
        assert relay.relay(ct(), EXPLICIT) == 0x0000


def test_archive_that_is_away_means_out_of_resources(tmp_path: Path) -> None:
    with relaying(tmp_path, destination(free_port())) as relay:
        assert relay.relay(ct(), EXPLICIT) == 0xA700


def test_archive_that_does_not_take_the_sop_class_means_refused(tmp_path: Path) -> None:
    archive = ScriptedStore(accepts=lambda sop_class, _: sop_class != CT)
    with scripted_archive(archive) as port, relaying(tmp_path, destination(port)) as relay:
        assert relay.relay(ct(), EXPLICIT) == 0xC000


def test_success_needs_every_destination(tmp_path: Path) -> None:
    first, second = ScriptedStore(), ScriptedStore(0xA700)
    with scripted_archive(first) as one, scripted_archive(second) as two:
        other = Destination("other", "OTHER", "127.0.0.1", two)
        with relaying(tmp_path, destination(one), other) as relay:
            assert relay.relay(ct(), EXPLICIT) == 0xA700
            assert relay.relay(ct(), EXPLICIT) == 0x0000
    assert first.uids[0] == first.uids[1] == second.uids[0]
    assert first.stored[0] == first.stored[1] == second.stored[0]


def test_what_cannot_be_cleaned_is_refused_and_not_sent(tmp_path: Path) -> None:
    archive = ScriptedStore()
    with scripted_archive(archive) as port, relaying(tmp_path, destination(port)) as relay:
        assert relay.relay(ct()[:-100], EXPLICIT) == 0xC000
        assert relay.relay(b"", EXPLICIT) == 0xC000
        assert relay.relay(ct(), "1.2.3.4") == 0xC000
        assert relay.relay(ct(), EXPLICIT) == 0x0000
    assert len(archive.stored) == 1


def test_worker_that_is_killed_costs_an_instance_its_success_and_nothing_more(tmp_path: Path) -> None:
    archive = ScriptedStore()
    with scripted_archive(archive) as port, relaying(tmp_path, destination(port)) as relay:
        assert relay.relay(ct(), EXPLICIT) == 0x0000
        (worker,) = relay._pool.process_ids()
        os.kill(worker, signal.SIGSTOP)
        threading.Timer(0.5, os.kill, (worker, signal.SIGKILL)).start()
        assert relay.relay(ct(1), EXPLICIT) == 0x0110
        assert relay.relay(ct(2), EXPLICIT) == 0x0000
    assert len(archive.stored) == 2


def test_relay_that_is_closed_leaves_no_association(tmp_path: Path) -> None:
    archive = ScriptedStore()
    with scripted_archive(archive) as port:
        with relaying(tmp_path, destination(port)) as relay:
            relay.relay(ct(), EXPLICIT)
        deadline = time.monotonic() + 5
        while not archive.released and time.monotonic() < deadline:
            time.sleep(0.01)
    assert archive.released == 1


def test_missing_profile_is_known_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured), relaying(tmp_path, destination(free_port()), profile="no-such-profile"):
        pass
