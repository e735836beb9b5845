"""The configuration file: what it says, what it may not say, and what the operator is told then."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import pytest

from node.errors import Misconfigured
from node.key import create_key, load_key
from node.settings import DeliveryMode, Settings, load_settings, profile_path, shipped_config

CONFIG = Path(__file__).parents[2] / "config" / "node.toml"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "node.toml"


def test_the_commented_example_is_the_built_in_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CONFIG.parent)  # both take their relative paths from here then
    assert replace(load_settings(CONFIG), config_path=None) == load_settings(None)


def test_the_commented_example_shows_every_key() -> None:
    text = CONFIG.read_text("utf-8")
    plain = Settings()
    for table in (plain, plain.spool, plain.receive, plain.work, plain.faces, plain.forward, plain.web):
        for key in set(type(table).__slots__) - {"config_path"}:
            assert key in text


def test_the_defaults_of_the_types_are_the_built_in_defaults(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    built_in = load_settings(None)
    plain = Settings()
    assert built_in.key_file == tmp_path / plain.key_file
    assert built_in.spool == replace(plain.spool, path=tmp_path / plain.spool.path)
    assert built_in.web == replace(plain.web, users_file=tmp_path / plain.web.users_file)
    assert replace(built_in, key_file=plain.key_file, spool=plain.spool, web=plain.web) == plain


def test_paths_are_relative_to_the_configuration_file(config: Path) -> None:
    config.write_text('key_file = "k"\n[spool]\npath = "s"\n[[projects]]\nname = "p"\nprofile = "own.toml"\n')
    settings = load_settings(config)
    assert settings.key_file == config.parent / "k"
    assert settings.spool.path == config.parent / "s"
    assert profile_path(settings.projects[0]) == config.parent / "own.toml"
    assert settings.config_path == config


def test_the_name_of_a_profile_means_a_shipped_one() -> None:
    project = load_settings(None).projects[0]
    assert profile_path(project) == shipped_config() / "profiles" / "longitudinal.toml"


def test_projects_and_destinations_take_the_nodes_ae_title(config: Path) -> None:
    config.write_text('ae_title = "RESEARCH"\n')
    settings = load_settings(config)
    assert settings.project_for("RESEARCH") == settings.projects[0]
    assert settings.project_for(" RESEARCH  ") == settings.projects[0]
    assert settings.project_for("DEIDNODE") is None
    assert settings.destinations["archive"].calling_ae_title == "RESEARCH"


def test_a_project_may_accept_some_sop_classes_and_peers_only(config: Path) -> None:
    config.write_text(
        '[[peers]]\nae_title = "CT1"\naddress = "10.0.0.1"\n'
        '[[projects]]\nname = "a"\naccepts = ["CTImageStorage", "1.2.840.10008.5.1.4.1.1.4"]\npeers = ["CT1"]\n'
    )
    (project,) = load_settings(config).projects
    assert project.accepts == ("CTImageStorage", "1.2.840.10008.5.1.4.1.1.4")
    assert project.peers == ("CT1",)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('accepts = ["CTImageStorag"]', ["projects.1.accepts", "'CTImageStorag'", "did you mean 'CTImageStorage'?"]),
        ('accepts = ["1.2.840.10008.1.1"]', ["projects.1.accepts", "no storage SOP Class"]),
        ('peers = ["CT2"]', ["projects.1.peers", "'CT2'", "[[peers]]"]),
    ],
)
def test_a_permission_that_leads_nowhere_is_told(config: Path, line: str, words: list[str]) -> None:
    config.write_text(f'[[peers]]\nae_title = "CT1"\naddress = "10.0.0.1"\n[[projects]]\nname = "a"\n{line}\n')
    with pytest.raises(Misconfigured) as told:
        load_settings(config)
    assert [word for word in words if word not in str(told.value)] == []


def test_the_called_ae_title_chooses_the_project(config: Path) -> None:
    config.write_text(
        '[[projects]]\nname = "a"\n[[projects]]\nname = "b"\ncalled_ae_title = "B SIDE"\ndelivery = "direct"\n'
        'destinations = ["x"]\n'
        '[destinations.x]\nae_title = "X"\nhost = "h"\nport = 104\nassociations = 4\n'
        '[destinations.archive]\nae_title = "Y"\nhost = "::1"\nport = 104\n[destinations.archive.tls]\n'
        'certificate = "c"\nprivate_key = "p"\n'
    )
    settings = load_settings(config)
    chosen = settings.project_for("B SIDE")
    assert chosen is not None
    assert (chosen.name, chosen.delivery, chosen.destinations) == ("b", DeliveryMode.DIRECT, ("x",))
    assert settings.project_named("a") == settings.project_for("DEIDNODE")
    assert settings.destinations["x"].associations == 4
    tls = settings.destinations["archive"].tls
    assert tls is not None
    assert (tls.certificate, tls.ca) == (config.parent / "c", None)


def test_settings_travel_to_worker_processes(config: Path) -> None:
    config.write_text("")
    settings = load_settings(config)
    assert pickle.loads(pickle.dumps(settings)) == settings  # noqa: S301


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("prot = 1", ["'prot'", "did you mean"]),
        ("[receive]\nprot = 1", ["receive", "'prot'", "did you mean 'port'"]),
        ("[receive]\nqqqq = 1", ["'qqqq'", "allowed are", "idle_deadline_s"]),
        ("[receive]\nport = '1'", ["receive.port", "whole number"]),
        ("[receive]\nport = true", ["receive.port", "whole number"]),
        ("[receive]\nport = 70000", ["receive.port", "0 to 65535"]),
        ("[work]\ntime_limit_s = 0", ["work.time_limit_s"]),
        ("[work]\ntime_limit_per_frame_s = -1", ["work.time_limit_per_frame_s"]),
        ("[log]\nlevel = 'loud'", ["log.level", "'debug'"]),
        ("ae_title = 'SEVENTEEN LETTERS'", ["ae_title", "1 to 16"]),
        ("ae_title = 'A\\\\B'", ["ae_title", "backslash"]),
        ("ae_title = 5", ["ae_title", "text"]),
        ("receive = 5", ["receive", "table"]),
        ("key_file = ''", ["key_file", "path"]),
        ("peers = 5", ["peers", "list"]),
        ("[[peers]]\nae_title = '*'", ["peers.1", "address"]),
        ("[[peers]]\nae_title = '*'\naddress = '10.0.0.300'", ["peers.1.address", "CIDR"]),
        ("[[peers]]\nae_title = '*'\naddress = '10.0.0.1/8'", ["peers.1.address", "host bits"]),
        ("[[projects]]\nname = 'a b'", ["projects.1.name", "letters"]),
        ("[[projects]]\nname = 'a'\ndelivery = 'later'", ["projects.1.delivery", "'spooled', 'direct'"]),
        ("[[projects]]\nname = 'a'\ndestinations = []", ["projects.1.destinations", "at least one"]),
        ("[[projects]]\nname = 'a'\ndestinations = ['nowhere']", ["'nowhere'", "[destinations.nowhere]"]),
        ("[[projects]]\nname = 'a'\n[[projects]]\nname = 'b'", ["called_ae_title", "'DEIDNODE'"]),
        ("[[projects]]\nname = 'a'\n[[projects]]\nname = 'a'\ncalled_ae_title = 'X'", ["name", "'a'"]),
        ("[destinations.x]\nae_title = 'X'\nhost = 'h'", ["destinations.x", "'port'"]),
        ("destinations = 3", ["destinations", "table"]),
        ("[destinations]\nx = 3", ["destinations.x", "table"]),
        ("[receive.tls]\ncertificate = 'missing'\nprivate_key = 'k'", ["receive.tls.certificate", "no such file"]),
        ("config_path = 'x'", ["'config_path'"]),
        ("port = = 1", ["not TOML"]),
    ],
)
def test_a_mistake_is_told_with_file_key_and_remedy(config: Path, text: str, told: list[str]) -> None:
    config.write_text(text)
    with pytest.raises(Misconfigured) as caught:
        load_settings(config)
    for part in [str(config), *told]:
        assert part in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_told_with_the_command_that_makes_one(config: Path) -> None:
    with pytest.raises(Misconfigured, match="deid-node init"):
        load_settings(config)


def test_work_on_every_cpu_is_the_default() -> None:
    assert Settings().work.process_count >= 1
    assert replace(Settings().work, processes=7).process_count == 7


def test_a_created_key_is_random_private_and_loads(tmp_path: Path) -> None:
    one, other = tmp_path / "new" / "one", tmp_path / "other"
    create_key(one)
    create_key(other)
    assert len(load_key(one)) == 32
    assert load_key(one) != load_key(other)
    assert one.stat().st_mode & 0o777 == 0o600
    assert list(one.parent.iterdir()) == [one]


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "key"
    create_key(path)
    key = load_key(path)
    with pytest.raises(Misconfigured, match="exists already"):
        create_key(path)
    assert load_key(path) == key
    assert list(tmp_path.iterdir()) == [path]


def test_a_key_that_others_can_read_is_refused_with_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "key"
    create_key(path)
    path.chmod(0o640)
    with pytest.raises(Misconfigured, match="chmod 600"):
        load_key(path)


@pytest.mark.parametrize("text", ["", "ab" * 31, "ab" * 33, "zz" * 32, "é" * 32])
def test_what_is_no_key_is_refused_without_showing_it(tmp_path: Path, text: str) -> None:
    path = tmp_path / "key"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(Misconfigured, match="64 hexadecimal digits") as caught:
        load_key(path)
    assert not text or text not in str(caught.value)


def test_a_missing_key_is_told_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="deid-node init"):
        load_key(tmp_path / "key")
