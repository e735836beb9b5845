"""Before the disk is full: new senders are told to come later, while those that are here may finish."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from node.dimse import PduType
from node.settings import DeliveryMode, Project, Settings, SpoolSettings
from node.sinks import Sinks
from node.spool import Spool
from tests.integration.receiving import (
    CT,
    EXPLICIT,
    IMPLICIT,
    VERIFICATION,
    Sender,
    associate_rq,
    instance,
    receiving,
    settings_for,
)

REJECTED_FOR_NOW = bytes([0, 2, 3, 1])  # transient, provider (presentation), temporary congestion: PS3.8 Table 9-21
OUT_OF_RESOURCES = 0xA700


def short_of_room(folder: Path, share: float) -> Settings:
    """Return settings that keep a share of the room free that there is now."""
    settings = settings_for(folder)
    free = shutil.disk_usage(folder).free
    return replace(settings, spool=SpoolSettings(folder / "spool", int(free * share)))


def test_with_little_room_an_association_to_store_is_rejected_for_now(tmp_path: Path) -> None:
    with receiving(short_of_room(tmp_path, 0.75)) as node, Sender(node.port) as sender:
        sender.send(associate_rq([(CT, [EXPLICIT])]))
        assert sender.read_pdu() == (PduType.ASSOCIATE_RJ, REJECTED_FOR_NOW)
        assert node.files() == []


def test_with_little_room_an_echo_is_answered(tmp_path: Path) -> None:
    with receiving(short_of_room(tmp_path, 0.75)) as node, Sender(node.port) as sender:
        sender.associate((VERIFICATION, [IMPLICIT]))
        assert sender.echo() == 0


def test_with_room_enough_all_are_let_in(tmp_path: Path) -> None:
    with receiving(short_of_room(tmp_path, 0.1)) as node, Sender(node.port) as sender:
        sender.associate()
        assert sender.store(instance()) == 0


def test_who_is_here_may_store_until_no_more_than_the_reserve_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = short_of_room(tmp_path, 0.1)
    kept_free = settings.spool.min_free_bytes
    with receiving(settings) as node, Sender(node.port) as sender:
        sender.associate()
        monkeypatch.setattr(Spool, "free_bytes", lambda _: kept_free + 1)
        assert sender.store(instance()) == 0
        monkeypatch.setattr(Spool, "free_bytes", lambda _: kept_free - 1)
        assert sender.store(instance(instance_uid="1.2.3.5"), instance_uid="1.2.3.5") == OUT_OF_RESOURCES


def test_a_project_without_a_spool_needs_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("node.sinks._direct_relay", lambda *_: None)
    direct = Project("direct", called_ae_title="DIRECT", delivery=DeliveryMode.DIRECT)
    settings = short_of_room(tmp_path, 0.75)
    sinks = Sinks(replace(settings, projects=(*settings.projects, direct)))
    assert not sinks.is_short_of_room("direct")
    assert sinks.is_short_of_room("default")
