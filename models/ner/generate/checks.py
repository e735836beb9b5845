"""Digits and their check digits."""

from random import Random

from models.ner.generate.chance import number
from models.ner.generate.lists import pick

Digits = list[int]


def digits(rng: Random, count: int) -> Digits:
    """
    Draw digits, the first of which is not 0.

    Returns
    -------
    list of int
        The digits.
    """
    return [number(rng, 1, 9)] + [number(rng, 0, 9) for _ in range(count - 1)]


def text(values: Digits) -> str:
    """
    Write digits.

    Returns
    -------
    str
        The digits without anything between.
    """
    return "".join(map(str, values))


def weighed(values: Digits, weights: Digits) -> int:
    """
    Sum digits by weights.

    Returns
    -------
    int
        The sum.
    """
    return sum(one * weight for one, weight in zip(values, weights, strict=False))


def luhn(values: Digits) -> int:
    """
    Work out the Luhn check digit.

    Returns
    -------
    int
        The digit to put behind.
    """
    total = 0
    for place, value in enumerate(reversed(values)):
        doubled = value * 2 if place % 2 == 0 else value
        total += doubled - 9 if doubled > 9 else doubled
    return -total % 10


def grouped(value: str, rng: Random, *sizes: int, marks: str = " ") -> str:
    """
    Write a number in groups, or now and then as it is.

    Returns
    -------
    str
        The number.
    """
    if rng.random() < 0.5:
        return value
    out, at = [], 0
    for size in sizes:
        out.append(value[at : at + size])
        at += size
    return pick(rng, marks).join([*out, value[at:]] if at < len(value) else out)


def born(rng: Random, shape: str) -> str:
    """
    Draw a birthday and write it.

    Returns
    -------
    str
        The shape with {y}, {yy}, {m} and {d} filled.
    """
    year = number(rng, 1920, 2024)
    return shape.format(y=year, yy=f"{year % 100:02d}", m=f"{number(rng, 1, 12):02d}", d=f"{number(rng, 1, 28):02d}")
