"""Block sizes hold what they must, and estimates grow with the work."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastconv import _cost, _kernels

DTYPES = [np.dtype(char) for char in "fdFD"]
LENGTH = st.integers(1, 3000)


def real_sizes(dtype, sizes):
    return (sizes[0] * (2 if dtype.kind == "f" else 1), *sizes[1:])


def is_smooth(size):
    odd = size // (size & -size)
    return odd in (1, 3, 5)


@given(
    st.sampled_from(DTYPES),
    st.lists(st.tuples(LENGTH, st.integers(1, 80)), min_size=1, max_size=4),
    st.none() | LENGTH,
)
def test_tiles_hold_the_kernel(dtype, axes, columns):
    axes = axes + [(columns, 1)] * (columns is not None)
    n_out, n_taps = zip(*axes)
    blocks = _cost.tile_sizes(dtype, n_out, n_taps, columns is not None)
    sizes = real_sizes(dtype, blocks.sizes)
    assert len(sizes) == len(axes)
    assert all(size >= taps for size, taps in zip(sizes, n_taps))
    assert blocks.sizes[-1] * dtype.itemsize % _cost.rates().vector_bytes == 0
    assert all(is_smooth(size) for size in blocks.sizes)
    assert columns is not None or blocks.sizes[-1] * dtype.itemsize % (4 * _cost.rates().vector_bytes) == 0
    assert 0 < blocks.seconds < math.inf
    room = math.prod(4 * taps + 256 for taps in n_taps) * 8 * dtype.itemsize
    assert blocks.bytes <= max(4 * _cost.MOST_BYTES, room)


@given(st.sampled_from(DTYPES), st.lists(LENGTH, min_size=1, max_size=3))
def test_whole_blocks_are_as_long_as_need_be(dtype, least):
    sizes = real_sizes(dtype, _cost.whole_sizes(dtype, tuple(least)).sizes)
    end = 16 * _cost.rates().vector_bytes // dtype.itemsize
    assert all(n <= size <= 1.13 * n + end for n, size in zip(least, sizes))


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 20), st.integers(-20, 20), st.booleans())
def test_outputs_of_a_whole_block_are_their_own(n, m, n_out, lo, zero):
    """Every sum in the block that wraps onto an output is one of zeros."""
    start, count, skip, least = _cost.extent(n, m, n_out, lo, zero)
    assert min(count, skip) >= 0
    for size in (least, least + 1):
        sums = {}
        for i, t in itertools.product(range(count), range(m)):
            if not zero or 0 <= start + i < n:
                sums.setdefault((i + m - 1 - t) % size, set()).add((start + i, t))
        for o in range(n_out):
            terms = {(o + t - lo, t) for t in range(m)}
            assert sums.get(skip + o, set()) == {(i, t) for i, t in terms if not zero or 0 <= i < n}


def test_a_kernel_that_is_larger_than_most_blocks():
    for n_taps in [(10**7,), (300, 400, 500)]:
        blocks = _cost.tile_sizes(DTYPES[1], (2000,) * len(n_taps), n_taps)
        assert blocks.bytes > _cost.MOST_BYTES
        assert all(size >= taps for size, taps in zip(real_sizes(DTYPES[1], blocks.sizes), n_taps))


def test_a_good_block_is_found_without_trying_all():
    for n_out, n_taps in [((2048, 2048), (31, 31)), ((64, 65536), (511, 1)), ((128,) * 3, (9, 7, 30))]:
        for dtype in DTYPES:
            found = _cost.tile_sizes(dtype, n_out, n_taps, n_taps[-1] == 1)
            for sizes in itertools.product([4, 8, 10, 16, 32, 64, 128], repeat=len(n_out)):
                sizes = (*sizes[:-1], 4 * sizes[-1])
                outputs = [size - taps + 1 for size, taps in zip(real_sizes(dtype, sizes), n_taps)]
                if min(outputs) > 0 and math.prod(sizes) * dtype.itemsize <= _cost.MOST_BYTES // 2:
                    count = math.prod(-(-n // out) for n, out in zip(n_out, outputs))
                    assert found.seconds <= 1.2 * count * _cost.block_seconds(dtype, sizes)


@pytest.mark.parametrize("isa", _kernels.ISAS)
def test_every_instruction_set_has_constants(monkeypatch, isa):
    known = _cost._RATES[isa]
    monkeypatch.setattr(_cost, "rates", lambda: known)
    assert {"f4", "f8", "c8", "c16", "i2", "i4", "i8"} <= set(known.products)
    for dtype in DTYPES:
        assert _cost.block_seconds(dtype, (1 << 16,)) > _cost.block_seconds(dtype, (1 << 12,)) > 0


def test_estimates_of_direct_sums():
    for char in np.typecodes["AllInteger"] + "?efdgFDGm":
        dtype = np.dtype(char)
        few, many = (_cost.direct_seconds(dtype, 10**6, taps) for taps in (3, 300))
        assert 0 < few < many < math.inf


def test_blocks_grow_with_the_kernel():
    sizes = [_cost.tile_sizes(DTYPES[0], (10**6,), (1 << k,)).sizes for k in range(5, 17)]
    assert all(few <= many for few, many in zip(sizes, sizes[3:]))  # taps 8 times as many
