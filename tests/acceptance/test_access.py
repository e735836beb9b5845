"""A few callers of each kind, and visits, at a real node; `make access` and `make soak` take all of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.access.__main__ import callers, offered, offers, try_all
from tests.access.crowd import longest_wait_s
from tests.access.place import Pki, receiving
from tests.access.plan import ALLOWED_12, CERTIFICATES, NODES, TITLES, Case, Fate, fate, whole_matrix
from tests.access.tools import python
from tests.network import missing
from tests.soak import MOST_GROWTH_BYTES, SPARE_FILES, VISITS, soak

pytestmark = pytest.mark.timeout(300)


def few(cases: list[Case], count: int) -> list[Case]:
    """Take cases from all over a list."""
    return cases[:: max(1, len(cases) // count)]


def test_the_exam_wants_each_fate_and_names_every_dimension() -> None:
    cases = list(whole_matrix(NODES[0]))
    assert {fate(case, NODES[0]) for case in cases} == set(Fate)
    assert {case.title for case in cases} == set(TITLES)
    assert {case.certificate for case in cases} == set(CERTIFICATES)
    assert {case.suite for case in cases} >= set(ALLOWED_12["bcp195", "ec"])


def test_callers_get_in_as_configured_and_leave_nothing_if_not(tmp_path: Path) -> None:
    pki, node = Pki.made_in(tmp_path), NODES[0]
    with receiving(tmp_path / "node", pki, node) as place:
        cases = list(whole_matrix(node))
        wanted = [next(case for case in cases if fate(case, node) is each) for each in Fate]
        tally = try_all([*wanted, *few(cases, 60)], python, node, place, pki)
    assert tally.wrong == []
    assert tally.spooled_bytes == 0
    assert tally.expected[Fate.STORED] > 0
    assert tally.expected[Fate.REJECTED] > 0


@pytest.mark.skipif(bool(missing("openssl", "storescu")), reason="needs openssl and DCMTK")
def test_other_tools_get_in_as_configured_too(tmp_path: Path) -> None:
    from tests import factories

    pki, node = Pki.made_in(tmp_path), NODES[0]
    source = tmp_path / "ct.dcm"
    factories.ct().save_as(source)
    can = offers(pki)
    with receiving(tmp_path / "node", pki, node) as place:
        for name, tool, cases in callers(node, source, full=False):
            tally = try_all(few(list(offered(cases, can.get(name))), 8), tool, node, place, pki)
            assert tally.wrong == [], name
            assert tally.spooled_bytes == 0


def test_a_listed_peer_does_not_wait_behind_silent_tls_peers(tmp_path: Path) -> None:
    assert longest_wait_s("one silent TLS peer", tmp_path, calls=3) < 5.0  # `make access` wants 1 s, of an idle machine


def test_visits_of_all_kinds_leave_no_thread_and_no_file(tmp_path: Path) -> None:
    before, after, made = soak(tmp_path, 40, 1, tls=True, warm_up=40)
    assert made.total() == 40
    assert set(made) <= set(VISITS)  # none of them failed
    assert after.threads <= before.threads
    assert after.files <= before.files + SPARE_FILES
    assert after.resident_bytes - before.resident_bytes < 4 * MOST_GROWTH_BYTES
