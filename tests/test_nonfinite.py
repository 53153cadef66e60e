"""NaN and infinity stay local: they reach the outputs whose window holds them and no other."""

import itertools

import numpy as np
import pytest
import reference as ref

import fastconv as fc

NAMES = ("convolve", "correlate")
SHAPES = [((70,), (5,)), ((9,), (30,)), ((12, 40), (3, 4)), ((4, 5, 18), (3, 2, 3))]


def spiked(rng, shape, dtype, values):
    """Random numbers, some of them replaced by the given values."""
    x = ref.numbers(rng, shape, dtype)
    where = rng.random(x.shape) < min(0.2, 2.5 / x.size)
    where.flat[rng.integers(x.size)] = True
    x[where] = rng.choice(np.array(values, x.dtype), np.count_nonzero(where))
    return x


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("boundary", ref.BOUNDARIES)
@pytest.mark.parametrize("dtype", "efdg")
@pytest.mark.parametrize("shapes", SHAPES, ids=str)
def test_in_the_signal(rng, name, boundary, dtype, shapes):
    for mode, values in itertools.product(("full", "same"), ([np.nan], [np.inf, -np.inf], [np.nan, np.inf])):
        a, v = spiked(rng, shapes[0], dtype, values), ref.numbers(rng, shapes[1], dtype)
        y = getattr(fc, name)(a, v, mode, boundary=boundary)
        ref.check(y, name, a, v, mode, boundary=boundary)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("boundary", ref.BOUNDARIES)
@pytest.mark.parametrize("dtype", "efdg")
@pytest.mark.parametrize("shapes", SHAPES, ids=str)
def test_in_the_kernel(rng, name, boundary, dtype, shapes):
    """With boundary 'zero' the terms outside are absent: there an infinite tap times nothing is nothing."""
    for mode, values in itertools.product(("full", "same"), ([np.nan], [np.inf, -np.inf], [np.nan, np.inf])):
        a, v = ref.numbers(rng, shapes[0], dtype), spiked(rng, shapes[1], dtype, values)
        y = getattr(fc, name)(a, v, mode, boundary=boundary)
        ref.check(y, name, a, v, mode, boundary=boundary)


@pytest.mark.parametrize("dtype", "fd")
def test_in_both(rng, dtype):
    values = [np.nan, np.inf, -np.inf, 0.0]
    for shape, taps in SHAPES:
        a, v = spiked(rng, shape, dtype, values), spiked(rng, taps, dtype, values)
        for name, mode, boundary in itertools.product(NAMES, ("full", "same"), ref.BOUNDARIES):
            y = getattr(fc, name)(a, v, mode, boundary=boundary)
            ref.check(y, name, a, v, mode, boundary=boundary)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", "fd")
def test_infinite_taps_with_zero_signals(name, dtype):
    """0 · inf is NaN where the zero is in the array, and nothing where it is outside."""
    a, v = np.zeros(6, dtype), np.array([np.inf, 1, np.nan, 2, -np.inf], dtype)
    for mode, options in itertools.product(("full", "same"), ({}, {"axes": 0}, {"workers": 2})):
        ref.check(getattr(fc, name)(a, v, mode, **options), name, a, v, mode)
    image, kernel = np.zeros((5, 6), dtype), np.diag(v[:3])
    ref.check(getattr(fc, name)(image, kernel, "full"), name, image, kernel, "full")
    rows, kernels = np.zeros((3, 6), dtype), np.stack([v, v[::-1], np.ones(5, dtype)])
    for axis, kernel in ((1, v), (1, kernels), (0, v[:3])):
        y = getattr(fc, name)(rows, kernel, "full", axes=axis)
        ref.check(y, name, rows, kernel, "full", axes=axis)


def test_numpys_example():
    for dtype in "efdg":
        y = fc.convolve(np.array([1, 2, 3], dtype), np.array([np.inf, 1], dtype))
        np.testing.assert_array_equal(y, [np.inf, np.inf, np.inf, 3])


@pytest.mark.parametrize("boundary", ref.BOUNDARIES)
def test_a_constant_outside_may_be_infinite(boundary):
    a, v = np.arange(6.0), np.array([1.0, 2.0, 4.0])
    y = fc.convolve(a, v, boundary=boundary, cval=np.inf)
    finite = np.isfinite(y)
    assert (
        finite.all() if boundary != "constant" else finite.tolist() == [False] * 2 + [True] * 4 + [False] * 2
    )


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", "FD")
def test_complex(rng, name, dtype):
    """Which outputs are finite is sure; what the others are depends on how complex products are formed."""
    for (shape, taps), boundary in itertools.product(SHAPES, ref.BOUNDARIES):
        a, v = ref.numbers(rng, shape, dtype), ref.numbers(rng, taps, dtype)
        for spoilt in (a, v):
            spoilt.flat[spoilt.size // 2] = complex(1, np.nan)
            y = getattr(fc, name)(a, v, "full", boundary=boundary)
            truth = ref.rounded(name, a, v, "full", boundary=boundary)
            np.testing.assert_array_equal(np.isfinite(y), np.isfinite(truth))
            spoilt.flat[spoilt.size // 2] = 1


def test_one_nan_in_a_long_signal(rng):
    a, v = ref.numbers(rng, 300_000, "f"), ref.numbers(rng, 33, "f")
    clean = fc.convolve(a, v, "same", method="direct")
    a[123_456] = np.nan
    y = fc.convolve(a, v, "same", method="direct")
    spoilt = np.flatnonzero(np.isnan(y))
    assert spoilt.tolist() == list(range(123_456 - 16, 123_456 + 17))
    np.testing.assert_array_equal(np.delete(y, spoilt), np.delete(clean, spoilt))


def test_overflow_is_infinity_without_a_warning():
    for dtype in "efdFD":
        most = np.finfo(dtype).max
        y = fc.convolve(np.array([most, most], dtype), np.array([2, 2], dtype))
        assert np.isinf(y).all()
