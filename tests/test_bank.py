"""Banks of kernels against one correlation for each pair, added up."""

import itertools

import numpy as np
import pytest

from fastconv import _bank, _fft
from fastconv._problem import BOUNDARIES


def random(rng, shape, dtype):
    x = rng.standard_normal(shape)
    return (x + 1j * rng.standard_normal(shape) if dtype in "FD" else x).astype(dtype)


def sums(x, w, n_out, lo, boundary, cval, pairs):
    y = np.zeros((len(x), len(w), *n_out), x.dtype)
    for s, t in zip(*np.nonzero(pairs)):
        one = np.empty_like(y[:, 0])
        kernel = np.broadcast_to(w[s, t], (len(x), *w.shape[2:]))
        _fft.overlap_save(x[:, t], kernel, one, 1, lo, boundary, cval, 1)
        y[:, s] += one
    return y


@pytest.mark.parametrize("dtype", "fdFD")
@pytest.mark.parametrize(
    "shape, channels, taps",
    [
        ((1, 1, 5000), 7, (90,)),
        ((2, 3, 700), 2, (700,)),
        ((3, 2, 40, 50), 3, (5, 9)),
        ((1, 4, 100, 90), 2, (31, 1)),
        ((2, 1, 9, 10, 20), 5, (3, 4, 5)),
    ],
)
def test_against_single_kernels(dtype, shape, channels, taps):
    rng = np.random.default_rng(1)
    x, w = random(rng, shape, dtype), random(rng, (channels, shape[1], *taps), dtype)
    lo, n_out = tuple(m // 2 for m in taps), shape[2:]
    some = rng.random((channels, shape[1])) < 0.6
    for name, pairs in itertools.product(("constant", "mirror"), (None, some, np.zeros_like(some))):
        boundary = (BOUNDARIES[name],) * len(taps)
        y = np.full((shape[0], channels, *n_out), np.nan, dtype)
        cval = 0.5 if name == "constant" else 0
        assert not _bank.correlate(x, w, y, lo, boundary, cval, 1, None, pairs)
        used = np.ones((channels, shape[1]), bool) if pairs is None else pairs
        want = sums(x, w, n_out, lo, boundary, cval, used)
        scale = np.finfo(dtype).eps * np.linalg.norm(w) * np.linalg.norm(x)
        assert np.max(np.abs(y - want)) < 4 * scale


def test_groups_threads_strides_and_kept():
    rng = np.random.default_rng(2)
    x, w, kept = random(rng, (1, 1, 50_000), "f"), random(rng, (150, 1, 300), "f"), {}
    lo, boundary = (150,), (0,)
    want = np.empty((1, 150, 50_000), "f")
    _bank.correlate(x, w, want, lo, boundary, 0, 1)
    for workers in (1, 2, 3):
        y = np.empty((50_000, 150, 1), "f").transpose(2, 1, 0)
        _bank.correlate(x, w, y, lo, boundary, 0, workers, None, None, kept)
        np.testing.assert_array_equal(y, want)
    y = np.empty((1, 75, 50_000), "f")
    _bank.correlate(x[..., ::-1], w[::2, :, ::-1], y, (149,), boundary, 0, 1)
    scale = np.finfo("f").eps * np.linalg.norm(w[0]) * np.linalg.norm(x)
    assert np.max(np.abs(y[..., ::-1] - want[:, ::2])) < 4 * scale


def test_values_that_are_not_finite_are_told():
    rng = np.random.default_rng(3)
    x, w, y = random(rng, (1, 2, 3000), "d"), random(rng, (4, 2, 50), "d"), np.empty((1, 4, 3000))
    assert not _bank.correlate(x, w, y, (25,), (0,), 0, 1)
    x[0, 1, 2000] = np.inf
    assert _bank.correlate(x, w, y, (25,), (0,), 0, 1)
