"""What a peer has to show, and how much it may do."""

from __future__ import annotations

import io
import ssl
from argparse import Namespace
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.access.certificate import Certificate, fingerprint_in
from node.access.current import Current
from node.access.limits import LONGEST_WAIT_S, Allowance, Exceeded, Limit
from node.access.profiles import OPENSSL_NAMES, SUITES, TLS13, TlsProfile, openssl_ciphers
from node.access.settings import Peer
from node.access.user_identity import Identity, Passcodes, hashed, open_passcodes, read_identity
from node.commands.passcode import passcode
from node.dimse import ProtocolError
from node.errors import Misconfigured
from node.peers import Peers
from node.settings import load_settings

DIGITS = "ab" * 32
CT1 = Certificate(DIGITS, frozenset({"ct1.example.org", "10.1.2.3", "2001:db8::7"}))


# -- certificates


@pytest.mark.parametrize("text", [DIGITS, DIGITS.upper(), ":".join(["AB"] * 32), f"sha256:{DIGITS}"])
def test_a_fingerprint_is_recognized_however_it_is_written(text: str) -> None:
    assert fingerprint_in(text) == DIGITS
    assert CT1.is_what(text)


@pytest.mark.parametrize("text", ["ct1.example.org", "CT1.Example.ORG", "10.1.2.3", "2001:DB8:0:0:0:0:0:7"])
def test_a_name_of_the_certificate_is_recognized_however_it_is_written(text: str) -> None:
    assert CT1.is_what(text)


@pytest.mark.parametrize("text", ["ct2.example.org", "example.org", "*.example.org", "10.1.2.30", "ac" * 32])
def test_another_name_or_fingerprint_is_not_the_certificate(text: str) -> None:
    assert not CT1.is_what(text)


def test_a_wildcard_in_a_certificate_stands_for_nobody_else() -> None:
    assert not Certificate(DIGITS, frozenset({"*.example.org"})).is_what("ct1.example.org")


@pytest.mark.parametrize("text", ["ab" * 31 + "zz", ":".join(["AB"] * 20), "sha1:" + "ab" * 20, "sha256:ab", ""])
def test_what_is_neither_fingerprint_nor_name_is_a_misconfiguration(tmp_path: Path, text: str) -> None:
    config = tmp_path / "node.toml"
    config.write_text(f'[[peers]]\nae_title = "A"\naddress = "10.0.0.1"\ncertificate = "{text}"\n')
    with pytest.raises(Misconfigured, match=r"peers\.1\.certificate"):
        load_settings(config)


@pytest.mark.parametrize(
    ("peer", "words"),
    [
        ('certificate = "a.example.org"', ["peers.1.certificate", "[receive.tls]", "ca"]),
        ('users = ["a"]', ["peers.1.users", "passcodes_file"]),
        ('users = ["a:b"]', ["peers.1.users.1", "colon"]),
        ("max_associations = -1", ["peers.1.max_associations"]),
    ],
)
def test_what_cannot_be_asked_of_a_peer_is_a_misconfiguration(tmp_path: Path, peer: str, words: list[str]) -> None:
    config = tmp_path / "node.toml"
    config.write_text(f'[[peers]]\nae_title = "A"\naddress = "10.0.0.1"\n{peer}\n')
    with pytest.raises(Misconfigured) as told:
        load_settings(config)
    assert [word for word in words if word not in str(told.value)] == []


def test_the_first_entry_that_fits_title_address_and_certificate_counts() -> None:
    bound, other, loose = (
        Peer("CT1", "10.1.0.0/16", certificate="ct1.example.org"),
        Peer("CT1", "10.1.0.0/16", certificate="ac" * 32),
        Peer("*", "10.1.2.0/24", max_associations=1),
    )
    peers = Peers.from_settings((bound, other, loose))
    assert peers.match("CT1", "10.1.2.3", CT1) is bound
    assert peers.match("CT1", "10.1.9.9", CT1) is bound
    assert peers.match("CT1", "10.1.9.9", Certificate("ac" * 32)) is other
    assert peers.match("CT1", "10.1.9.9", Certificate("ad" * 32)) is None
    assert peers.match("CT1", "10.1.9.9") is None
    assert peers.match("CT1", "10.1.2.3") is loose
    assert peers.match("CT2", "10.1.9.9", CT1) is None


# -- profiles


@pytest.mark.parametrize("profile", list(TlsProfile))
def test_a_profile_is_exactly_its_table_in_openssl(profile: TlsProfile) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers(openssl_ciphers(profile))
    names = [cipher["name"] for cipher in context.get_ciphers()]
    assert names == [*TLS13, *(OPENSSL_NAMES[name] for name in SUITES[profile].tls12)]


