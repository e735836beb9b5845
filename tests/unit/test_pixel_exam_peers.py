"""Peers are compared on what they can read as well as on all there is."""

from __future__ import annotations

from dataclasses import replace

from tests.benchmarks.pixel_exam.peers import Peer, comparison
from tests.unit.test_pixel_exam import marked_lines


def test_images_that_a_peer_fails_on_count_as_missed_but_in_one_row() -> None:
    done, failed = marked_lines([1.0]), replace(marked_lines([0.0]), refused="TypeError")
    rows = list(comparison([done, done], [Peer("peer", [done, failed])]))
    of_all = next(row for row in rows if row.startswith("lines masked %"))
    of_read = next(row for row in rows if row.startswith("of images that it doesn't fail on"))
    assert of_all.split()[3:] == ["100.00", "of", "2", "50.00", "of", "2"]
    assert of_read.split()[9:] == ["100.00", "of", "2", "100.00", "of", "1"]
