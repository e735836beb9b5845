"""The units leave each role no more of the machine than it needs."""

from __future__ import annotations

import re

import pytest

from tests.systemd import TARGETS, UNITS, exposure, is_there

ROLES = ("receive", "work", "forward", "web")


def values(role: str, key: str) -> list[str]:
    text = (UNITS / f"deid-node-{role}.service").read_text(encoding="utf-8")
    return " ".join(re.findall(rf"^{key}=(.*)$", text, re.MULTILINE)).split()


def groups(user: str) -> set[str]:
    text = (UNITS / "sysusers.d" / "deid-node-roles.conf").read_text(encoding="utf-8")
    return set(re.findall(rf"^m {user} (\S+)$", text, re.MULTILINE))


@pytest.mark.skipif(not is_there(), reason="systemd-analyze is not installed (Debian: systemd)")
@pytest.mark.parametrize("unit", TARGETS)
def test_a_unit_is_no_more_open_than_its_target(unit: str) -> None:
    assert exposure(UNITS / unit) <= TARGETS[unit]


@pytest.mark.skipif(not is_there(), reason="systemd-analyze is not installed (Debian: systemd)")
def test_the_exam_sees_a_unit_that_is_open(tmp_path_factory: pytest.TempPathFactory) -> None:
    unit = tmp_path_factory.mktemp("open") / "open.service"
    unit.write_text("[Service]\nExecStart=/bin/true\n")
    assert exposure(unit) > 9


def test_work_has_no_network() -> None:
    assert values("work", "PrivateNetwork") == ["yes"]
    assert values("work", "RestrictAddressFamilies") == ["AF_UNIX"]
    assert values("work", "IPAddressDeny") == ["any"]
    assert values("work", "IPAddressAllow") == []


def test_work_alone_is_given_the_key() -> None:
    assert [role for role in ROLES if "key:/etc/deid-node/key" in values(role, "LoadCredential")] == ["work"]
    for role in ("receive", "forward", "web"):
        assert "-/etc/deid-node/key" in values(role, "InaccessiblePaths")


@pytest.mark.parametrize("role", ROLES)
def test_the_groups_of_a_unit_are_those_of_its_user(role: str) -> None:
    (user,) = values(role, "User")
    assert set(values(role, "SupplementaryGroups")) == groups(user)


def test_forward_is_in_no_group_that_reads_raw_instances_and_receive_in_none_that_reads_clean_ones() -> None:
    assert "deid-raw" not in groups("deid-forward")
    assert "deid-clean" not in groups("deid-receive")
    assert "/var/lib/deid-node/incoming" in values("forward", "InaccessiblePaths")


def test_web_sees_neither_raw_nor_clean_instances_under_way_and_talks_to_this_machine_alone() -> None:
    hidden = {"/var/lib/deid-node/incoming", "/var/lib/deid-node/outbox", "/var/lib/deid-node/series"}
    assert hidden <= set(values("web", "InaccessiblePaths"))
    assert values("web", "IPAddressAllow") == ["localhost"]


def test_roles_are_users_of_their_own() -> None:
    assert len({values(role, "User")[0] for role in ROLES}) == len(ROLES)


@pytest.mark.parametrize("role", ROLES)
def test_a_unit_leaves_no_core(role: str) -> None:
    assert values(role, "LimitCORE") == ["0"]


@pytest.mark.parametrize("role", ROLES)
def test_roles_name_the_start_of_the_machine_alike(role: str) -> None:
    assert "DEID_NODE_BOOT_ID=%b" in values(role, "Environment")  # else forward waits for ever
