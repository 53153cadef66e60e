"""Layers whose channels are apart against the sum as it is written."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastconv import _depthwise

EPS = {"f4": 2.0**-24, "f8": 2.0**-53}


def reference(x, w, bias, size, stride, dilation, lo, pad="constant"):
    n, c, *shape = x.shape
    each, taps, axes = len(w) // c, w.shape[2:], range(len(shape))
    x = np.repeat(x.astype("f8"), each, axis=1)
    reach = [(s - 1) * a + (k - 1) * d + 1 for s, a, k, d in zip(size, stride, taps, dilation)]
    high = [max(0, r - v - m) for r, v, m in zip(reach, lo, shape)]
    x = np.pad(x, ((0, 0), (0, 0), *zip(lo, high)), mode=pad)
    y = np.zeros((n, len(w), *size)) + bias.reshape(-1, *(1 for _ in axes))
    for t in np.ndindex(*taps):
        first = [i * d for i, d in zip(t, dilation)]
        window = [slice(f, f + (n - 1) * s + 1, s) for f, n, s in zip(first, size, stride)]
        y += w[(slice(None), 0, *t)].reshape(-1, *(1 for _ in axes)) * x[(..., *window)]
    return y


def layer(rng, n, c, each, size, taps, dtype="f4"):
    x = rng.standard_normal((n, c, *size)).astype(dtype)
    w = rng.standard_normal((c * each, 1, *taps)).astype(dtype)
    return x, w, rng.standard_normal(c * each).astype(dtype)


def out_size(size, taps, stride, dilation, lo):
    axes = zip(size, taps, stride, dilation, lo)
    return tuple((n + 2 * v - d * (k - 1) - 1) // s + 1 for n, k, s, d, v in axes)


def run(x, w, bias, size, stride, dilation, lo, boundary=None, workers=1):
    y = np.full((len(x), len(w), *size), np.nan, x.dtype)
    _depthwise.correlate(x, w, bias, y, stride, dilation, lo, boundary or (0,) * len(size), workers)
    return y


def check(y, expected, taps):
    scale = max(1, np.abs(expected).max()) * np.sqrt(np.prod(taps))
    assert np.abs(y - expected).max() <= 16 * EPS[y.dtype.str[1:]] * scale


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("taps", [(1, 1), (3, 3), (2, 5), (5, 5), (7, 7), (3, 1)])
@pytest.mark.parametrize(
    "size", [(7, 7), (8, 15), (14, 14), (15, 16), (17, 33), (9, 70), (130, 40), (5, 1100)]
)
def test_planes(rng, dtype, stride, taps, size):
    x, w, bias = layer(rng, 2, 3, 1, size, taps, dtype)
    lo = tuple(k // 2 for k in taps)
    steps = (stride, stride), (1, 1), lo
    out = out_size(size, taps, *steps)
    check(run(x, w, bias, out, *steps), reference(x, w, bias, out, *steps), taps)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("each", [1, 3])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("taps", [3, 5, 7])
@pytest.mark.parametrize("size", [(1, 1), (2, 3), (4, 4), (7, 7), (8, 8), (9, 6), (13, 16), (7, 40)])
@pytest.mark.parametrize("lo", [0, 1, 3, 9])
def test_small_planes(rng, dtype, each, stride, taps, size, lo):
    """Two in a vector, an odd number of them, windows wholly outside; nothing beside a plane is read."""
    out = out_size(size, (taps, taps), (stride, stride), (1, 1), (lo, lo))
    if min(out) < 1:
        return
    x, w, bias = layer(rng, 2, 5, each, size, (taps, taps), dtype)
    steps = (stride, stride), (1, 1), (lo, lo)
    expected = reference(x, w, bias, out, *steps)
    check(run(x, w, bias, out, *steps), expected, (taps, taps))
    beside = np.full((2, 7, size[0] + 2, size[1] + 2), np.nan, dtype)
    inner = beside[:, 1:-1, 1:-1, 1:-1]
    inner[...] = x
    whole = np.full((2, 5 * each + 2, out[0] + 2, out[1] + 2), 7, dtype)
    y = whole[:, 1:-1, 1:-1, 1:-1]
    _depthwise.correlate(inner, w, bias, y, *steps, (0, 0), 2)
    check(y, expected, (taps, taps))
    y[...] = 7
    assert (whole == 7).all()


@pytest.mark.parametrize("stride", [(1, 1), (2, 2), (3, 1), (2, 1)])
@pytest.mark.parametrize("dilation", [(1, 2), (2, 1), (2, 2), (3, 3)])
@pytest.mark.parametrize("taps", [(3, 3), (5, 4), (7, 3)])
def test_steps_between_rows_and_taps(rng, stride, dilation, taps):
    x, w, bias = layer(rng, 2, 3, 1, (15, 21), taps)
    lo = tuple(d * (k // 2) for d, k in zip(dilation, taps))
    out = out_size((15, 21), taps, stride, dilation, lo)
    steps = stride, dilation, lo
    check(run(x, w, bias, out, *steps), reference(x, w, bias, out, *steps), taps)


@settings(deadline=None, max_examples=150)
@given(data=st.data())
def test_any_layer(data):
    draw = data.draw
    ndim = draw(st.integers(1, 3))

    def each(low, high):
        return tuple(draw(st.integers(low, high)) for _ in range(ndim))

    size, taps, dilation, lo = each(1, (70, 30, 12)[ndim - 1]), each(1, 5), each(1, 3), each(0, 4)
    stride = (*each(1, 4)[:-1], draw(st.integers(1, 2)))
    out = out_size(size, taps, stride, dilation, lo)
    if min(out) < 1:
        return
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    images, channels, kernels = draw(st.integers(1, 2)), draw(st.integers(1, 4)), draw(st.integers(1, 3))
    x, w, bias = layer(rng, images, channels, kernels, size, taps)
    y = run(x, w, bias, out, stride, dilation, lo, workers=draw(st.integers(1, 2)))
    check(y, reference(x, w, bias, out, stride, dilation, lo), taps)


@pytest.mark.parametrize("code, pad", [(2, "symmetric"), (3, "reflect"), (4, "edge"), (5, "wrap")])
def test_boundaries(rng, code, pad):
    x, w, bias = layer(rng, 2, 3, 2, (9, 20), (3, 5))
    steps = (1, 2), (1, 1), (1, 2)
    y = run(x, w, bias, (9, 10), *steps, boundary=(code, code))
    check(y, reference(x, w, bias, (9, 10), *steps, pad), (3, 5))


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("lo", [0, 1])
def test_strides_and_guards(rng, stride, lo):
    x, w, bias = layer(rng, 2, 5, 2, (12, 21), (3, 3))
    steps = (stride, stride), (1, 1), (lo, lo)
    out = out_size((12, 21), (3, 3), *steps)
    expected = run(x, w, bias, out, *steps)
    for view in (
        np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2),
        x[::-1, ::-1, ::-1, ::-1].copy()[::-1, ::-1, ::-1, ::-1],
        x[:, ::-1, ::-1].copy()[:, ::-1, ::-1],
        np.repeat(x, 2, axis=3)[..., ::2],
        np.pad(x, ((0, 0), (0, 0), (1, 2), (3, 4)), constant_values=np.nan)[:, :, 1:-2, 3:-4],
    ):
        assert np.array_equal(run(view, w, bias, out, *steps), expected)
    for axis in range(4):
        for step in (2, -1):
            shape = [n * abs(step) for n in expected.shape]
            whole = np.full(shape, 7, "f4")
            y = whole[tuple(slice(None, None, step if k == axis else abs(step)) for k in range(4))]
            _depthwise.correlate(x, w, bias, y, *steps, (0, 0), 1)
            assert np.array_equal(y, expected)
            y[...] = 7
            assert (whole == 7).all()
    whole = np.full((2, 12, out[0] + 2, out[1] + 2), 7, "f4")
    y = whole[:, 1:-1, 1:-1, 1:-1]
    _depthwise.correlate(x, w, bias, y, *steps, (0, 0), 1)
    assert np.array_equal(y, expected)
    y[...] = 7
    assert (whole == 7).all()


def test_threads_do_not_change_bits(rng):
    x, w, bias = layer(rng, 3, 20, 1, (100, 90), (5, 5))
    steps = (1, 1), (1, 1), (2, 2)
    one = run(x, w, bias, (100, 90), *steps)
    assert np.array_equal(run(x, w, bias, (100, 90), *steps, workers=2), one)


def test_a_value_that_is_not_finite_stays_in_its_windows(rng):
    for stride in (1, 2):
        steps = (stride, stride), (1, 1), (1, 1)
        x, w, bias = layer(rng, 2, 3, 1, (13, 18), (3, 3))
        out = out_size((13, 18), (3, 3), *steps)
        x[1, 2, 6, 9] = np.nan
        y = run(x, w, bias, out, *steps)
        assert np.array_equal(np.isnan(y), np.isnan(reference(x, w, bias, out, *steps)))


def test_no_images(rng):
    x, w, bias = layer(rng, 0, 3, 1, (13, 18), (3, 3))
    assert run(x, w, bias, (13, 18), (1, 1), (1, 1), (1, 1)).shape == (0, 3, 13, 18)
