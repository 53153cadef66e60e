"""Tiny and huge numbers: subnormal input and output, and a range of magnitudes within one call."""

import itertools

import numpy as np
import pytest
import reference as ref

import fastconv as fc

SHAPES = [((300,), (9,)), ((20, 33), (3, 4)), ((40,), (70,))]


@pytest.mark.parametrize("dtype", "fdFDe")
@pytest.mark.parametrize("shapes", SHAPES, ids=str)
def test_subnormal_signal(rng, dtype, shapes):
    tiny = np.finfo(dtype).smallest_normal
    for size in (0.5, 2.0**-6, 2.0**-12):
        a = ref.numbers(rng, shapes[0], dtype) * np.dtype(dtype).type(tiny * size)
        for v in (ref.numbers(rng, shapes[1], dtype), 100 * ref.small_integers(rng, shapes[1], dtype)):
            v = v.astype(dtype)
            for name, boundary in itertools.product(("convolve", "correlate"), ("zero", "mirror")):
                y = getattr(fc, name)(a, v, "same", boundary=boundary)
                ref.check(y, name, a, v, "same", boundary=boundary)


@pytest.mark.parametrize("dtype", "fde")
@pytest.mark.parametrize("shapes", SHAPES, ids=str)
def test_subnormal_times_whole_numbers_is_exact(rng, dtype, shapes):
    smallest = np.finfo(dtype).smallest_subnormal
    a = ref.small_integers(rng, shapes[0], dtype) * smallest
    v = ref.small_integers(rng, shapes[1], dtype)
    for boundary in ref.BOUNDARIES:
        y = fc.convolve(a, v, "same", boundary=boundary)
        ref.check(y, "convolve", a, v, "same", boundary=boundary, equal=True)
        assert np.any(y != 0)


@pytest.mark.parametrize("dtype", "fd")
def test_normal_times_normal_is_subnormal(rng, dtype):
    small = np.dtype(dtype).type(np.sqrt(np.finfo(dtype).smallest_normal) / 64)
    for shape, taps in SHAPES:
        a, v = ref.numbers(rng, shape, dtype) * small, ref.numbers(rng, taps, dtype) * small
        y = fc.convolve(a, v)
        assert np.any(y != 0)
        ref.check(y, "convolve", a, v, "full")


@pytest.mark.parametrize("dtype", "fd")
def test_a_single_subnormal_among_normal_numbers(rng, dtype):
    a = np.zeros(200, dtype)
    a[100] = np.finfo(dtype).smallest_subnormal * 3
    y = fc.convolve(a, np.array([1, 5, 2], dtype), "same")
    want = np.zeros(200, dtype)
    want[99:102] = np.finfo(dtype).smallest_subnormal * np.array([3, 15, 6], dtype)
    np.testing.assert_array_equal(y, want)
    a[10] = 1
    a[150] = np.finfo(dtype).max / 8
    y = fc.convolve(a, np.array([1, 5, 2], dtype), "same")
    np.testing.assert_array_equal(y[99:102], want[99:102])
    np.testing.assert_array_equal(y[9:12], [1, 5, 2])


@pytest.mark.parametrize("dtype", "dD")
def test_magnitudes_from_1e_minus_150_to_1e_150(rng, dtype):
    for shape, taps in SHAPES:
        a = ref.numbers(rng, shape, dtype) * 10.0 ** rng.uniform(-150, 150, shape)
        v = ref.numbers(rng, taps, dtype) * 10.0 ** rng.uniform(-150, 150, taps)
        for mode, boundary in itertools.product(("full", "same"), ref.BOUNDARIES):
            y = fc.convolve(a, v, mode, boundary=boundary)
            ref.check(y, "convolve", a, v, mode, boundary=boundary)


@pytest.mark.parametrize("dtype", "fF")
def test_magnitudes_of_float32(rng, dtype):
    for shape, taps in SHAPES:
        a = (ref.numbers(rng, shape, dtype) * 10.0 ** rng.uniform(-40, 18, shape)).astype(dtype)
        v = (ref.numbers(rng, taps, dtype) * 10.0 ** rng.uniform(-18, 18, taps)).astype(dtype)
        ref.check(fc.convolve(a, v), "convolve", a, v, "full")


def test_small_beside_large_is_not_lost():
    """Each output is as exact as its own window: nothing is measured by the largest number of the array."""
    a = np.array([1e300] + [0.0] * 20 + [3e-300] * 20)
    y = fc.convolve(a, [1.0, 2.0, 3.0], "same")
    np.testing.assert_allclose(y[25:39], 18e-300, rtol=1e-15)


def test_the_caller_finds_subnormals_working_afterwards(rng):
    tiny = np.finfo(np.float32).smallest_subnormal
    a = np.full((400, 400), tiny, np.float32)
    fc.convolve(a, np.ones((5, 5), np.float32), workers=2)
    assert (a * np.float32(2))[0, 0] == 2 * tiny
