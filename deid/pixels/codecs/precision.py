"""Samples between the type of the Data Set and the number of bits of a codestream."""

from __future__ import annotations

from deid.pixels.format import Format
from deid.pixels.native import Samples


def needed_bits(values: Samples, form: Format) -> int:
    """Return the bits that a codestream of these values needs: Bits Stored, or all if a value lies beyond.

    Pixel Padding Value often does, and pixels whose unused bits hold something.
    """
    stored = form.bits_stored
    if not 0 < stored < form.bits_allocated:
        return form.bits_allocated
    signed_half = 1 << (stored - 1)
    least, most = (-signed_half, signed_half - 1) if values.dtype.kind == "i" else (0, 2 * signed_half - 1)
    return stored if least <= values.min() and values.max() <= most else form.bits_allocated


def stored_samples(values: Samples, bits: int, form: Format) -> Samples:
    """Return a codestream's samples of `bits` bits in the type of the Data Set.

    Unsigned samples of a signed Data Set are two's complements, and so are signed ones of an unsigned Data Set.
    """
    dtype = form.dtype
    if values.dtype.kind == "i" and dtype.kind == "i":
        return values.astype(dtype, copy=False)
    unsigned = values.astype(f"u{dtype.itemsize}", copy=False)
    if values.dtype.kind == "i":
        masked: Samples = unsigned & unsigned.dtype.type((1 << bits) - 1)
        return masked
    if dtype.kind == "u":
        return unsigned
    missing = 8 * dtype.itemsize - bits
    extended: Samples = (unsigned << unsigned.dtype.type(missing)).view(dtype) >> dtype.type(missing)
    return extended


def unsigned_samples(values: Samples, bits: int) -> Samples:
    """Return samples as codestreams without signs have them: `bits` bits in one or two bytes."""
    unsigned = values.view(f"u{values.dtype.itemsize}")
    if values.dtype.kind == "i":
        unsigned = unsigned & unsigned.dtype.type((1 << bits) - 1)
    return unsigned.astype("u1" if bits <= 8 else "u2", copy=False)
