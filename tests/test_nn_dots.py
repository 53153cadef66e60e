"""Layers of one axis by scalar products of windows, against the sum as it is written."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastconv import _dots

EPS = {"f4": 2.0**-24, "f8": 2.0**-53}


def reference(x, w, bias, size, stride, lo, groups, pad="constant"):
    each, reach = len(w) // groups, (size - 1) * stride + w.shape[2]
    x = np.pad(x.astype("f8"), ((0, 0), (0, 0), (lo, max(0, reach - lo - x.shape[2]))), mode=pad)
    y = np.zeros((len(x), len(w), size))
    for o in range(len(w)):
        part = x[:, o // each * w.shape[1] :][:, : w.shape[1]]
        for p in range(size):
            y[:, o, p] = bias[o] + (part[:, :, p * stride : p * stride + w.shape[2]] * w[o]).sum((1, 2))
    return y


def layer(rng, n, c, o, length, taps, groups=1, dtype="f4"):
    x = rng.standard_normal((n, c, length)).astype(dtype)
    w = rng.standard_normal((o, c // groups, taps)).astype(dtype)
    return x, w, rng.standard_normal(o).astype(dtype)


def run(x, w, bias, size, stride, lo, groups=1, boundary=0, workers=1):
    y = np.full((len(x), len(w), size), np.nan, x.dtype)
    _dots.correlate(x, w, bias, y, stride, lo, boundary, groups, workers)
    return y


def check(y, expected, w):
    scale = max(1, np.abs(expected).max()) * np.sqrt(w[0].size)
    assert np.abs(y - expected).max() <= 8 * EPS[y.dtype.str[1:]] * scale


@settings(deadline=None, max_examples=150)
@given(data=st.data())
def test_any_layer(data):
    draw = data.draw
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    groups, inputs, each = draw(st.integers(1, 2)), draw(st.integers(1, 3)), draw(st.integers(1, 6))
    length, taps, stride, lo = (draw(st.integers(1, n)) for n in (300, 70, 9, 20))
    lo -= 1
    size = (length + 2 * lo - taps) // stride + 1
    if size < 1:
        return
    dtype = draw(st.sampled_from(["f4", "f8"]))
    images = draw(st.integers(1, 3))
    x, w, bias = layer(rng, images, groups * inputs, groups * each, length, taps, groups, dtype)
    y = run(x, w, bias, size, stride, lo, groups, workers=draw(st.integers(1, 2)))
    check(y, reference(x, w, bias, size, stride, lo, groups), w)


@pytest.mark.parametrize("code, pad", [(2, "symmetric"), (3, "reflect"), (4, "edge"), (5, "wrap")])
def test_boundaries(rng, code, pad):
    x, w, bias = layer(rng, 2, 3, 5, 60, 33)
    check(run(x, w, bias, 20, 3, 16, 1, code), reference(x, w, bias, 20, 3, 16, 1, pad), w)


def test_strides_threads_and_guards(rng):
    x, w, bias = layer(rng, 2, 3, 5, 4000, 100)
    expected = run(x, w, bias, 390, 10, 3)
    assert np.array_equal(run(x, w, bias, 390, 10, 3, workers=2), expected)
    for view in (x[:, ::-1, ::-1].copy()[:, ::-1, ::-1], np.repeat(x, 2, axis=2)[..., ::2], x.T.copy().T):
        assert np.array_equal(run(view, w, bias, 390, 10, 3), expected)
    for index in (np.s_[:, ::2, 1:-1], np.s_[:, 1:6, 1:781:2], np.s_[:, 8:3:-1, 390:0:-1]):
        whole = np.full((2, 10, 392 if index[2].step != 2 else 782), 7, "f4")
        y = whole[index]
        _dots.correlate(x, w, bias, y, 10, 3, 0, 1, 1)
        assert np.array_equal(y, expected)
        y[...] = 7
        assert (whole == 7).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_value_that_is_not_finite_stays_in_its_windows(rng, bad):
    x, w, bias = layer(rng, 1, 2, 3, 400, 37)
    x[0, 1, 200] = bad
    with np.errstate(invalid="ignore"):
        expected = reference(x, w, bias, 73, 5, 0, 1)
    y = run(x, w, bias, 73, 5, 0)
    assert np.array_equal(np.isnan(y), np.isnan(expected)) and np.array_equal(np.isinf(y), np.isinf(expected))


def test_no_channels(rng):
    bias = np.arange(4, dtype="f4")
    y = run(np.ones((2, 0, 50), "f4"), np.ones((4, 0, 33), "f4"), bias, 18, 1, 0)
    assert (y == bias[:, None]).all()


def test_no_images(rng):
    x, w, bias = layer(rng, 0, 2, 3, 400, 37)
    assert run(x, w, bias, 73, 5, 0).shape == (0, 3, 73)
