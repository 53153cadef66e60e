"""The exact method against sums of Python's and NumPy's integers: extreme values, sizes, boundaries, layouts.

NumPy's integers wrap, so its sums are exact modulo 2^bits.
"""

import itertools
from concurrent.futures import ThreadPoolExecutor

import hypothesis.strategies as st
import numpy as np
import pytest
import reference as ref
from hypothesis import given, settings

import fastconv
from fastconv import _exact, _limbs
from fastconv._problem import BOUNDARIES

DTYPES = "bhiqBHIQ"
PATTERN = 0x7FFF7FFF7FFF7FFF  # limbs of 16 bits that are all as large as they can be


def values(rng, shape, dtype, kind):
    info = np.iinfo(dtype)
    if kind == "random":
        return rng.integers(info.min, info.max, shape, dtype=dtype, endpoint=True)
    if kind == "small":
        return rng.integers(0, 10, shape).astype(dtype)
    if kind == "alternating":
        ends = np.array([info.max, info.min], dtype)
        return ends[np.indices(np.zeros(shape).shape).sum(axis=0) % 2]
    value = {"least": -(2**63) >> 64 - info.bits, "pattern": PATTERN, "most": 2**63 - 1}[kind]
    return np.full(shape, value, np.int64).astype(dtype)


KINDS = ("random", "small", "alternating", "least", "pattern", "most")


def correlation(x, w, lo, n_out, boundary="zero", cval=0):  # cval is 0 for other boundaries than constant
    """y[o] = sum_t w[t] x~[o + t - lo] over the last len(lo) axes, tap by tap; w may have x's batch axes."""
    first = x.ndim - len(lo)
    for axis, (before, n, m) in enumerate(zip(lo, n_out, w.shape[w.ndim - len(lo) :]), -len(lo)):
        x = ref.continued(x, axis, -before, n + m - 1, boundary, cval)[0]
    y = np.zeros((*x.shape[:first], *n_out), x.dtype)
    for tap in np.ndindex(w.shape[w.ndim - len(lo) :]):
        part = x[(..., *[slice(t, t + n) for t, n in zip(tap, n_out)])]
        y += w[(..., *tap)].reshape(w.shape[: w.ndim - len(lo)] + (1,) * len(lo)) * part
    return y


def exact(x, w, lo, n_out, boundary="zero", cval=0, workers=1, **options):
    n_batch = x.ndim - len(lo)
    y = np.full((*x.shape[:n_batch], *n_out), 77, x.dtype)
    w = w.reshape((1,) * (x.ndim - w.ndim) + w.shape)
    _exact.correlate(x, w, y, n_batch, lo, (BOUNDARIES[boundary],) * len(lo), cval, workers, **options)
    return y


def full(x, w, **options):
    return exact(x, w[::-1], (len(w) - 1,), (len(x) + len(w) - 1,), **options)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
def test_lines(dtype, kind):
    rng = np.random.default_rng(1)
    sizes = [(1, 1), (2, 1), (5, 3), (31, 31), (32, 33), (257, 64), (1000, 1000), (5000, 100), (20000, 21)]
    for n, m in sizes:
        x, w = values(rng, n, dtype, kind), values(rng, m, dtype, kind)
        np.testing.assert_array_equal(full(x, w), np.convolve(x, w))


def residues(x, p, points):
    """The polynomial with coefficients x at each of the points, modulo p < 2^31: Horner's rule in blocks."""
    power, step = np.ones((len(points), 1024), np.int64), points.copy()
    for i in range(1, 1024):
        power[:, i] = power[:, i - 1] * points % p
    step = power[:, -1] * points % p
    total = np.zeros(len(points), np.int64)
    for block in np.pad(x % p, (0, -len(x) % 1024)).reshape(-1, 1024)[::-1]:
        total = (total * step + (power * block % p).sum(axis=1)) % p
    return total


