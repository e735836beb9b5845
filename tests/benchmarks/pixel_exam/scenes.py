"""Synthetic backgrounds: what images of each modality look like from afar, all from a seed, none with text in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Grid = NDArray[np.floating[Any]]
Chance = np.random.Generator


@dataclass(frozen=True, slots=True)
class Scene:
    """A background as it is stored.

    Attributes
    ----------
    frames
        (frames, rows, columns) or (frames, rows, columns, 3) stored values; colours are RGB, whatever they become
    bits
        Bits Stored
    low, high
        the stored values that the window shows black and white, or white and black
    palette
        (256, 3), 8 bits each, of ``PALETTE COLOR``
    is_real
        somebody's or some phantom's image, not a made one
    """

    name: str
    modality: str
    sop_class: str
    frames: NDArray[Any]
    bits: int
    low: float
    high: float
    photometric: str = "MONOCHROME2"
    slope: float = 1.0
    intercept: float = 0.0
    palette: NDArray[np.uint8] | None = None
    is_real: bool = False

    @property
    def is_coloured(self) -> bool:
        return self.frames.ndim == 4

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.frames.shape[1], self.frames.shape[2]


def _grid(rows: int, columns: int) -> tuple[Grid, Grid]:
    y, x = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j]
    return y, x


def smooth(chance: Chance, rows: int, columns: int, cells: int) -> Grid:
    """Return a random surface from 0 to 1 with about `cells` hills across."""
    coarse = chance.random((cells + 2, cells + 2))
    at_y, at_x = np.linspace(0, cells, rows), np.linspace(0, cells, columns)
    y, x = at_y.astype(int), at_x.astype(int)
    fy, fx = (at_y - y)[:, None], (at_x - x)[None, :]
    fy, fx = fy * fy * (3 - 2 * fy), fx * fx * (3 - 2 * fx)
    top = coarse[np.ix_(y, x)] * (1 - fx) + coarse[np.ix_(y, x + 1)] * fx
    bottom = coarse[np.ix_(y + 1, x)] * (1 - fx) + coarse[np.ix_(y + 1, x + 1)] * fx
    surface = top * (1 - fy) + bottom * fy
    return (surface - surface.min()) / max(float(np.ptp(surface)), 1e-9)


def _ellipse(y: Grid, x: Grid, centre: tuple[float, float], radii: tuple[float, float]) -> NDArray[np.bool_]:
    return ((y - centre[0]) / radii[0]) ** 2 + ((x - centre[1]) / radii[1]) ** 2 < 1


def _stored(values: Grid, bits: int) -> NDArray[Any]:
    dtype = np.uint8 if bits <= 8 else np.uint16
    return np.clip(np.rint(values), 0, (1 << bits) - 1).astype(dtype)


def ct(chance: Chance) -> Scene:
    """A trunk: fat, organs, spine, ribs, air around, noise; 12 bits, -1024 added."""
    size = int(chance.choice([512, 512, 512, 768]))
    y, x = _grid(size, size)
    hu = np.full((size, size), -1000.0)
    wide, high = chance.uniform(0.7, 0.9), chance.uniform(0.5, 0.7)
    hu[_ellipse(y, x, (0, 0), (high, wide))] = -90
    inner = _ellipse(y, x, (0, 0), (high - 0.08, wide - 0.08))
    hu[inner] = 40 + 30 * smooth(chance, size, size, 9)[inner]
    for side in (-1, 1):
        if chance.random() < 0.6:
            hu[_ellipse(y, x, (-0.05, 0.38 * side), (0.3, 0.22))] = -850
    hu[_ellipse(y, x, (high - 0.22, 0), (0.1, 0.1))] = 700
    for angle in np.linspace(0, 2 * np.pi, int(chance.integers(6, 14))):
        at = (np.sin(angle) * (high - 0.06), np.cos(angle) * (wide - 0.06))
        hu[_ellipse(y, x, at, (0.025, 0.05))] = 500
    hu += chance.normal(0, chance.uniform(6, 25), hu.shape)
    return Scene(
        "ct phantom", "CT", "1.2.840.10008.5.1.4.1.1.2", _stored(hu + 1024, 12)[None], 12, 864, 1264, intercept=-1024
    )


def scout(chance: Chance) -> Scene:
    """A localizer: projected trunk."""
    rows, columns = int(chance.choice([512, 888])), int(chance.choice([512, 733, 888]))
    y, x = _grid(rows, columns)
    body = np.clip(1 - (x / chance.uniform(0.5, 0.8)) ** 2, 0, 1) ** 0.5 * np.clip(1.15 - np.abs(y), 0, 1)
    spine = 0.4 * (np.abs(x) < 0.06) * (0.7 + 0.3 * np.sin(y * 60))
    values = (
        60
        + 900 * (body + spine * body)
        + 120 * smooth(chance, rows, columns, 14) * body
        + chance.normal(0, 12, body.shape)
    )
    return Scene("scout", "CT", "1.2.840.10008.5.1.4.1.1.2", _stored(values, 12)[None], 12, 0, 1400)


def mr(chance: Chance) -> Scene:
    """A head in Rician noise."""
    size = int(chance.choice([256, 320, 512, 512]))
    y, x = _grid(size, size)
    head = _ellipse(y, x, (0, 0), (0.8, 0.64))
    brain = _ellipse(y, x, (0, 0), (0.68, 0.53))
    signal = 240.0 * head + (320 * smooth(chance, size, size, 16) + 160) * brain
    signal[_ellipse(y, x, (-0.05, 0.09), (0.22, 0.07)) | _ellipse(y, x, (-0.05, -0.09), (0.22, 0.07))] = 90
    noise = chance.normal(0, 14, (2, size, size))
    values = np.hypot(signal + noise[0], noise[1])
    return Scene("mr phantom", "MR", "1.2.840.10008.5.1.4.1.1.4", _stored(values, 12)[None], 12, 0, 760)


def _sector(chance: Chance, rows: int, columns: int, frames: int) -> NDArray[np.uint8]:
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
    top, middle, reach = rows * 0.08, columns / 2, rows * 0.85
    radius, angle = np.hypot(y - top, x - middle), np.arctan2(x - middle, y - top)
    sector = (radius < reach) & (radius > rows * 0.05) & (np.abs(angle) < chance.uniform(0.5, 0.8))
    tissue = smooth(chance, rows, columns, 8)
    out = []
    for _ in range(frames):
        speckle = chance.rayleigh(0.5, (rows, columns))
        out.append(
            np.where(sector, np.clip(150 * tissue * speckle * (1.2 - radius / reach), 0, 235), 0).astype(np.uint8)
        )
    return np.stack(out)


def _scale(frames: NDArray[np.uint8]) -> None:
    """Draw what isn't text beside a sector: a depth scale's ticks and a grey bar."""
    rows, columns = frames.shape[1:3]
    for number, y in enumerate(range(rows // 10, rows * 9 // 10, max(8, rows // 16))):
        length = 10 if number % 5 == 0 else 5
        frames[:, y : y + 1, columns - 26 : columns - 26 + length] = 200
    bar = np.linspace(230, 10, rows // 3).astype(np.uint8)
    frames[:, rows // 10 : rows // 10 + len(bar), 12:24] = bar[:, None, None] if frames.ndim == 4 else bar[:, None]


def us(chance: Chance) -> Scene:
    """A grey sector, one frame or a few."""
    rows, columns = ((480, 640), (600, 800), (768, 1024))[int(chance.integers(3))]
    frames = _sector(chance, rows, columns, int(chance.choice([1, 1, 3, 6])))
    _scale(frames)
    sop_class = "1.2.840.10008.5.1.4.1.1.6.1" if len(frames) == 1 else "1.2.840.10008.5.1.4.1.1.3.1"
    return Scene("us sector", "US", sop_class, frames, 8, 0, 255)


def us_colour(chance: Chance) -> Scene:
    """A sector with a Doppler box in colour."""
    grey = us(chance)
    frames = np.repeat(grey.frames[..., None], 3, axis=3)
    rows, columns = grey.shape
    box = np.s_[:, rows // 3 : rows // 2, columns * 2 // 5 : columns * 3 // 5]
    flow = smooth(chance, rows, columns, 12)[box[1:]]
    frames[(*box, 0)] = np.where(flow > 0.6, 220, frames[(*box, 0)])
    frames[(*box, 2)] = np.where(flow < 0.4, 220, frames[(*box, 2)])
    return replace(grey, name="us doppler", frames=frames, photometric="RGB")


def us_palette(chance: Chance) -> Scene:
    """A sector through a palette of brownish greys."""
    grey = us(chance)
    levels = np.arange(256)
    palette = np.stack([levels, levels * 0.92, levels * 0.8], axis=1).astype(np.uint8)
    return replace(grey, name="us palette", photometric="PALETTE COLOR", palette=palette)


def _breast(chance: Chance, rows: int, columns: int) -> Grid:
    y, x = _grid(rows, columns)
    edge = chance.uniform(0.5, 1.2) * np.sqrt(np.clip(1 - (y / 0.9) ** 2, 0, 1))
    inside = np.clip((edge - (x + 1)) * 8, 0, 1)
    glands = smooth(chance, rows, columns, 20) * 0.5 + smooth(chance, rows, columns, 60) * 0.3
    return inside * (0.35 + glands) + chance.normal(0, 0.012, inside.shape)


def mg(chance: Chance) -> Scene:
    """A breast at the left border, as a mammogram for presentation."""
    rows, columns = ((1024, 832), (1280, 1024), (2294, 1914))[int(chance.choice(3, p=[0.5, 0.4, 0.1]))]
    values = _stored(_breast(chance, rows, columns) * 3600, 12)
    if chance.random() < 0.4:
        return Scene("mammogram", "MG", "1.2.840.10008.5.1.4.1.1.1.2", 4095 - values[None], 12, 0, 4095, "MONOCHROME1")
    return Scene("mammogram", "MG", "1.2.840.10008.5.1.4.1.1.1.2", values[None], 12, 0, 4095)


def dbt(chance: Chance) -> Scene:
    """A few slices of a tomosynthesis."""
    first = _breast(chance, 960, 768)
    slices = [first + chance.normal(0, 0.03, first.shape) for _ in range(3)]
    return Scene(
        "tomosynthesis", "MG", "1.2.840.10008.5.1.4.1.1.13.1.3", _stored(np.stack(slices) * 900, 10), 10, 0, 1023
    )


def chest(chance: Chance) -> Scene:
    """A chest radiograph; MONOCHROME1 as often as not."""
    size = int(chance.choice([1024, 1024, 1536]))
    y, x = _grid(size, size)
    values = 0.75 - 0.25 * np.abs(x) + 0.1 * smooth(chance, size, size, 6)
    for side in (-1, 1):
        values[_ellipse(y, x, (-0.05, 0.4 * side), (0.6, 0.28))] -= 0.4
    values += 0.05 * np.sin(y * 40 + np.abs(x) * 12) * (np.abs(x) < 0.75) + 0.18 * (np.abs(x) < 0.07)
    values += chance.normal(0, 0.01, values.shape)
    values[:, : size // 40] = 0.02
    bits = int(chance.choice([10, 12, 14]))
    top = (1 << bits) - 1
    stored = _stored(values * top * 0.9, bits)
    inverse = chance.random() < 0.5
    modality = str(chance.choice(["CR", "DX"]))
    sop_class = "1.2.840.10008.5.1.4.1.1.1" if modality == "CR" else "1.2.840.10008.5.1.4.1.1.1.1"
    frames = (top - stored if inverse else stored)[None]
    return Scene("chest", modality, sop_class, frames, bits, 0, top, "MONOCHROME1" if inverse else "MONOCHROME2")


def xa(chance: Chance) -> Scene:
    """An angiography run: vessels that fill."""
    size, frames = 512, int(chance.choice([1, 4, 8]))
    base = 0.6 + 0.15 * smooth(chance, size, size, 5)
    tree = smooth(chance, size, size, 12)
    vessel = np.abs(tree - 0.5) < 0.02
    out = [
        base - 0.35 * vessel * (number + 1) / frames + chance.normal(0, 0.02, base.shape) for number in range(frames)
    ]
    y, x = _grid(size, size)
    shutter = _ellipse(y, x, (0, 0), (0.97, 0.97))
    values = np.stack([np.where(shutter, each, 0) for each in out])
    sop_class = str(chance.choice(["1.2.840.10008.5.1.4.1.1.12.1", "1.2.840.10008.5.1.4.1.1.12.2"]))
    modality = "XA" if sop_class.endswith("12.1") else "RF"
    return Scene("angiography", modality, sop_class, _stored(values * 255, 8), 8, 0, 255)


def nm(chance: Chance) -> Scene:
    """Counts of a gamma camera, enlarged as it sends them."""
    size, frames = 256, int(chance.choice([1, 2]))
    y, x = _grid(size, size)
    activity = (
        3.0
        + 60 * np.exp(-((x / 0.25) ** 2) - (y / 0.8) ** 2)
        + 120 * np.exp(-(((x - 0.2) / 0.08) ** 2) - ((y + 0.3) / 0.08) ** 2)
    )
    values = np.stack([chance.poisson(activity).astype(float) for _ in range(frames)])
    return Scene("gamma camera", "NM", "1.2.840.10008.5.1.4.1.1.20", _stored(values, 16), 16, 0, float(values.max()))


def pt(chance: Chance) -> Scene:
    """Signed activities."""
    size = int(chance.choice([256, 400]))
    y, x = _grid(size, size)
    activity = 2000 * _ellipse(y, x, (0, 0), (0.5, 0.7)) * smooth(chance, size, size, 10) - 20
    activity += 12000 * np.exp(-(((x - 0.2) / 0.05) ** 2) - ((y - 0.1) / 0.05) ** 2) + chance.normal(
        0, 60, activity.shape
    )
    frames = np.clip(activity, -32768, 32767).astype(np.int16)[None]
    return Scene("pet", "PT", "1.2.840.10008.5.1.4.1.1.128", frames, 16, 0, 6000, slope=0.37)


def screenshot(chance: Chance) -> Scene:
    """A secondary capture of a viewer: panels, lines, curves, no letters."""
    rows, columns = ((512, 512), (600, 800), (768, 1024))[int(chance.integers(3))]
    frame = np.empty((rows, columns, 3), np.uint8)
    frame[:] = chance.integers(0, 60, 3)
    for _ in range(int(chance.integers(2, 5))):
        y, x = int(chance.integers(0, rows // 2)), int(chance.integers(0, columns // 2))
        panel = frame[y : y + rows // 3, x : x + columns // 3]
        shade = smooth(chance, *panel.shape[:2], 6)[..., None] * chance.integers(60, 255, 3)
        panel[:] = shade.astype(np.uint8)
        frame[y, x : x + columns // 3] = frame[y : y + rows // 3, x] = 180
    at = np.arange(columns // 2)
    curve = (rows * 0.75 + rows * 0.08 * np.sin(at / chance.uniform(8, 40))).astype(int)
    frame[curve, at] = frame[curve + 1, at] = chance.integers(120, 255, 3)
    return Scene("screenshot", "OT", "1.2.840.10008.5.1.4.1.1.7", frame[None], 8, 0, 255, "RGB")


def endoscopy(chance: Chance) -> Scene:
    """A round view of pink tissue."""
    size = 512
    y, x = _grid(size, size)
    view = _ellipse(y, x, (0, 0), (0.9, 0.9)) * (1.1 - 0.5 * np.hypot(y, x))
    shade = (0.6 + 0.4 * smooth(chance, size, size, 9)) * view
    frame = np.clip(shade[..., None] * np.array([230, 130, 110]) + chance.normal(0, 4, (size, size, 3)), 0, 255)
    return Scene("endoscopy", "ES", "1.2.840.10008.5.1.4.1.1.77.1.1", frame.astype(np.uint8)[None], 8, 0, 255, "RGB")


def slide(chance: Chance) -> Scene:
    """Stained tissue on white."""
    rows, columns = 640, 768
    tissue = smooth(chance, rows, columns, 10) > 0.5
    cells = smooth(chance, rows, columns, 90)
    frame = np.full((rows, columns, 3), 243.0)
    frame[tissue] = np.array([225, 160, 200]) - 90 * cells[tissue][:, None] ** 3
    frame += chance.normal(0, 3, frame.shape)
    return Scene(
        "slide", "GM", "1.2.840.10008.5.1.4.1.1.77.1.2", np.clip(frame, 0, 255).astype(np.uint8)[None], 8, 0, 255, "RGB"
    )


def noise(chance: Chance) -> Scene:
    """Nothing but noise, or a gradient, 8 to 16 bits."""
    size, bits = 512, int(chance.choice([8, 12, 16]))
    top = (1 << bits) - 1
    kind = int(chance.integers(3))
    y, x = _grid(size, size)
    grain = 0.5 + chance.uniform(0.05, 0.5) * (chance.random((size, size)) - 0.5)
    values = (grain, 0.5 + 0.25 * (y + x), smooth(chance, size, size, 5))[kind]
    name = ("noise", "gradient", "hills")[kind]
    frames = _stored((values * 0.7 + 0.1) * top, bits)[None]
    return Scene(name, "OT", "1.2.840.10008.5.1.4.1.1.7", frames, bits, 0, top)


def dose(chance: Chance) -> Scene:
    """A dose grid of 32 bits, enlarged."""
    size = 256
    values = np.stack([smooth(chance, size, size, 4) for _ in range(2)]) * 2**30
    return Scene("dose", "RTDOSE", "1.2.840.10008.5.1.4.1.1.481.2", values.astype(np.uint32), 32, 0, 2.0**30)


def parametric(chance: Chance) -> Scene:
    """Floats."""
    size = 256
    values = smooth(chance, size, size, 8).astype(np.float32)[None] * 3 - 1
    return Scene("parametric map", "OT", "1.2.840.10008.5.1.4.1.1.30", values, 32, -1, 2)


def segmentation(chance: Chance) -> Scene:
    """Organs as bits."""
    size = 512
    frames = np.stack([(smooth(chance, size, size, 4) > 0.6).astype(np.uint8) for _ in range(2)])
    return Scene("segmentation", "SEG", "1.2.840.10008.5.1.4.1.1.66.4", frames, 1, 0, 1)


SCENES: tuple[Callable[[Chance], Scene], ...] = (
    *(ct, scout, mr, us, us_colour, us_palette, mg, dbt, chest, xa, nm, pt, screenshot, endoscopy, slide, noise),
    *(dose, parametric, segmentation),
)
