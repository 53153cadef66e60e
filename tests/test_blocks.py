"""Results do not depend on how the work is cut: blocks to cast, slabs in place, parts of many kernels."""

import itertools

import numpy as np
import pytest
import reference as ref

import fastconv as fc
from fastconv import _blocks, _in_place, _sums

NAMES = ("convolve", "correlate")
CASES = [
    # shape of a, shape of v, axes
    ((1500,), (7,), None),
    ((40,), (90,), None),
    ((40, 300), (5, 4), None),
    ((300, 17), (9,), 0),
    ((12, 600), (12, 9), 1),
    ((9, 10, 300), (3, 1, 6), (0, 2)),
]


@pytest.fixture(params=[200, 5000], ids="{} bytes".format, autouse=True)
def small_parts(request, monkeypatch):
    monkeypatch.setattr(_blocks, "BLOCK_BYTES", request.param)
    monkeypatch.setattr(_in_place, "SLAB_BYTES", request.param)
    monkeypatch.setattr(_sums, "KERNEL_BYTES", request.param)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("boundary", ref.BOUNDARIES)
@pytest.mark.parametrize("dtypes", ["ee", "BB", "??", "hf", "GG", "fD"])
def test_blocks(rng, name, boundary, dtypes):
    cval = 1 if boundary == "constant" else 0
    for (shape, taps, axes), mode in itertools.product(CASES, ref.MODES):
        a, v = ref.small_integers(rng, shape, dtypes[0]), ref.small_integers(rng, taps, dtypes[1])
        y = getattr(fc, name)(a, v, mode, axes=axes, boundary=boundary, cval=cval)
        ref.check(y, name, a, v, mode, axes=axes, boundary=boundary, cval=cval, equal=True)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("boundary", ref.BOUNDARIES)
@pytest.mark.parametrize("dtype", "feO")
def test_slabs(rng, name, boundary, dtype):
    for shape, taps, axes in CASES:
        a, v = ref.small_integers(rng, shape, dtype), ref.small_integers(rng, taps, dtype)
        if boundary == "zero" and a.ndim == 1 and len(v) > len(a):
            continue  # the result is longer than a
        out = a.copy()
        getattr(fc, name)(out, v, "same", axes=axes, boundary=boundary, out=out)
        ref.check(out, name, a, v, "same", axes=axes, boundary=boundary, equal=True)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", "fFGO")
def test_many_kernels(rng, name, dtype):
    for shape, taps in [
        ((60, 30), (60, 9)),
        ((1, 7, 30), (9, 7, 3)),
        ((9, 7, 30), (9, 1, 3)),
        ((5, 20), (5, 31)),
    ]:
        a, v = ref.small_integers(rng, shape, dtype), ref.small_integers(rng, taps, dtype)
        if dtype in "fF":
            v[..., 4:, 1] = np.nan
        for mode in ref.MODES:
            ref.check(getattr(fc, name)(a, v, mode, axes=-1), name, a, v, mode, axes=-1, equal=True)


def test_slabs_with_an_infinite_tap(rng):
    a, v = ref.small_integers(rng, (40, 300), "f"), ref.small_integers(rng, (5, 4), "f")
    v[1, 2] = np.inf
    out = a.copy()
    fc.convolve(out, v, "same", out=out)
    ref.check(out, "convolve", a, v, "same")
