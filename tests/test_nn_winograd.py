"""Winograd's algorithm against the sum as it is written: sizes around tiles, layouts, threads, NaN."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastconv import _winograd

EPS = {"f4": 2.0**-24, "f8": 2.0**-53}
ZERO, MIRROR, WRAP = 0, 3, 5


def reference(x, w, bias, lo, size, pad="constant"):
    """Sums of taps in double precision."""
    x, w = x.astype("f8"), w.astype("f8")
    high = [max(0, s + 2 - v - n) for s, v, n in zip(size, lo, x.shape[2:])]
    x = np.pad(x, ((0, 0), (0, 0), *zip(lo, high)), mode=pad)
    y = np.zeros((len(x), len(w), *size)) + (0 if bias is None else bias[:, None, None].astype("f8"))
    for i in range(3):
        for j in range(3):
            part = x[:, :, i : i + size[0], j : j + size[1]]
            y += np.einsum("oc,ncrq->norq", w[:, :, i, j], part)
    return y


def layer(rng, n, c, o, size, dtype="f4"):
    x = rng.standard_normal((n, c, *size)).astype(dtype)
    w = rng.standard_normal((o, c, 3, 3)).astype(dtype)
    return x, w, rng.standard_normal(o).astype(dtype)


def winograd(x, w, bias, m, lo=(1, 1), size=None, boundary=(ZERO, ZERO), workers=1):
    size = x.shape[2:] if size is None else size
    y = np.full((len(x), len(w), *size), np.nan, w.dtype)
    _winograd.correlate(x, _winograd.Weights(w, m), bias, y, lo, boundary, workers)
    return y


@pytest.mark.parametrize("channels", [16, 64, 256])
def test_the_error_stays_near_that_of_the_plain_sum(rng, channels):
    """F(2, 3) is as exact as sums in short chains, F(4, 3) within a factor of five, whatever the channels."""
    x, w, _ = layer(rng, 1, channels, 32, (24, 24))
    expected = reference(x, w, None, (1, 1), (24, 24))
    for m, bound in ((2, 0.4e-6), (4, 1.0e-6)):
        error = winograd(x, w, None, m) - expected
        assert np.sqrt((error**2).mean()) < bound * np.sqrt((expected**2).mean())


def check(y, expected, m):
    scale = np.sqrt((expected**2).mean()) + 1e-30
    assert np.abs(y - expected).max() <= {2: 80, 4: 500}[m] * EPS[y.dtype.str[1:]] * scale


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("m", [2, 4])
@pytest.mark.parametrize("size", [(1, 1), (3, 4), (4, 5), (5, 8), (8, 9), (7, 33), (18, 3)])
@pytest.mark.parametrize("channels", [(1, 1), (3, 17), (16, 16), (17, 33), (33, 64), (40, 49)])
def test_sizes_around_tiles_and_vectors(rng, dtype, m, size, channels):
    x, w, bias = layer(rng, 2, *channels, size, dtype)
    check(winograd(x, w, bias, m), reference(x, w, bias, (1, 1), size), m)


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_any_layer(data):
    draw = data.draw
    m, dtype = draw(st.sampled_from([2, 4])), draw(st.sampled_from(["f4", "f8"]))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    rows, cols = draw(st.integers(1, 40)), draw(st.integers(1, 70))
    lo = draw(st.integers(0, 2)), draw(st.integers(0, 2))
    size = tuple(draw(st.integers(1, max(1, n + v))) for n, v in zip((rows, cols), lo))
    channels = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    x, w, bias = layer(rng, draw(st.integers(1, 4)), *channels, (rows, cols), dtype)
    bias = draw(st.sampled_from([None, bias]))
    workers = draw(st.integers(1, 3))
    check(winograd(x, w, bias, m, lo, size, workers=workers), reference(x, w, bias, lo, size), m)


@pytest.mark.parametrize("m", [2, 4])
@pytest.mark.parametrize("code, pad", [(MIRROR, "reflect"), (WRAP, "wrap"), (4, "edge"), (2, "symmetric")])
def test_boundaries(rng, m, code, pad):
    x, w, bias = layer(rng, 2, 5, 20, (9, 14))
    y = winograd(x, w, bias, m, boundary=(code, code))
    check(y, reference(x, w, bias, (1, 1), (9, 14), pad), m)


@pytest.mark.parametrize("m", [2, 4])
def test_strides_and_guards(rng, m):
    n, c, o, size = 2, 19, 35, (11, 21)
    x, w, bias = layer(rng, n, c, o, size)
    expected = winograd(x, w, bias, m)
    for view in (
        np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2),
        x[::-1, ::-1, ::-1, ::-1].copy()[::-1, ::-1, ::-1, ::-1],
        np.repeat(x, 2, axis=3)[..., ::2],
        np.repeat(x, 3, axis=1)[:, ::3],
    ):
        assert np.array_equal(winograd(view, w, bias, m), expected)
    assert np.array_equal(winograd(x, np.repeat(w, 2, axis=0)[::2], bias, m), expected)
    weights = _winograd.Weights(w, m)
    for whole, index in (
        (np.full((n, o + 2, 15, 25), 7, "f4"), np.s_[:, 1:-1, 2:-2, 2:-2]),
        (np.full((n, 2 * o, 11, 43), 7, "f4"), np.s_[:, ::2, :, 1::2]),
        (np.full((n, 11, 21, o + 1), 7, "f4").transpose(0, 3, 1, 2), np.s_[:, 1:]),
        (np.full((n, o, 11, 21), 7, "f4"), np.s_[:, ::-1, ::-1, ::-1]),
    ):
        y = whole[index]
        _winograd.correlate(x, weights, bias, y, (1, 1), (ZERO, ZERO), 1)
        assert np.array_equal(y, expected)
        y[...] = 7
        assert (whole == 7).all()


@pytest.mark.parametrize("m", [2, 4])
@pytest.mark.parametrize(
    "shape", [(1, 64, 64, 28, 28), (1, 130, 100, 9, 9), (5, 40, 32, 30, 31), (1, 8, 8, 300, 500)]
)
def test_threads_do_not_change_bits(rng, m, shape):
    n, c, o, *size = shape
    x, w, bias = layer(rng, n, c, o, size)
    one = winograd(x, w, bias, m)
    for workers in (2, 3):
        assert np.array_equal(winograd(x, w, bias, m, workers=workers), one)


@pytest.mark.parametrize("m", [2, 4])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 3e38])
def test_a_value_that_is_not_finite_stays_in_its_windows(rng, m, bad):
    x, w, bias = layer(rng, 2, 20, 40, (13, 18))
    for row, col in ((0, 0), (4, 7), (12, 17)):
        spoiled = x.copy()
        spoiled[1, 3, row, col] = bad
        y = winograd(spoiled, w, bias, m)
        with np.errstate(invalid="ignore", over="ignore"):
            expected = reference(spoiled, w, bias, (1, 1), (13, 18)).astype("f4")
        # A finite number is rounded in all sums of its tile, others reach their windows alone.
        reach, atol = (m, 500 * EPS["f4"] * bad) if np.isfinite(bad) else (1, 0)
        near = np.zeros(y.shape, bool)
        near[1, :, max(0, row - reach) : row + reach + 1, max(0, col - reach) : col + reach + 1] = True
        check(y[~near], expected[~near].astype("f8"), m)
        np.testing.assert_allclose(y[near], expected[near], rtol=1e-4, atol=atol)


@pytest.mark.parametrize("m", [2, 4])
def test_taps_that_are_not_finite(rng, m):
    x, w, bias = layer(rng, 1, 6, 20, (9, 9))
    w[3, 2, 1, 1], w[5, 0, 0, 0], w[7] = np.inf, np.nan, 0
    x[0, 1, 4, 4] = np.nan
    y = winograd(x, w, bias, m)
    with np.errstate(invalid="ignore"):
        expected = reference(x, w, bias, (1, 1), (9, 9))
    inside = np.s_[:, :, 1:-1, 1:-1]  # windows of finite padding times such taps are not asked about
    assert np.array_equal(np.isnan(y[inside]), np.isnan(expected[inside]))
    finite = np.isfinite(expected)
    assert np.array_equal(np.isfinite(y), finite)


def test_prepared_taps_are_a_copy_and_serve_every_size(rng):
    x, w, bias = layer(rng, 1, 20, 20, (9, 9))
    weights = _winograd.Weights(w, 4)
    y = np.empty((1, 20, 9, 9), "f4")
    _winograd.correlate(x, weights, bias, y, (1, 1), (ZERO, ZERO), 1)
    w[...] = np.nan
    again = np.empty((3, 20, 30, 40), "f4")
    larger = rng.standard_normal(again.shape).astype("f4")
    _winograd.correlate(larger, weights, bias, again, (1, 1), (ZERO, ZERO), 2)
    assert np.isfinite(again).all()
    repeated = np.empty_like(y)
    _winograd.correlate(x, weights, bias, repeated, (1, 1), (ZERO, ZERO), 1)
    assert np.array_equal(repeated, y)
    assert (weights.shape, weights.dtype, weights.m) == ((20, 20, 3, 3), np.dtype("f4"), 4)


def test_no_channels(rng):
    bias = np.arange(4, dtype="f4")
    y = winograd(np.ones((2, 0, 5, 5), "f4"), np.ones((4, 0, 3, 3), "f4"), bias, 4)
    assert (y == bias[:, None, None]).all()


def test_no_images(rng):
    x, w, bias = layer(rng, 0, 20, 20, (9, 9))
    assert winograd(x, w, bias, 4).shape == (0, 20, 9, 9)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("m", [2, 4])
@pytest.mark.parametrize(
    "shape",
    [(1, 40, 49, 14, 14), (1, 300, 70, 7, 7), (3, 150, 40, 30, 29), (1, 20, 24, 130, 130), (1, 5, 3, 1, 9)],
)
def test_taps_for_one_call_give_the_same_bits(rng, dtype, m, shape):
    """Many channels, of which a block goes point by point; few of them, where all taps are transformed."""
    n, c, o, *size = shape
    x, w, bias = layer(rng, n, c, o, size, dtype)
    prepared = winograd(x, w, bias, m)
    for workers in (1, 2):
        y = np.empty_like(prepared)
        _winograd.correlate(x, _winograd.Weights(w, m, once=True), bias, y, (1, 1), (ZERO, ZERO), workers)
        assert np.array_equal(y, prepared)
    check(prepared, reference(x, w, bias, (1, 1), size), m)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_many_channels_and_a_value_that_is_not_finite(rng, bad):
    x, w, bias = layer(rng, 2, 200, 40, (13, 18))
    x[1, 150, 4, 7] = bad
    window = np.zeros((2, 40, 13, 18), bool)
    window[1, :, 3:6, 6:9] = True
    once = np.empty(window.shape, "f4")
    _winograd.correlate(x, _winograd.Weights(w, 4, once=True), bias, once, (1, 1), (ZERO, ZERO), 1)
    for y in (once, winograd(x, w, bias, 4)):
        assert np.array_equal(~np.isfinite(y), window)
