"""Faces and how instances are delivered; plans as a cleaning process reads them."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from deid.profile import Profile
from node import worker
from node.cli import main
from node.direct import DirectRelay
from node.errors import Misconfigured
from node.faces import FACES_OPTION, check_delivery
from node.key import create_key
from node.settings import DeliveryMode, Project, Settings, SpoolSettings

if TYPE_CHECKING:
    from pathlib import Path

FACES = Profile.from_options("own", [FACES_OPTION])
DIRECT = Project("trial", delivery=DeliveryMode.DIRECT)


@pytest.mark.parametrize(
    ("project", "profile"),
    [
        (DIRECT, Profile.from_options("own")),
        (replace(DIRECT, delivery=DeliveryMode.SPOOLED), FACES),
        (replace(DIRECT, delivery=DeliveryMode.SPOOLED), Profile.from_options("own")),
    ],
)
def test_delivery_and_profile_go_together_else(project: Project, profile: Profile) -> None:
    check_delivery(project, profile)


def test_direct_delivery_cannot_wait_for_series() -> None:
    with pytest.raises(Misconfigured) as caught:
        check_delivery(DIRECT, FACES)
    (line,) = str(caught.value).splitlines()
    assert line == (
        "project trial: profile own cleans faces (clean_recognizable_visual_features), which needs whole series, "
        "but delivery = 'direct' answers for each instance; choose 'spooled', or another profile"
    )


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    create_key(tmp_path / "key")
    profile = tmp_path / "own.toml"
    profile.write_text(f'options = ["{FACES_OPTION}"]\n')
    project = replace(DIRECT, profile=str(profile))
    return Settings(key_file=tmp_path / "key", spool=SpoolSettings(tmp_path / "spool", 1), projects=(project,))


def test_the_receiver_does_not_start_with_direct_delivery_and_faces(settings: Settings) -> None:
    with pytest.raises(Misconfigured, match="needs whole series"):
        DirectRelay(settings, settings.projects[0])


def test_the_work_role_does_not_start_with_direct_delivery_and_faces(settings: Settings) -> None:
    with pytest.raises(Misconfigured, match="needs whole series"):
        worker.run(settings, threading.Event())


def test_check_says_that_direct_delivery_cannot_wait_for_series(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "own.toml").write_text(f'options = ["{FACES_OPTION}"]\n')
    config = tmp_path / "node.toml"
    config.write_text('[[projects]]\nname = "trial"\nprofile = "./own.toml"\ndelivery = "direct"\n')
    (tmp_path / "var").mkdir()
    create_key(tmp_path / "var" / "key")
    assert main(["check", "--config", str(config)]) == 2
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "project trial" in line]
    assert line.startswith("FAIL  ")
    assert "needs whole series" in line
