"""Layers of long kernels by FFT: blocks of each channel are transformed once, those of each output back once.

The sum over the channels is taken between, by `fastconv._bank`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastconv import _bank, _cost
from fastconv._problem import Array, Kept
from fastconv.nn._geometry import Geometry

LONG = 32  # taps
MOST_BYTES = 1 << 28  # of transformed kernels


def can(geometry: Geometry, dtype: np.dtype[Any]) -> bool:
    """Layers of one step, whose kernels' transforms are not too large."""
    steps = (*geometry.stride, *geometry.dilation)
    if dtype.char not in "fdFD" or max(steps) > 1 or math.prod(geometry.m) < LONG:
        return False
    sizes = _cost.tile_sizes(dtype, geometry.n_out, geometry.m).sizes
    pairs = geometry.outputs * geometry.channels // geometry.groups
    return pairs * math.prod(sizes) * 2 * dtype.itemsize <= MOST_BYTES


def run(g: Geometry, x: Array, w: Array, bias: Array | None, y: Array, workers: int, kept: Kept) -> bool:
    """Returns whether y is right: values that are not finite would spread over a block."""
    spoiled = False
    inputs, outputs = g.channels // g.groups, g.outputs // g.groups
    for group in range(g.groups):
        of, to = slice(group * inputs, (group + 1) * inputs), slice(group * outputs, (group + 1) * outputs)
        spectra = kept.setdefault(("fourier", group), {})
        spoiled |= _bank.correlate(x[:, of], w[to], y[:, to], g.lo, g.boundary, 0, workers, kept=spectra)
    if bias is not None:
        y += bias.reshape(-1, *(1,) * len(g.n))
    return not spoiled
