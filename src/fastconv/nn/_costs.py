"""Estimates of what engines take, in seconds on one thread.

The constants were fitted to runs with AVX-512 in float32. A processor with narrower vectors takes longer by
about the same factor for all engines: ratios are what the choice needs.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastconv import _cost
from fastconv.nn._geometry import Geometry

CALL = 20e-6
PRODUCT = 1 / 75e9  # of matrices in the cache
ROWS = 8  # of the matrix of weights, in a tile
WINDOW = 0.02e-9  # an element of the matrix of windows, most of which is not made
GATHER = 0.04e-9  # where it is
WRITE = 0.15e-9  # an output
PRODUCT_6 = 1 / 110e9  # of tiles of bfloat16, all six; 150e9 on a core of its own
STEP = 32  # channels of a tile, or pixels of a gradient's
ROWS_6 = 256  # outputs, or channels times taps, of a gradient's unit
SPLIT = 0.45e-9  # an element of the input into its parts
SPLIT_ROWS = 1e-9  # of an output's gradient
PACK_6 = 0.7e-9  # a weight into its parts
WEIGHT_BYTE = 1 / 20e9  # of weights, which do not stay in the cache
WEIGHT = 0.1e-9  # the same, read ahead
TURN = 0.12e-9  # a weight to be packed
TRANSFORM = 0.28e-9  # a point of a channel's tile
POINT_BYTE = 1 / 40e9  # of transformed weights
LANES = 16
DOT = 1 / 30e9  # a product of taps and a window, both in the cache
LOAD = 1 / 25e9  # an element of a window
OUTPUTS = 4  # that share it
ADD_LANES = 3e-9  # the sum of one output's lanes
MIX = 2.2e-9  # a point of the product of two blocks' transforms
MIX_MANY = 7e-9  # where those of the kernels do not stay in the cache
FEW_PAIRS = 1024  # of channels and outputs, for which they do
SPECTRUM = 3.5e-9  # a point of a kernel's transform
PACK = 0.6e-9  # a weight
PACK_KERNEL = 4e-9  # a kernel of 3 x 3 taps
PACK_POINT = 0.09e-9  # of its transform
BAND = 0.1e-9  # an element of a plane that is read or written
PLANE = 15e-9
APART = 1 / 50e9  # a product of planes
HEIGHTS = 3, 5, 7  # of kernels, for which the rows that share what is read are unrolled
APART_ANY = 1 / 13e9  # for other heights


def gemm(geometry: Geometry, dtype: np.dtype[Any], prepared: bool) -> float:
    pixels = geometry.batch * math.prod(geometry.n_out)
    rows = -(-geometry.outputs // geometry.groups // ROWS) * ROWS * geometry.groups
    weights = math.prod(geometry.w_shape)
    seconds = pixels * rows * geometry.terms * PRODUCT + pixels * geometry.outputs * WRITE
    seconds += pixels * geometry.terms * geometry.groups * WINDOW + weights * WEIGHT
    if not prepared:
        seconds += weights * TURN
    return CALL + seconds * _width(dtype)


def bf16x6(geometry: Geometry, dtype: np.dtype[Any], prepared: bool) -> float:
    """Whole tiles of 16 pixels, which go on from row to row, of channels and of outputs."""
    channels, outputs = geometry.channels // geometry.groups, geometry.outputs // geometry.groups
    gap = (geometry.m[-1] - 1) * geometry.dilation[-1] / geometry.stride[-1]
    rows = geometry.batch * math.prod(geometry.n_out[:-1])
    pixels = rows * min(geometry.n_out[-1] + gap, -(-geometry.n_out[-1] // LANES) * LANES)
    terms = -(-channels // STEP) * STEP * math.prod(geometry.m)
    weights = geometry.groups * outputs * terms
    seconds = pixels * -(-outputs // LANES) * LANES * geometry.groups * terms * PRODUCT_6
    seconds += geometry.batch * geometry.channels * math.prod(geometry.n) * SPLIT
    seconds += pixels * geometry.outputs * WRITE + weights * 6 * WEIGHT_BYTE
    if not prepared:
        seconds += weights * PACK_6
    return CALL + seconds


def bf16x6_weight(geometry: Geometry, dtype: np.dtype[Any], prepared: bool) -> float:
    """Of the gradient of a weight: whole tiles of 32 pixels side by side, which go on from row to row."""
    channels, outputs = geometry.channels // geometry.groups, geometry.outputs // geometry.groups
    taps = math.prod(geometry.m)
    gap = (geometry.m[-1] - 1) * geometry.dilation[-1] / geometry.stride[-1]
    rows = geometry.batch * math.prod(geometry.n_out[:-1])
    pixels = rows * min(geometry.n_out[-1] + gap, -(-geometry.n_out[-1] // STEP) * STEP)
    whole = -(-channels // LANES) * -(-outputs // LANES) * LANES**2 * geometry.groups
    seconds = pixels * whole * taps * PRODUCT_6
    seconds += geometry.batch * geometry.channels * math.prod(geometry.n) * -(-outputs // ROWS_6) * 2 * SPLIT
    seconds += pixels * geometry.outputs * -(-channels * taps // ROWS_6) * SPLIT_ROWS
    return CALL + seconds + math.prod(geometry.w_shape) * PACK


def gemm_weight(geometry: Geometry, dtype: np.dtype[Any], prepared: bool) -> float:
    """The gradient of the weight: lanes of outputs; each group turns its own."""
    pixels = geometry.batch * math.prod(geometry.n_out)
    outputs = -(-geometry.outputs // geometry.groups // LANES) * LANES * geometry.groups
    seconds = pixels * outputs * geometry.terms * PRODUCT + pixels * (outputs + geometry.channels) * GATHER
    return CALL + seconds * _width(dtype)


def winograd(m: int, geometry: Geometry, dtype: np.dtype[Any], prepared: bool) -> float:
    """F(m x m, 3 x 3): (m + 2)^2 products of matrices, a column for each tile of m x m outputs; by groups."""
    points = (m + 2) ** 2
    tiles = geometry.batch * math.prod(-(-size // m) for size in geometry.n_out)
    channels = geometry.channels // geometry.groups
    outputs = -(-geometry.outputs // geometry.groups // LANES) * LANES
    pairs = channels * outputs
    seconds = points * tiles * pairs * PRODUCT
    seconds += points * tiles * (channels + 0.75 * outputs) * TRANSFORM
    seconds += points * pairs * 4 * POINT_BYTE
    if not prepared:
        seconds += pairs * (PACK_KERNEL + points * PACK_POINT)
    return geometry.groups * (CALL / 2 + seconds * _width(dtype))


def depthwise(geometry: Geometry, dtype: np.dtype[Any], prepared: bool) -> float:
    planes = geometry.batch * geometry.outputs
    elements = planes * (math.prod(geometry.n) + math.prod(geometry.n_out))
    unrolled = len(geometry.m) > 1 and geometry.m[-2] in HEIGHTS
    seconds = geometry.products * (APART if unrolled else APART_ANY) + elements * BAND
    return CALL / 4 + planes * PLANE + seconds * _width(dtype)


def depthwise_weight(geometry: Geometry, dtype: np.dtype[Any], prepared: bool) -> float:
    """Each gradient of an output meets whole vectors of taps."""
    taps = math.prod(geometry.m[:-1]) * -(-geometry.m[-1] // LANES) * LANES
    planes = geometry.batch * geometry.outputs
    seconds = planes * math.prod(geometry.n_out) * taps * APART
    return CALL + planes * PLANE + seconds * _width(dtype)


def dots(geometry: Geometry, dtype: np.dtype[Any], prepared: bool) -> float:
    """Whole vectors of taps; groups of outputs share what they read of the input."""
    taps = -(-geometry.m[0] // LANES) * LANES
    sums = geometry.batch * geometry.n_out[0] * geometry.outputs
    products = sums * geometry.channels // geometry.groups * taps
    share = 1 / min(OUTPUTS, geometry.outputs // geometry.groups)
    return CALL / 4 + products * (DOT + LOAD * share) * _width(dtype) + sums * ADD_LANES


def fourier(geometry: Geometry, dtype: np.dtype[Any], prepared: bool) -> float:
    """Blocks: a transform for each input and each output, and for each pair the products of a block."""
    blocks = _cost.tile_sizes(dtype, geometry.n_out, geometry.m)
    count = geometry.batch * _cost.n_blocks(dtype, blocks.sizes, geometry.n_out, geometry.m)
    pairs = geometry.channels // geometry.groups * geometry.outputs
    seconds = count * _cost.block_seconds(dtype, blocks.sizes) * (geometry.channels + geometry.outputs) / 2
    points = pairs * math.prod(blocks.sizes) * _width(dtype)
    seconds += count * points * (MIX if pairs // geometry.groups <= FEW_PAIRS else MIX_MANY)
    if not prepared:
        seconds += points * SPECTRUM
    return CALL + seconds


def _width(dtype: np.dtype[Any]) -> float:
    """Vectors that as many elements take, compared with float32."""
    return max(1.0, dtype.itemsize / 4)
