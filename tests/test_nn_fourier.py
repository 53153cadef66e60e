"""Layers by FFT and by scalar products, as `fastconv.nn` runs them, against the sum as it is written."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastconv import nn
from fastconv.nn import _choice, _costs, _fourier, _geometry


def numbers(rng, shape, dtype):
    x = rng.standard_normal(shape)
    return (x + 1j * rng.standard_normal(shape) if np.dtype(dtype).kind == "c" else x).astype(dtype)


def expected(x, w, bias, groups, lo):
    axes = tuple(range(2, x.ndim))
    x = np.pad(x.astype("D" if x.dtype.kind == "c" else "d"), ((0, 0), (0, 0), *((v, v) for v in lo)))
    parts = []
    for inputs, kernels in zip(np.split(x, groups, axis=1), np.split(w.astype(x.dtype), groups)):
        windows = np.lib.stride_tricks.sliding_window_view(inputs, w.shape[2:], axes)
        taps = (1, *(axis + len(axes) for axis in axes))
        parts.append(np.moveaxis(np.tensordot(windows, kernels, (taps, (1, *axes))), -1, 1))
    return np.concatenate(parts, axis=1) + bias.reshape(-1, *(1 for _ in axes))


@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_any_layer(data):
    draw = data.draw
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    rank, groups = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    least, most = ((32, 300), (6, 30))[rank - 1]
    taps = tuple(draw(st.integers(least, most)) for _ in range(rank))
    size = tuple(draw(st.integers(k, k + most)) for k in taps)
    lo = tuple(draw(st.integers(0, k // 2)) for k in taps)
    dtype = draw(st.sampled_from("fdFD"))
    x = numbers(rng, (draw(st.integers(1, 2)), 2 * groups, *size), dtype)
    w = numbers(rng, (3 * groups, 2, *taps), dtype)
    bias = numbers(rng, 3 * groups, dtype)
    function = (nn.conv1d, nn.conv2d)[rank - 1]
    y = function(x, w, bias, padding=lo, groups=groups, algorithm="fft", workers=draw(st.integers(1, 2)))
    want = expected(x, w, bias, groups, lo)
    assert y.dtype == x.dtype
    assert np.abs(y - want).max() <= 300 * np.finfo(dtype).eps * np.sqrt((np.abs(want) ** 2).mean() + 1)


def test_prepared_layers_and_boundaries(rng):
    x, w = numbers(rng, (2, 3, 500), "f"), numbers(rng, (4, 3, 101), "f")
    layer = nn.Conv1d(w, padding=50, padding_mode="circular", algorithm="fft")
    assert layer.explain(x).engine == "fourier"
    wrapped = np.pad(x, ((0, 0), (0, 0), (50, 50)), mode="wrap")
    want = nn.conv1d(wrapped, w, algorithm="direct")
    for _ in range(2):
        np.testing.assert_allclose(layer(x), want, atol=1e-3)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_value_that_is_not_finite_stays_in_its_windows(rng, bad):
    x, w = numbers(rng, (1, 2, 400), "f"), numbers(rng, (3, 2, 64), "f")
    clean = nn.conv1d(x, w, algorithm="fft")
    x[0, 1, 200] = bad
    y = nn.conv1d(x, w, algorithm="fft")
    reached = np.zeros(y.shape, bool)
    reached[:, :, 137:201] = True
    assert np.array_equal(~np.isfinite(y), reached)
    np.testing.assert_allclose(y[~reached], clean[~reached], atol=1e-3)


def engine(x_shape, w_shape, stride=1, padding=0, groups=1, dtype="f"):
    rank = len(w_shape) - 2
    pads = ((padding, padding),) * rank
    g = _geometry.layer(x_shape, w_shape, (stride,) * rank, pads, (1,) * rank, groups, "zero")
    return _choice.choose("layer", g, np.dtype(dtype), "auto", True).name


def test_auto_takes_the_engine_that_is_made_for_the_layer():
    assert engine((1, 64, 56, 56), (64, 64, 3, 3), padding=1) == "winograd4"
    assert engine((1, 64, 56, 56), (64, 1, 3, 3), padding=1, groups=64) == "depthwise"
    assert engine((1, 1, 16000), (1, 1, 400), stride=160) == "dots"
    assert engine((1, 4, 16384), (4, 4, 4096)) == "fourier"
    assert engine((1, 64, 56, 56), (256, 64, 1, 1), dtype="d") == "gemm"


def test_estimates_grow_with_the_layer():
    def seconds(n, c):
        g = _geometry.layer((1, c, n), (c, c, 512), (1,), ((0, 0),), (1,), 1, "zero")
        assert _fourier.can(g, np.dtype("f"))
        return [f(g, np.dtype("f"), True) for f in (_costs.fourier, _costs.dots)]

    for small, more_outputs, more_channels in zip(seconds(2000, 2), seconds(20000, 2), seconds(2000, 8)):
        assert small < more_outputs and small < more_channels
