"""Products of vectors, whose every step is rounded alike on every machine.

What numpy hands on to BLAS is added up in another order, or with other roundings, by another processor: a mask that is
cut from it would be another, and equal instances would no longer give equal bytes on every node.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Vector: TypeAlias = "NDArray[np.float64]"


def dot(one: ArrayLike, other: ArrayLike) -> Vector:
    """Return the products of vectors, (..., 3), of which there may be one on either side."""
    a, b = np.asarray(one, np.float64), np.asarray(other, np.float64)
    return np.asarray(a[..., 0] * b[..., 0] + a[..., 1] * b[..., 1] + a[..., 2] * b[..., 2], np.float64)


def length(vector: Vector) -> Vector:
    """Return how long vectors, (..., 3), are."""
    return np.asarray(np.sqrt(dot(vector, vector)), np.float64)


def unit(vector: Vector) -> Vector:
    """Return a vector's direction."""
    return np.asarray(vector / length(vector), np.float64)


def cross(one: Vector, other: Vector) -> Vector:
    """Return the vector across two."""
    (a, b, c), (d, e, f) = one, other
    return np.array([b * f - c * e, c * d - a * f, a * e - b * d])


def mixed(shares: ArrayLike, rows: Vector) -> Vector:
    """Return sums of three vectors.

    Parameters
    ----------
    shares
        (..., 3), how much of each
    rows
        (3, 3), the vectors
    """
    part = np.asarray(shares, np.float64)[..., None]
    return np.asarray(part[..., 0, :] * rows[0] + part[..., 1, :] * rows[1] + part[..., 2, :] * rows[2], np.float64)


def solved(matrix: list[list[float]], right: list[float]) -> Vector:
    """Return what solves linear equations, by elimination.

    Parameters
    ----------
    matrix
        n by n
    right
        n

    Raises
    ------
    ZeroDivisionError
        Nothing does, or more than one thing.
    """
    rows = [[*each, last] for each, last in zip(matrix, right, strict=True)]
    count = len(rows)
    for at in range(count):
        best = max(range(at, count), key=lambda row: abs(rows[row][at]))
        rows[at], rows[best] = rows[best], rows[at]
        for row in range(count):
            if row != at:
                share = rows[row][at] / rows[at][at]
                rows[row] = [a - share * b for a, b in zip(rows[row], rows[at], strict=True)]
    return np.array([rows[at][count] / rows[at][at] for at in range(count)])