@pytest.mark.parametrize("kind", ["random", "pattern", "alternating"])
def test_a_million_by_a_million(kind):
    """Checked at some outputs; and as a whole, with sums that do not wrap, by values of the polynomials."""
    n, rng = 2**20, np.random.default_rng(2)
    x, w = values(rng, n, "q", kind), values(rng, n, "q", kind)
    y = full(x, w)
    for k in (0, 1, n // 2, n - 1, n, 2 * n - 2, *rng.integers(0, 2 * n - 1, 20).tolist()):
        first, last = max(0, k - n + 1), min(n - 1, k)
        assert y[k] == np.sum(x[first : last + 1] * w[k - last : k - first + 1][::-1])
    x, w = x >> 42, w >> 42
    y = full(x, w)
    for p in (2**31 - 1, 998244353):
        points = rng.integers(2, p, 4)
        assert np.array_equal(residues(y, p, points), residues(x, p, points) * residues(w, p, points) % p)


@pytest.mark.parametrize("dtype", "hiQ")
def test_long_lines(dtype):
    rng = np.random.default_rng(3)
    for n, m in [(2**17, 2**17), (2**17 + 1, 1025), (100_003, 40_000)]:
        x, w = values(rng, n, dtype, "random"), values(rng, m, dtype, "pattern")
        y = full(x, w)
        for k in (0, m - 1, n - 1, n, n + m - 2, *rng.integers(0, n + m - 1, 200).tolist()):
            first, last = max(0, k - m + 1), min(n - 1, k)
            want = np.sum(x[first : last + 1] * w[k - last : k - first + 1][::-1], dtype=dtype)
            assert y[k] == want


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_boundaries(boundary):
    rng = np.random.default_rng(4)
    for dtype, n, m in itertools.product("bQ", (1, 2, 9, 500), (1, 2, 7, 40, 1200)):
        x, w = values(rng, n, dtype, "random"), values(rng, m, dtype, "random")
        cval = int(values(rng, 1, dtype, "random")[0]) if boundary == "constant" else 0
        for lo, n_out in [((m - 1) // 2, n), (m - 1, n + m - 1), (m + 3, n + 2 * m), (0, n), (-1, n)]:
            args = (x, w, (lo,), (n_out,), boundary, cval)
            np.testing.assert_array_equal(exact(*args), correlation(*args), err_msg=f"{dtype} {n} {m} {lo}")


@pytest.mark.parametrize("dtype", "biQ")
@pytest.mark.parametrize("boundary", ["zero", "constant", "mirror", "wrap"])
def test_images_and_volumes(dtype, boundary):
    rng = np.random.default_rng(5)
    for shape, taps in [
        ((7, 9), (3, 3)),
        ((60, 75), (9, 4)),
        ((3, 200), (1, 17)),
        ((200, 3), (17, 1)),
        ((40, 300), (31, 40)),
        ((9, 12, 20), (3, 4, 5)),
        ((4, 5, 6, 7), (2, 3, 2, 3)),
    ]:
        x, w = values(rng, shape, dtype, "random"), values(rng, taps, dtype, "alternating")
        cval = 3 if boundary == "constant" else 0
        lo = tuple(t // 2 for t in taps)
        args = (x, w, lo, shape, boundary, cval)
        np.testing.assert_array_equal(exact(*args), correlation(*args), err_msg=f"{shape} {taps}")
        lo, n_out = zip(*((t - 1, n + t - 1) for n, t in zip(shape, taps)))
        args = (x, w, lo, n_out, boundary, cval)
        np.testing.assert_array_equal(exact(*args), correlation(*args), err_msg=f"{shape} {taps}")


@pytest.mark.parametrize("shape, taps", [((5, 300), (40,)), ((3, 4, 50), (9,)), ((4, 20, 30), (5, 6))])
def test_batches(shape, taps):
    rng, ndim = np.random.default_rng(6), len(taps)
    x = values(rng, shape, "q", "random")
    for batch in (shape[:-ndim], (*shape[: -ndim - 1], 1), (1,) * (len(shape) - ndim)):
        w = values(rng, batch + taps, "q", "random")
        args = (x, w, tuple(t - 1 for t in taps), shape[-ndim:])
        np.testing.assert_array_equal(exact(*args), correlation(*args))


def test_rows_of_many_blocks_with_their_own_kernels():
    rng = np.random.default_rng(7)
    x, w = values(rng, (2, 70_000), "i", "random"), values(rng, (2, 100), "i", "random")
    args = (x, w, (0,), (70_000 - 99,))
    np.testing.assert_array_equal(exact(*args), correlation(*args))


@pytest.mark.parametrize("dtype", "HQ")
def test_strides(dtype):
    rng = np.random.default_rng(8)
    x = values(rng, (60, 80), dtype, "random")
    w = values(rng, (10, 12), dtype, "random")
    views = (x.T, x[::-1, ::2], x[:, ::-3], x[1::2])
    for view, taps in itertools.product(views, (w, w.T[::-1], w[::2, ::-1])):
        args = (view, taps, (2, 3), view.shape)
        y = np.zeros((2 * view.shape[0], view.shape[1]), dtype).T[:, ::2].T
        _exact.correlate(view, taps, y, 0, (2, 3), (0, 0), 0, 1)
        np.testing.assert_array_equal(y, correlation(*args))
    raw = np.zeros(x.nbytes + 1, np.uint8)[1:].view(dtype).reshape(x.shape)
    raw[...] = x
    np.testing.assert_array_equal(exact(raw, w, (2, 3), x.shape), correlation(x, w, (2, 3), x.shape))


def test_kept_and_threads():
    rng = np.random.default_rng(9)
    x, w, kept = values(rng, 300_000, "q", "random"), values(rng, 500, "q", "random"), {}
    want = exact(x, w, (499,), (300_499,))
    with ThreadPoolExecutor(4) as pool:
        for workers in (1, 2, 3):
            calls = [
                pool.submit(exact, x, w, (499,), (300_499,), workers=workers, kept=kept) for _ in range(4)
            ]
            for call in calls:
                np.testing.assert_array_equal(call.result(), want)
    for _ in range(3):  # one block
        np.testing.assert_array_equal(exact(x[:600], w, (499,), (600,), kept=kept), want[:600])
    small = x >> 50
    want = exact(small, w, (499,), (300_499,))
    np.testing.assert_array_equal(exact(small, w, (499,), (300_499,), kept=kept), want)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_random_problems(data):
    dtype, boundary = data.draw(st.sampled_from(DTYPES)), data.draw(st.sampled_from(sorted(BOUNDARIES)))
    ndim = data.draw(st.integers(1, 3))
    most = (300, 30, 10)[ndim - 1]
    shape = data.draw(st.tuples(*[st.integers(1, most)] * ndim))
    taps = data.draw(st.tuples(*[st.integers(1, most)] * ndim))
    lo = tuple(data.draw(st.integers(-2, t + 2)) for t in taps)
    n_out = data.draw(st.tuples(*[st.integers(1, most + 5)] * ndim))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    x = values(rng, shape, dtype, data.draw(st.sampled_from(KINDS)))
    w = values(rng, taps, dtype, data.draw(st.sampled_from(KINDS)))
    args = (x, w, lo, n_out, boundary, int(x.flat[0]) if boundary == "constant" else 0)
    np.testing.assert_array_equal(exact(*args), correlation(*args))


@pytest.mark.parametrize("dtype", "bHiQ")
def test_the_method(dtype):
    rng = np.random.default_rng(10)
    a, v = values(rng, 3000, dtype, "random"), values(rng, 200, dtype, "random")
    for function, mode in itertools.product(
        (fastconv.convolve, fastconv.correlate), ("full", "same", "valid")
    ):
        for x, w in ((a, v), (v, a), (a, v.astype("u1")), (a[::-2], v.astype(v.dtype.newbyteorder()))):
            want = function(x, w, mode, method="direct")
            y = function(x, w, mode, method="exact")
            assert y.dtype == want.dtype
            np.testing.assert_array_equal(y, want)
    image, taps = a.reshape(50, 60), v[:35].reshape(5, 7)
    want = fastconv.convolve(image, taps, "same", boundary="mirror", method="direct")
    np.testing.assert_array_equal(
        fastconv.convolve(image, taps, "same", boundary="mirror", method="exact"), want
    )
    fastconv.convolve(image, taps, "same", boundary="mirror", method="exact", out=image)
    np.testing.assert_array_equal(image, want)


def test_what_it_cannot_do():
    for dtype in "?fdFO":
        with pytest.raises(TypeError, match="method 'exact' cannot compute"):
            fastconv.convolve(np.ones(9, dtype), np.ones(3, dtype), method="exact")


def test_limbs_hold_what_they_should():
    for bits, b in itertools.product((8, 16, 32, 64), range(4, 25)):
        for most in (0, 1, 2 ** (b - 1), 2 ** (b - 1) + 1, 2 ** (bits - 1) - 1, 2 ** (bits - 1)):
            found = _limbs.largest(most, bits, b)
            assert all(limb <= 2 ** (b - 1) for limb in found)
            reach = sum(limb << (b * i) for i, limb in enumerate(found))
            assert len(found) * b >= bits or reach >= most


@pytest.mark.skipif(_limbs.TWIDDLE > 2, reason="needs a long double wider than float64")
def test_twiddle_factors_are_as_near_as_the_bound_takes_for_granted():
    from fastconv._tree import twiddles

    turn = 2 * np.longdouble("3.14159265358979323846264338327950288")
    for radices in ([2] + [4] * 8, [3] + [4] * 8, [5] + [4] * 8):
        angles = np.array([0.25], np.longdouble)
        for radix, table in zip(radices, twiddles(radices, np.dtype(float))):
            angles = angles / radix
            for r in range(1, radix):
                exact_w = np.cos(turn * r * angles), np.sin(turn * r * angles)
                error = np.hypot(table[:, r - 1, 0] - exact_w[0], table[:, r - 1, 1] - exact_w[1])
                assert np.max(error) < _limbs.TWIDDLE * 2.0**-53
            order = [0, 2, 1, 3] if radix == 4 else range(radix)
            angles = (angles[:, np.newaxis] + np.array(order, np.longdouble) / radix).ravel()