@pytest.mark.parametrize("profile", list(TlsProfile))
def test_every_suite_has_forward_secrecy_and_authenticated_encryption(profile: TlsProfile) -> None:
    for name in SUITES[profile].tls12:
        assert name.startswith(("TLS_ECDHE_", "TLS_DHE_"))
        assert any(mode in name for mode in ("_GCM_", "_CCM", "_CHACHA20_"))


# -- files that change


def test_a_changed_file_counts_at_the_next_use_and_a_broken_one_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "number"
    made = []

    def make() -> int:
        try:
            made.append(int(file.read_text()))
        except (OSError, ValueError):
            raise Misconfigured("no number") from None
        return made[-1]

    file.write_text("1")
    current = Current("number", (file,), make)
    assert [current.get(), current.get()] == [1, 1]
    assert made == [1]
    file.write_text("22")
    assert current.get() == 22
    file.write_text("none")
    assert current.get() == 22
    file.unlink()
    assert current.get() == 22
    file.write_text("4444")
    assert current.get() == 4444


def test_a_file_that_is_broken_from_the_beginning_is_a_misconfiguration(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured):
        Passcodes(tmp_path / "none")


# -- users


def identity_item(kind: int, primary: bytes, secondary: bytes = b"", response: int = 1) -> bytes:
    value = bytes([kind, response]) + len(primary).to_bytes(2, "big") + primary
    value += len(secondary).to_bytes(2, "big") + secondary
    return b"\x58\0" + len(value).to_bytes(2, "big") + value


@given(
    kind=st.integers(0, 255), primary=st.binary(max_size=99), secondary=st.binary(max_size=99), response=st.booleans()
)
def test_an_identity_is_read_as_it_was_written(kind: int, primary: bytes, secondary: bytes, response: bool) -> None:
    item = identity_item(kind, primary, secondary, response)
    assert read_identity(item) == Identity(kind, response, primary, secondary)


@given(at=st.integers(0, 20))
def test_an_identity_that_is_cut_or_has_more_is_a_protocol_error(at: int) -> None:
    item = identity_item(2, b"tech", b"secret")
    with pytest.raises(ProtocolError):
        read_identity(item[: min(at, len(item) - 1)])
    with pytest.raises(ProtocolError):
        read_identity(item + b"\0")


@pytest.fixture
def passcodes(tmp_path: Path) -> Path:
    path = tmp_path / "passcodes"
    path.write_text(f"# senders\n\nct1:{hashed(b'open')}\nct2:{hashed(b'other')}\ndoor:\n")
    path.chmod(0o600)
    return path


ALLOWED = ("ct1", "door")


@pytest.mark.parametrize(
    ("kind", "name", "secret", "is_accepted"),
    [
        (2, "ct1", b"open", True),
        (2, "ct1", b"Open", False),
        (2, "ct1", b"", False),
        (1, "ct1", b"", False),
        (1, "ct1", b"open", False),
        (2, "ct2", b"other", False),
        (2, "ct3", b"open", False),
        (1, "door", b"", True),
        (2, "door", b"whatever", True),
        (3, "ct1", b"open", False),
        (4, "ct1", b"open", False),
        (5, "door", b"", False),
        (2, "", b"", False),
    ],
)
def test_only_a_listed_user_with_the_right_passcode_is_accepted(
    passcodes: Path, kind: int, name: str, secret: bytes, is_accepted: bool
) -> None:
    known = Passcodes(passcodes)
    identity = Identity(kind, True, name.encode(), secret)
    assert [known.accepts(identity, ALLOWED) for _ in range(2)] == [is_accepted] * 2


def test_who_says_nothing_of_a_user_is_not_accepted(passcodes: Path) -> None:
    assert not Passcodes(passcodes).accepts(None, ALLOWED)


def test_a_passcode_that_was_changed_or_removed_counts_at_once(passcodes: Path) -> None:
    known = Passcodes(passcodes)
    right = Identity(2, False, b"ct1", b"open")
    assert known.accepts(right, ALLOWED)
    passcodes.write_text(f"ct1:{hashed(b'new')}\ndoor:\n")
    assert not known.accepts(right, ALLOWED)
    assert known.accepts(right._replace(secondary=b"new"), ALLOWED)
    passcodes.write_text("door:\n")
    assert not known.accepts(right._replace(secondary=b"new"), ALLOWED)


@pytest.mark.parametrize(
    "text",
    [
        "ct1",
        ":x",
        "ct1:open",
        "ct1:scrypt$1$2$3$x$y",
        pytest.param(f"a:\na:{hashed(b'x')}", id="no passcode, then one"),
        f"a:scrypt$9999999999$8$1$AA==${'A' * 43}=",
        f"a:scrypt$1000$8$1$AA==${'A' * 43}=",  # no power of two: scrypt itself would raise, in mid-association
        f"a:scrypt$65536$99$1$AA==${'A' * 43}=",
    ],
)
def test_a_line_that_is_none_is_told_without_what_is_in_it(passcodes: Path, text: str) -> None:
    passcodes.write_text(text)
    with pytest.raises(Misconfigured, match="line") as told:
        Passcodes(passcodes)
    assert "$" not in str(told.value)


