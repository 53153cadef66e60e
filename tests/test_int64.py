"""int64 beside the edges of 32 bits, where one product a tap gives way to three: all sums modulo 2^64."""

import numpy as np
import pytest

import fastconv as fc

LOW, HIGH = -(2**31), 2**31 - 1
EDGES = [LOW, LOW + 1, -1, 0, 1, HIGH - 1, HIGH]
WIDE = [LOW - 1, HIGH + 1, 2**32, -(2**32), 2**63 - 1, -(2**63), 0x123456789ABCDEF]
TAPS = [1, 2, 3, 5, 8, 13, 14, 20, 33, 70]


@pytest.mark.parametrize("dtype", "qQ")
@pytest.mark.parametrize("taps", TAPS)
def test_edges_of_32_bits(rng, taps, dtype):
    for n in (1, 7, 64, 300, 5000):
        a, v = rng.choice(EDGES, n), rng.choice(EDGES, taps)
        want = exact(a, v)
        for y in both_paths(a.astype(dtype), v.astype(dtype)):
            np.testing.assert_array_equal(y.view("q"), want)


@pytest.mark.parametrize("wide", WIDE)
def test_one_wide_value(rng, wide):
    """In the signal, at either end or in the middle, or among the taps."""
    for n, taps in ((64, 3), (64, 33), (5000, 9), (9000, 40)):
        for where in (0, n // 2, n - 1):
            a, v = rng.choice(EDGES, n), rng.choice(EDGES, taps)
            a[where] = wide
            for y in both_paths(a, v):
                np.testing.assert_array_equal(y, exact(a, v))
        a, v = rng.choice(EDGES, n), rng.choice(EDGES, taps)
        v[taps // 2] = wide
        for y in both_paths(a, v):
            np.testing.assert_array_equal(y, exact(a, v))


@pytest.mark.parametrize("cval", [0, HIGH, HIGH + 1, -(2**63)])
def test_rows_with_a_wide_constant(rng, cval):
    a, v = rng.choice(EDGES, (20, 64)), rng.choice(EDGES, 5)
    y = fc.convolve(a, v, "same", axes=1, boundary="constant", cval=cval)
    for i in range(20):
        padded = np.pad(a[i], 2, constant_values=cval)
        np.testing.assert_array_equal(y[i], exact(padded, v)[4:-4])


def exact(a, v):
    """The full convolution of int64 in Python's integers, modulo 2^64."""
    sums = np.zeros(len(a) + len(v) - 1, object)
    for i, tap in enumerate(v.tolist()):
        sums[i : i + len(a)] += a.astype(object) * tap
    return (sums % 2**64).astype("Q").view("q")


def both_paths(a, v):
    """The short path and the general one."""
    yield fc.convolve(a, v)
    yield fc.convolve(a, v, workers=1)
