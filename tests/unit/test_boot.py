"""Which start of the machine this is, also where /proc does not tell."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from node import boot


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    boot.boot_id.cache_clear()
    yield
    boot.boot_id.cache_clear()


@pytest.mark.parametrize("seen", [None, "0a1b"])
def test_the_unit_names_the_start_whatever_its_role_sees_of_proc(
    seen: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(boot, "_BOOT_ID", tmp_path / "boot_id")
    if seen is not None:
        (tmp_path / "boot_id").write_text(seen)
    monkeypatch.setenv("DEID_NODE_BOOT_ID", "5f3a")
    assert boot.boot_id() == "5f3a"


def test_without_any_name_nothing_is_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boot, "_BOOT_ID", tmp_path / "hidden")
    monkeypatch.delenv("DEID_NODE_BOOT_ID", raising=False)
    assert boot.boot_id() == ""


def test_the_kernel_and_the_unit_write_it_the_same_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DEID_NODE_BOOT_ID", raising=False)
    (tmp_path / "boot_id").write_text("0a1b2c3d-0000-4000-8000-00000000ffff\n")
    monkeypatch.setattr(boot, "_BOOT_ID", tmp_path / "boot_id")
    assert boot.boot_id() == "0a1b2c3d00004000800000000000ffff"  # as %b of systemd