def test_a_passcodes_file_that_others_may_read_is_a_misconfiguration(passcodes: Path) -> None:
    passcodes.chmod(0o604)
    with pytest.raises(Misconfigured, match="chmod"):
        Passcodes(passcodes)


def test_a_peer_whose_user_is_in_no_file_is_a_misconfiguration(passcodes: Path) -> None:
    with pytest.raises(Misconfigured, match="'mr1'"):
        open_passcodes(passcodes, [Peer("A", "::1", users=("ct1", "mr1"))])
    assert open_passcodes(passcodes, [Peer("A", "::1")]) is None


def test_the_command_adds_changes_and_removes_a_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "passcodes"

    def run(user: str, secret: str = "", *, none: bool = False, remove: bool = False) -> None:
        monkeypatch.setattr("sys.stdin", io.StringIO(f"{secret}\n"))
        assert passcode(Namespace(file=path, user=user, none=none, remove=remove)) == 0

    run("ct1", "first")
    run("ct2", "x")
    run("ct1", "second")
    run("door", none=True)
    run("ct2", remove=True)
    assert path.stat().st_mode & 0o777 == 0o600
    assert "second" not in path.read_text()
    known = Passcodes(path)
    assert known.names() == {"ct1", "door"}
    assert known.accepts(Identity(2, False, b"ct1", b"second"), ALLOWED)
    assert not known.accepts(Identity(2, False, b"ct1", b"first"), ALLOWED)
    with pytest.raises(Misconfigured):
        run("ct2", remove=True)
    with pytest.raises(Misconfigured):
        run("a b", "x")
    with pytest.raises(Misconfigured):
        run("ct1", "")


# -- limits


class Clock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def allowance(clock: Clock, **limits: int) -> Allowance:
    return Allowance(Peer("A", "::1", **limits), clock, clock.sleep)


def test_without_limits_nobody_waits() -> None:
    clock = Clock()
    free = allowance(clock)
    for _ in range(10_000):
        free.enter()
        free.begin()
        free.took(1 << 30)
    assert clock.now == 100.0


def test_one_association_too_many_is_too_many_until_one_ends() -> None:
    two = allowance(Clock(), max_associations=2)
    two.enter()
    two.enter()
    with pytest.raises(Exceeded) as told:
        two.enter()
    assert told.value.limit is Limit.ASSOCIATIONS
    two.leave()
    two.enter()


def test_a_minutes_worth_may_come_at_once_and_then_as_many_as_the_rate_says() -> None:
    clock = Clock()
    limited = allowance(clock, max_instances_per_minute=60)
    for _ in range(60):
        limited.begin()
    assert clock.now == 100.0
    for _ in range(30):
        limited.begin()
    assert clock.now == pytest.approx(130.0)


def test_who_would_have_to_wait_for_long_is_refused_and_may_come_back() -> None:
    clock = Clock()
    limited = allowance(clock, max_instances_per_minute=6)
    for _ in range(6):
        limited.begin()
    for refuse in (limited.begin, limited.enter):
        with pytest.raises(Exceeded) as told:
            refuse()
        assert told.value.limit is Limit.INSTANCES
    clock.sleep(10.0 - LONGEST_WAIT_S)
    limited.enter()
    limited.begin()
    assert clock.now == pytest.approx(110.0)


def test_bytes_beyond_the_rate_are_owed_before_the_next_instance() -> None:
    clock = Clock()
    limited = allowance(clock, max_bytes_per_minute=6_000)
    limited.begin()
    limited.took(6_100)
    limited.begin()
    assert clock.now == pytest.approx(101.0)
    limited.took(100_000)
    with pytest.raises(Exceeded) as told:
        limited.begin()
    assert told.value.limit is Limit.BYTES


@given(st.lists(st.integers(0, 5), max_size=60))
def test_no_more_than_the_rate_and_a_minutes_worth_ever_begins(pauses: list[int]) -> None:
    clock = Clock()
    limited = allowance(clock, max_instances_per_minute=12)
    began = 0
    for pause in pauses:
        clock.sleep(float(pause))
        try:
            limited.begin()
        except Exceeded:
            continue
        began += 1
        assert began <= 12 + (clock.now - 100.0) * 12 / 60 + 1e-6


def test_every_key_of_a_peer_is_in_the_commented_example() -> None:
    text = (Path(__file__).parents[2] / "config" / "node.toml").read_text("utf-8")
    for kind in (Peer, type(load_settings(None).receive)):
        for each in fields(kind):
            assert each.name in text
