"""What a volume looks like from outside."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from deid.deface.render import Surface, View, places, render, surface
from deid.deface.volume import Stack

RADIUS_MM = 30.0
AIR, FLESH = -1000.0, 40.0


def stack(
    along_mm: NDArray[np.float64], tilt_degrees: float = 0.0, *, side: int = 60, step_mm: float = 1.5, knob: bool = True
) -> Stack:
    """Return a ball about the origin with a knob before it, in slices that lean but move along z."""
    tilt = np.radians(tilt_degrees)
    row, column = np.array([1.0, 0, 0]), np.array([0, np.cos(tilt), np.sin(tilt)])
    normal = np.cross(row, column)
    corner = -(side - 1) / 2 * step_mm * (row + column)
    origins = corner + np.outer(along_mm, [0.0, 0.0, 1.0])
    down, right = np.arange(side)[:, None, None] * step_mm * column, np.arange(side)[None, :, None] * step_mm * row
    points = origins[:, None, None] + (down + right)[None]
    depth = np.linalg.norm(points, axis=-1) - RADIUS_MM
    if knob:
        depth = np.minimum(depth, np.linalg.norm(points - [0, -RADIUS_MM, 0], axis=-1) - 8)
    values = np.clip(AIR / 2 - depth * 600, AIR, FLESH).astype(np.float32)
    return Stack(normal, origins @ normal, origins, row * step_mm, column * step_mm, values)


EVEN = np.arange(-42, 43, 2.0)
UNEVEN = np.concatenate([np.arange(-42, 0, 2.0), np.arange(0, 43, 3.0)])


def radii(seen: Surface) -> NDArray[np.float64]:
    points = seen.points_mm[np.isfinite(seen.depth_mm)].astype(np.float64)
    return np.asarray(np.linalg.norm(points, axis=1))


@pytest.mark.parametrize("view", list(View))
@pytest.mark.parametrize(("along_mm", "tilt"), [(EVEN, 0.0), (UNEVEN, 0.0), (EVEN, 20.0), (UNEVEN, -15.0)])
def test_surface_is_where_the_body_ends_in_any_stack(view: View, along_mm: NDArray[np.float64], tilt: float) -> None:
    seen = surface(stack(along_mm, tilt, knob=False), -500, view, 90)
    found = radii(seen)
    assert len(found) > 1200
    assert np.abs(found - RADIUS_MM).max() < 2.0
    assert np.abs(found - RADIUS_MM).mean() < 0.4


def test_knob_is_before_the_front_and_on_the_left_of_the_profile() -> None:
    ball = stack(EVEN)
    front, profile = (surface(ball, -500, view, 90) for view in (View.FRONT, View.PROFILE))
    depth = front.depth_mm
    row, column = np.unravel_index(np.nanargmin(depth), depth.shape)
    assert abs(row - depth.shape[0] / 2) < 4
    assert abs(column - depth.shape[1] / 2) < 4
    columns = np.flatnonzero(np.isfinite(profile.depth_mm).any(axis=0))
    middle = profile.depth_mm.shape[1] / 2
    assert middle - columns[0] > columns[-1] - middle + 5  # faces look to the left
    other = surface(ball, -500, View.OTHER_PROFILE, 90)
    columns = np.flatnonzero(np.isfinite(other.depth_mm).any(axis=0))
    assert columns[-1] - middle > middle - columns[0] + 5


def test_head_is_on_top() -> None:
    half = stack(np.arange(-42, 1, 2.0), knob=False)  # what is there lies towards the feet
    z = surface(half, -500, View.FRONT, 90).points_mm[..., 2]
    rows = [np.nanmean(row) for row in z if np.isfinite(row).any()]
    assert rows == sorted(rows, reverse=True)


def test_light_falls_from_where_the_viewer_is() -> None:
    picture = render(stack(EVEN, knob=False), -500, View.FRONT, 90)
    assert picture.dtype == np.uint8
    assert max(picture.shape) == 90
    assert picture[picture.shape[0] // 2, picture.shape[1] // 2] > 200
    assert picture[0, 0] == 0
    middle = picture[picture.shape[0] // 2].astype(int)
    seen = np.flatnonzero(middle)
    assert middle[seen[0]] < middle[middle.size // 2]
    assert middle[seen[-1]] < middle[middle.size // 2]


def test_single_voxel_is_no_surface() -> None:
    ball = stack(EVEN, knob=False)
    values = ball.values.copy()
    values[len(EVEN) // 2, 3, 30] = FLESH
    speckled = Stack(ball.normal, ball.positions_mm, ball.origins, ball.along_row, ball.along_column, values)
    assert radii(surface(speckled, -300, View.FRONT, 90)).max() < RADIUS_MM + 2


def test_nothing_is_black() -> None:
    assert not render(stack(EVEN), 5000, View.FRONT, 40).any()


def test_padding_that_is_no_number_is_nothing() -> None:
    ball = stack(EVEN, knob=False)
    values = ball.values.copy()
    values[:, :5] = np.nan
    padded = Stack(ball.normal, ball.positions_mm, ball.origins, ball.along_row, ball.along_column, values)
    assert radii(surface(padded, -500, View.FRONT, 90)).max() < RADIUS_MM + 2


@pytest.mark.parametrize(("along_mm", "tilt"), [(EVEN, 0.0), (UNEVEN, 12.0)])
def test_places_of_voxels_are_their_numbers(along_mm: NDArray[np.float64], tilt: float) -> None:
    ball = stack(along_mm, tilt)
    numbers = np.array([[0, 0, 0], [3, 10, 50], [len(along_mm) - 1, 59, 59]])
    points = np.array([ball.origins[s] + r * ball.along_column + c * ball.along_row for s, r, c in numbers])
    assert np.allclose(places(ball, points), numbers, atol=1e-6)
