"""What direct sums and transforms cost: the sizes of blocks, and estimates of time and working memory.

Times are those of one thread, so that what is chosen by them does not depend on the number of threads. The
constants are one set for each instruction set, measured by bench/calibrate.py. Which method does what,
_methods knows.

A block of a transform has `sizes` complex numbers by axis, the axis along memory last. A block of reals is
packed: along its first axis, m numbers stand for 2 m reals.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

MOST_BYTES = 4 << 20  # of a block of many: with its copy and the kernel's transform at most 16 MB
VOLUMES = 0.4  # rate of products of direct sums over three axes and more, to that of fewer
TAPS = 0.8  # the kernel's transform, to a block's
L1_BYTES = 32 << 10
L2_BYTES = 512 << 10
FAR_BYTES = 4 << 20  # of signal and result: more are not in the cache
NEW_BYTES = 32 << 20  # more than this is returned to the system and comes fresh from it

Dtype = np.dtype[Any]


class Blocks(NamedTuple):
    """Blocks of one size, and what the outputs that they were asked for take."""

    sizes: tuple[int, ...]  # complex numbers by axis
    seconds: float
    bytes: int  # working memory of a thread, the kernel's transform included
    once: float = 0.0  # seconds of the kernel's transform, if that is not in `seconds`


class Rates(NamedTuple):
    """The constants of an instruction set: seconds, if not said otherwise."""

    vector_bytes: int
    products: dict[str, float]  # of direct sums, a second, by the kind and size of the dtype
    outputs: dict[str, float]  # one of a direct sum, beside its products
    number: dict[str, tuple[float, ...]]  # of a block, by dtype; times _terms
    row: float  # one of a block of rows
    whole: float  # signal and kernel in one block: times the block alone
    far: float  # a byte of signal and result from beyond the cache, to a transform in blocks
    new: float  # a byte of fresh memory
    call: float  # before the first block


def _scaled(rates: Rates, vector_bytes: int, products: float, numbers: float) -> Rates:
    """The rates where products and blocks are so many times as fast."""
    return rates._replace(
        vector_bytes=vector_bytes,
        products={name: rate * products for name, rate in rates.products.items()},
        number={name: tuple(t / numbers for t in times) for name, times in rates.number.items()},
    )


_X86_V3 = Rates(
    vector_bytes=32,
    products={
        "f4": 48e9,
        "f8": 23e9,
        "f16": 0.7e9,
        "c8": 13e9,
        "c16": 6.4e9,
        "c32": 0.17e9,
        "i2": 79e9,
        "i4": 39e9,
        "i8": 6e9,
    },
    outputs={
        "f4": 0.4e-9,
        "f8": 0.6e-9,
        "f16": 3e-9,
        "c8": 2.4e-9,
        "c16": 1.8e-9,
        "c32": 6e-9,
        "i2": 0.3e-9,
        "i4": 0.4e-9,
        "i8": 0.6e-9,
    },
    number={
        "f": (1.5e-9, 0.085e-9, 0.115e-9, 0.33e-9),
        "d": (1.5e-9, 0.27e-9, 0.06e-9, 0.87e-9),
        "F": (1.7e-9, 0.11e-9, 0.035e-9, 0.43e-9),
        "D": (2.9e-9, 0.19e-9, 0.14e-9, 0.95e-9),
    },
    row=95e-9,
    whole=1.7,
    far=0.04e-9,
    new=0.1e-9,
    call=45e-6,
)
_X86_V2 = Rates(
    vector_bytes=16,
    products={
        "f4": 19e9,
        "f8": 9.4e9,
        "f16": 0.7e9,
        "c8": 4.2e9,
        "c16": 2.2e9,
        "c32": 0.17e9,
        "i2": 37e9,
        "i4": 19e9,
        "i8": 2.8e9,
    },
    outputs={
        "f4": 0.4e-9,
        "f8": 0.5e-9,
        "f16": 2e-9,
        "c8": 1e-9,
        "c16": 0.9e-9,
        "c32": 4e-9,
        "i2": 0.4e-9,
        "i4": 0.4e-9,
        "i8": 0.7e-9,
    },
    number={
        "f": (2.1e-9, 0.25e-9, 0.08e-9, 0.3e-9),
        "d": (1.6e-9, 0.63e-9, 0.0, 0.81e-9),
        "F": (2.4e-9, 0.26e-9, 0.02e-9, 0.35e-9),
        "D": (2.4e-9, 0.62e-9, 0.0, 0.8e-9),
    },
    row=99e-9,
    whole=1.7,
    far=0.0,
    new=0.1e-9,
    call=45e-6,
)
_X86_V4 = Rates(
    vector_bytes=64,
    products={
        "f4": 91e9,
        "f8": 45e9,
        "f16": 1.1e9,
        "c8": 22e9,
        "c16": 11e9,
        "c32": 0.26e9,
        "i2": 92e9,
        "i4": 30e9,
        "i8": 8.4e9,
    },
    outputs={
        "f4": 0.4e-9,
        "f8": 0.3e-9,
        "f16": 1.6e-9,
        "c8": 1.2e-9,
        "c16": 2.2e-9,
        "c32": 3.3e-9,
        "i2": 0.3e-9,
        "i4": 0.3e-9,
        "i8": 0.5e-9,
    },
    number={
        "f": (1.7e-9, 0.05e-9, 0.15e-9, 0.5e-9),
        "d": (2.8e-9, 0.08e-9, 0.32e-9, 1e-9),
        "F": (1.7e-9, 0.1e-9, 0.1e-9, 0.55e-9),
        "D": (2e-9, 0.3e-9, 0.14e-9, 0.9e-9),
    },
    row=64e-9,
    whole=1.6,
    far=0.025e-9,
    new=0.1e-9,
    call=21e-6,
)
# NEON lies between SSE4.2, whose lanes it has, and AVX2, with its FMA; what compilers take for granted is
# often SSE2.
_RATES = {
    "x86_amx": _X86_V4,
    "x86_vnni": _X86_V4,
    "x86_v4": _X86_V4,
    "x86_v3": _X86_V3,
    "x86_v2": _X86_V2,
    "neon": _scaled(_X86_V2, 16, 1.5, 1.4),
    "baseline": _X86_V2,
}


@lru_cache(maxsize=1)
def rates() -> Rates:
    """Those of the instruction set that runs."""
    from fastconv import _kernels

    return _RATES[_kernels.isa]


# ---- direct sums ----------------------------------------------------------------------------------------


def direct_seconds(dtype: Dtype, n_outputs: int, n_taps: float, n_axes: int = 1) -> float:
    """So many outputs of so many products each, over so many axes."""
    kind, size = dtype.kind, dtype.itemsize
    if kind in "bf" and size < 4:  # summed in float32
        kind, size = "f", 4
    elif kind in "ium":  # as signed integers, of two bytes at least
        kind, size = "i", max(size, 2)
    known, name = rates(), f"{kind}{size}"
    rate = known.products[name] * (VOLUMES if n_axes > 2 else 1)
    return n_outputs * (n_taps / rate + known.outputs[name])


# ---- blocks ---------------------------------------------------------------------------------------------


@lru_cache(maxsize=4096)
def block_seconds(dtype: Dtype, sizes: tuple[int, ...], columns: bool = False) -> float:
    """One block: copied in, transformed, multiplied, transformed back and copied out."""
    known = rates()
    rows = 2 * math.prod(sizes[:-1]) if len(sizes) > 1 else 0
    terms = _terms(dtype, sizes, columns)
    seconds = sum(t * factor for t, factor in zip(known.number[dtype.char], terms))
    return math.prod(sizes) * seconds + rows * known.row


def _terms(dtype: Dtype, sizes: tuple[int, ...], columns: bool = False) -> tuple[float, float, float, float]:
    """What the constants of `Rates.number` count: the number, its passes, halvings beyond L1, beyond L2."""
    item, _ = _real(dtype)
    nbytes = 4 * math.prod(sizes) * item
    l1, l2 = (max(0.0, math.log2(nbytes / cache)) for cache in (L1_BYTES, L2_BYTES))
    passes = sum(_passes(size) for size in sizes[:-1])
    if not columns:
        passes += _passes(sizes[-1] * item // rates().vector_bytes)
    return 1.0, passes, l1, l2


def _passes(nodes: int) -> float:
    """What the passes down to so many nodes take, in halves of one of radix 4."""
    time = 0.0
    for radix, each in ((3, 2.0), (5, 3.3)):
        while nodes % radix == 0:
            time += each
            nodes //= radix
    halvings = nodes.bit_length() - 1
    return time + halvings + 0.4 * (halvings % 2)


def transform_seconds(blocks: Blocks, count: int, nbytes: int) -> float:
    """So many times such blocks, for signals and results of `nbytes` in all, with all that a call takes."""
    known = rates()
    new = known.new * blocks.bytes if blocks.bytes > NEW_BYTES else 0.0
    far = known.far * nbytes if nbytes > FAR_BYTES else 0.0
    return known.call + new + far + blocks.once + count * blocks.seconds


@lru_cache(maxsize=1024)
def tile_sizes(
    dtype: Dtype, n_out: tuple[int, ...], n_taps: tuple[int, ...], columns: bool = False
) -> Blocks:
    """The best blocks for so many outputs and taps by axis. `columns`: along the last, nothing is convolved.

    A block takes `MOST_BYTES` at most, or as much as the smallest that has an output for each tap.
    """
    item, packed = _real(dtype)
    sides: list[dict[int, int]] = []  # by axis: how many blocks of a size there are
    enough = []  # half of such a block are outputs
    for axis, (out, taps) in enumerate(zip(n_out, n_taps)):
        reals = packed if axis == 0 else 1
        unit = 1 if axis < len(n_out) - 1 else _unit(item, columns)
        side: dict[int, int] = {}
        for size in _sizes(unit, -(-(out + taps - 1) // reals)):
            outputs = reals * size - taps + 1
            if outputs > 0:
                side[size] = -(-out // outputs)
        sides.append(side)
        enough.append(next((size for size in side if reals * size >= 2 * taps - 1), max(side)))
    most = max(MOST_BYTES // (2 * item), math.prod(enough))

    def seconds(sizes: tuple[int, ...]) -> float:
        if math.prod(sizes) > most:
            return math.inf
        count = math.prod(side[size] for side, size in zip(sides, sizes))
        return count * block_seconds(dtype, sizes, columns)

    sizes = tuple(enough)
    best, least = math.inf, seconds(sizes)
    while least < best:  # by another size along one axis
        best = least
        for axis in reversed(range(len(sizes))):
            least, sizes = min((seconds(tried), tried) for tried in _with(sizes, axis, sides[axis]))
    nbytes = (8 if len(sizes) == 1 else 6) * math.prod(sizes) * item
    return Blocks(sizes, least, nbytes, TAPS * block_seconds(dtype, sizes, columns))


def n_blocks(dtype: Dtype, sizes: tuple[int, ...], n_out: tuple[int, ...], n_taps: tuple[int, ...]) -> int:
    """Blocks of `tile_sizes` that so many outputs take."""
    reals = [_real(dtype)[1], *[1] * (len(sizes) - 1)]
    return math.prod(-(-out // (r * size - m + 1)) for out, r, size, m in zip(n_out, reals, sizes, n_taps))


def _with(sizes: tuple[int, ...], axis: int, choices: Iterable[int]) -> Iterable[tuple[int, ...]]:
    """The sizes with each of the choices along one axis."""
    return ((*sizes[:axis], size, *sizes[axis + 1 :]) for size in choices)


def extent(n: int, m: int, n_out: int, lo: int, zero: bool) -> tuple[int, int, int, int]:
    """(start, count, skip, least) of a whole block along one axis.

    It holds `count` elements of the signal from `start` on, and the outputs from `skip` on; those of its
    count + m - 1 sums that are none of these must not wrap onto them: so it has `least` elements or more.
    `zero`: nothing but zeros stand outside the signal.
    """
    start, stop = -lo, n_out + m - 1 - lo
    if zero:
        start, stop = min(max(start, 0), m - 1 - lo), min(stop, n)
    count, skip = max(stop - start, 0), m - 1 - lo - start
    return start, count, skip, max(count, m, count + m - 1 - skip, skip + n_out)


@lru_cache(maxsize=1024)
def whole_sizes(dtype: Dtype, least: tuple[int, ...]) -> Blocks:
    """One block of at least so many elements by axis, signal and kernel transformed side by side."""
    item, packed = _real(dtype)
    found = []
    for axis, n in enumerate(least):
        unit = 2 if axis < len(least) - 1 else _unit(item, False)
        found.append(unit * _smooth(-(-n // (unit * (packed if axis == 0 else 1)))))
    sizes = tuple(found)
    return Blocks(sizes, rates().whole * block_seconds(dtype, sizes), 4 * math.prod(sizes) * item)


def _smooth(least: int) -> int:
    """The smallest number 2^a 3^b 5^c, b < 4, c < 2, from `least` on."""
    return min(odd << (-(-least // odd) - 1).bit_length() for odd in (1, 3, 5, 9, 15, 27, 45, 135))


def _real(dtype: Dtype) -> tuple[int, int]:
    """Bytes of a real number; elements that a complex number stands for."""
    return (dtype.itemsize, 2) if dtype.kind == "f" else (dtype.itemsize // 2, 1)


def _unit(item: int, columns: bool) -> int:
    """What sizes along the last axis are multiples of: four vectors, or one of columns."""
    lanes = rates().vector_bytes // item
    return max(2, lanes) if columns else 4 * lanes


def _sizes(unit: int, least: int) -> list[int]:
    """The sizes 2^a, 3 2^a and 5 2^a from 4 on, multiples of `unit`, up to the first that reaches `least`."""
    sizes: list[int] = []
    for exponent in itertools.count():
        for odd in (4, 5, 6):
            size = odd << exponent
            if size % unit == 0:
                sizes.append(size)
                if size >= least:
                    return sizes
    raise AssertionError
