"""Quantised layers against sums of Python integers and fractions."""

from fractions import Fraction

import numpy as np
import pytest
import reference_nn
from hypothesis import given, settings
from hypothesis import strategies as st
from nn_cases import back, numbers, seen_as

from fastconv import nn

BYTES = ["int8", "uint8"]


def sums(x, w, x_zero, w_zero, stride, pads, dilation):
    """As objects: exact."""
    centred = x.astype(object) - int(x_zero)
    w_zero = np.asarray(w_zero).astype(object).reshape(-1, *(1,) * (w.ndim - 1))
    axes = zip(x.shape[2:], w.shape[2:], stride, pads, dilation)
    size = tuple((n + lo + hi - d * (k - 1) - 1) // s + 1 for n, k, s, (lo, hi), d in axes)
    lo = tuple(lo for lo, _ in pads)
    zero = ("zero",) * len(size)
    # longs stand for the exact integers: nothing here is as large as 2^63
    taps = (w.astype(object) - w_zero).astype(np.int64)
    return reference_nn.forward(centred.astype(np.int64), taps, None, size, stride, dilation, lo, zero)


@st.composite
def cases(draw):
    rank, groups = draw(st.integers(1, 3)), draw(st.sampled_from([1, 1, 2, 3]))
    per_group, outputs = draw(st.integers(1, 5)), groups * draw(st.integers(1, 5))
    each = {"min_size": rank, "max_size": rank}
    m, stride, dilation = (draw(st.lists(st.integers(1, 3), **each)) for _ in range(3))
    n = draw(st.lists(st.integers(1, 9), **each))
    pads = []
    for size, k, d in zip(n, m, dilation):
        lo, hi = draw(st.integers(0, 3)), draw(st.integers(0, 3))
        pads.append((lo, max(hi, d * (k - 1) + 1 - size - lo)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    x_dtype, w_dtype = draw(st.sampled_from(BYTES)), draw(st.sampled_from(BYTES))
    x = numbers(rng, (draw(st.integers(1, 3)), groups * per_group, *n), x_dtype)
    w = numbers(rng, (outputs, per_group, *m), w_dtype)
    x_zero = numbers(rng, (), x_dtype)
    w_zero = numbers(rng, draw(st.sampled_from([(), (1,), (outputs,)])), w_dtype)
    layer = {"stride": tuple(stride), "padding": tuple(pads), "dilation": tuple(dilation), "groups": groups}
    return x, w, x_zero, w_zero, layer, draw(st.sampled_from(["NCHW", "NHWC"])), rng


def truth(x, w, x_zero, w_zero, layer):
    return sums(x, w, x_zero, w_zero, layer["stride"], layer["padding"], layer["dilation"])


@settings(max_examples=150)
@given(cases())
def test_sums_are_exact(case):
    x, w, x_zero, w_zero, layer, layout, _ = case
    y = nn.conv_integer(seen_as(x, layout), w, x_zero, w_zero, **layer, layout=layout)
    np.testing.assert_array_equal(
        back(y, layout), truth(x, w, x_zero, w_zero, layer).astype(np.int32), strict=True
    )


def quantised(total, ratio, zero, dtype):
    """round(total * ratio), halves to even, + zero, stopped at the ends of the dtype."""
    info = np.iinfo(dtype)
    rounded = [round(int(t) * r) + int(zero) for t, r in zip(total.ravel(), ratio.ravel())]
    return np.clip(np.array(rounded, object), info.min, info.max).astype(dtype).reshape(total.shape)


@settings(max_examples=150)
@given(cases(), st.sampled_from(BYTES), st.booleans(), st.booleans(), st.sampled_from([2.0**-9, 0.0017, 0.3]))
def test_quantised_results_are_rounded_once(case, y_dtype, each, with_bias, scale):
    """Scales that are powers of 2 make halves, which must become even."""
    x, w, x_zero, w_zero, layer, layout, rng = case
    outputs = len(w)
    w_scale = np.float32(scale) * rng.choice([0.5, 1, 2], outputs if each else ()).astype(np.float32)
    y_zero = numbers(rng, (), y_dtype)
    bias = rng.integers(-(2**20), 2**20, outputs, np.int32) if with_bias else None
    y = nn.qlinear_conv(
        seen_as(x, layout), 0.5, x_zero, w, w_scale, w_zero, 0.25, y_zero, bias, **layer, layout=layout
    )
    total = truth(x, w, x_zero, w_zero, layer)
    shape = (-1, *(1,) * (w.ndim - 2))
    if with_bias:
        total = total + bias.reshape(shape)
    ratio = np.array([Fraction(float(s)) * 2 for s in np.broadcast_to(w_scale, outputs)], object)
    ratio = np.broadcast_to(ratio.reshape(shape), total.shape[1:])
    want = quantised(total, np.broadcast_to(ratio, total.shape), y_zero, y_dtype)
    np.testing.assert_array_equal(back(y, layout), want, strict=True)


@pytest.mark.parametrize("x_dtype", BYTES)
@pytest.mark.parametrize("w_dtype", BYTES)
def test_larger_layers(rng, x_dtype, w_dtype):
    x, w = numbers(rng, (2, 36, 14, 15), x_dtype), numbers(rng, (40, 36, 3, 3), w_dtype)
    x_zero, w_zero = numbers(rng, (), x_dtype), numbers(rng, (40,), w_dtype)
    layer = {"stride": (1, 1), "padding": ((1, 1), (1, 1)), "dilation": (1, 1)}
    y = nn.conv_integer(x, w, x_zero, w_zero, **layer)
    want = truth(x, w, x_zero, w_zero, {**layer, "groups": 1})
    np.testing.assert_array_equal(y, want.astype(np.int32), strict=True)


@pytest.mark.parametrize("x_dtype", BYTES)
@pytest.mark.parametrize("w_dtype", BYTES)
def test_extremes(x_dtype, w_dtype):
    """The largest sums of many products, of either sign."""
    for x_value in (np.iinfo(x_dtype).min, np.iinfo(x_dtype).max):
        for w_value in (np.iinfo(w_dtype).min, np.iinfo(w_dtype).max):
            x, w = np.full((1, 64, 9, 9), x_value, x_dtype), np.full((16, 64, 5, 5), w_value, w_dtype)
            assert (nn.conv_integer(x, w) == 1600 * int(x_value) * int(w_value)).all()


def test_saturation_and_halves():
    x = np.array([[1, 3, 5, 200, 255]], np.uint8)
    w = np.array([[[1]]], np.int8)
    y = nn.qlinear_conv(x, 1.0, 0, w, 0.5, 0, 1.0, np.int8(-2))
    np.testing.assert_array_equal(y, np.array([[-2, 0, 0, 98, 126]], np.int8), strict=True)
    y = nn.qlinear_conv(x, 1.0, 0, w, 4.0, 0, 1.0, np.uint8(1))
    np.testing.assert_array_equal(y, np.array([[5, 13, 21, 255, 255]], np.uint8), strict=True)
    assert nn.qlinear_conv(x.astype(np.int8), 1.0, 0, w, 4.0, 0, 1.0, 0).dtype == np.int8


def test_out_and_unbatched(rng):
    x, w = numbers(rng, (3, 9, 9), "uint8"), numbers(rng, (4, 3, 3, 3), "int8")
    want = nn.conv_integer(x[None], w, 128, 3)[0]
    out = np.empty((4, 7, 14), np.int32)[..., ::2]
    assert nn.conv_integer(x, w, 128, 3, out=out) is out
    np.testing.assert_array_equal(out, want)
    small = np.empty((4, 7, 7), np.uint8)
    assert nn.qlinear_conv(x, 1.0, 128, w, 0.01, 3, 1.0, 7, out=small) is small
    np.testing.assert_array_equal(small, (np.rint(want * 0.01) + 7).clip(0, 255))


X, W = np.ones((1, 2, 5, 5), np.uint8), np.ones((3, 2, 2, 2), np.int8)


@pytest.mark.parametrize(
    ("arguments", "options", "error", "words"),
    [
        ((X.astype("f"), W), {}, TypeError, "x must hold int8 or uint8, got float32"),
        ((X, W.astype("i4")), {}, TypeError, "w must hold int8 or uint8, got int32"),
        ((X, W[0, 0]), {}, ValueError, r"w must have 3, 4 or 5 dimensions.*got shape \(2, 2\)"),
        ((X, W, 256), {}, ValueError, "x_zero_point must be from 0 to 255, got 256"),
        ((X, W, 1.5), {}, TypeError, "x_zero_point must be of integers, got 1.5"),
        ((X, W, [1, 2]), {}, ValueError, r"x_zero_point must be a number, got shape \(2,\)"),
        ((X, W, 0, [1, 2]), {}, ValueError, "w_zero_point must be a number or 3 of them"),
        ((X, W, 0, -129), {}, ValueError, "w_zero_point must be from -128 to 127, got -129"),
        ((X, W[:, :1]), {}, ValueError, "x must have groups .* channels, got 2"),
        ((X, W), {"out": np.empty((1, 3, 4, 4), "i8")}, TypeError, "out must have the result's dtype int32"),
        ((X, W), {"layout": "NCWH"}, ValueError, "layout must be one of"),
    ],
)
def test_bad_input(arguments, options, error, words):
    with pytest.raises(error, match=words):
        nn.conv_integer(*arguments, **options)


@pytest.mark.parametrize(
    ("place", "value", "error", "words"),
    [
        (1, 0.0, ValueError, "x_scale must be positive and finite, got 0.0"),
        (1, "1", TypeError, "x_scale must be of real numbers"),
        (4, [1.0, 2.0], ValueError, "w_scale must be a number or 3 of them"),
        (6, np.inf, ValueError, "y_scale must be positive and finite, got inf"),
        (7, -1, ValueError, "y_zero_point must be from 0 to 255, got -1"),
        (8, [1, 2, 3], TypeError, "bias must hold int32, got int64"),
        (8, np.ones(2, "i4"), ValueError, r"bias must have w.shape\[0\] = 3 elements, got 2"),
    ],
)
def test_bad_scales(place, value, error, words):
    arguments = [X, 1.0, 0, W, 1.0, 0, 1.0, 0, None]
    arguments[place] = value
    with pytest.raises(error, match=words):
        nn.qlinear_conv(*arguments)
