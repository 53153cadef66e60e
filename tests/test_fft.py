"""The FFT driver against sums in a wider type: every dtype, boundary, layout and block size.

Errors are in units of eps ‖x‖ ‖w‖, the scale on which an FFT rounds.
"""

import itertools
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from fastconv import _fft
from fastconv._problem import BOUNDARIES

DTYPES = "fdFD"
PAD = {
    "zero": "constant",
    "constant": "constant",
    "reflect": "symmetric",
    "mirror": "reflect",
    "nearest": "edge",
}
WIDE = {"f": "d", "d": "g", "F": "D", "D": "G"}


def random(rng, shape, dtype):
    x = rng.standard_normal(shape)
    return (x + 1j * rng.standard_normal(shape) if dtype in "FD" else x).astype(dtype)


def correlation(x, w, lo, n_out, boundary="zero", cval=0):
    """y[o] = sum_t w[t] x~[o + t - lo] over the last len(lo) axes, in a wider type; w has those axes only."""
    first = x.ndim - len(lo)
    x = x.astype(WIDE[x.dtype.char])
    for axis, (m, before, n) in enumerate(zip(w.shape, lo, n_out), first):
        index = np.arange(-before, n + m - 1 - before)
        if boundary == "wrap":
            x = np.take(x, index % x.shape[axis], axis)
            continue
        ends = (max(0, before), max(0, index[-1] + 1 - x.shape[axis]))
        values = {"constant_values": cval} if PAD[boundary] == "constant" else {}
        x = np.pad(x, [(0, 0)] * axis + [ends] + [(0, 0)] * (x.ndim - axis - 1), PAD[boundary], **values)
        x = np.take(x, index + ends[0], axis)
    y = np.zeros((*x.shape[:first], *n_out), x.dtype)
    for tap in np.ndindex(w.shape):
        y += w[tap] * x[(..., *[slice(t, t + n) for t, n in zip(tap, n_out)])]
    return y


def check(run, x, w, lo, n_out, boundary="zero", cval=0, tol=4.0, **options):
    """Run on `x` with kernel `w` over the last axes; w broadcasts over the others."""
    n_batch = x.ndim - len(lo)
    full = np.broadcast_to(w, (*x.shape[:n_batch], *w.shape))
    y = np.full((*x.shape[:n_batch], *n_out), np.nan, x.dtype)
    code = (BOUNDARIES[boundary],) * len(lo)
    run(x, full, y, n_batch, tuple(lo), code, cval, options.pop("workers", 1), None, **options)
    want = correlation(x, w, lo, n_out, boundary, cval)
    scale = np.finfo(x.dtype).eps * np.linalg.norm(w) * (np.linalg.norm(x) + abs(cval) * np.sqrt(want.size))
    error = np.max(np.abs(y - want)) / scale
    assert error < tol, f"{x.dtype} {x.shape} {w.shape} {boundary} {options}: {error:.1f}"
    return y


@pytest.mark.parametrize("run", [_fft.overlap_save, _fft.whole])
@pytest.mark.parametrize("dtype", DTYPES)
def test_lengths(rng, run, dtype):
    for n, m in itertools.product([1, 2, 7, 100, 777], [1, 2, 5, 64, 300]):
        check(run, random(rng, n, dtype), random(rng, m, dtype), (m - 1,), (n + m - 1,))


@pytest.mark.parametrize("dtype", "fD")
def test_every_block_size(rng, dtype):
    x, w = random(rng, 5000, dtype), random(rng, 100, dtype)
    unit = 16 if dtype == "f" else 8
    for nodes in [16, 20, 24, 32, 40, 48, 64, 80, 96, 256, 1024, 1280]:
        check(_fft.overlap_save, x, w, (99,), (5099,), size=(unit * nodes,))


@pytest.mark.parametrize("run", [_fft.overlap_save, _fft.whole])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("boundary", [*PAD, "wrap"])
def test_boundaries(rng, run, dtype, boundary):
    for n, m in [(300, 51), (20, 75), (1, 3), (500, 200)]:
        cval = 2.5 if boundary == "constant" else 0
        check(run, random(rng, n, dtype), random(rng, m, dtype), (m // 3,), (n,), boundary, cval)


@pytest.mark.parametrize("run", [_fft.overlap_save, _fft.whole])
@pytest.mark.parametrize("dtype", DTYPES)
def test_layouts(rng, run, dtype):
    """Batches, strides, reversed arrays, kernels reversed in place, any axis contiguous."""
    w = random(rng, 60, dtype)
    for x in [
        random(rng, (5, 500), dtype),
        random(rng, (5, 1000), dtype)[:, ::2],
        random(rng, (5, 500), dtype)[::-1, ::-1],
        random(rng, (500, 5), dtype).T,
        random(rng, (500, 61), dtype).T,
        random(rng, (700, 3, 20), dtype).transpose(1, 2, 0),
    ]:
        check(run, x, w, (30,), (x.shape[-1],), "mirror")
        check(run, x, w[::-1], (30,), (x.shape[-1],))


@pytest.mark.parametrize("run", [_fft.overlap_save, _fft.whole])
@pytest.mark.parametrize("dtype", "fD")
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_kernel_for_each_line(rng, run, dtype, order):
    x, w = np.asarray(random(rng, (3, 4, 2000), dtype), order=order), random(rng, (3, 1, 70), dtype)
    y = np.full((3, 4, 2069), np.nan, dtype)
    run(x, np.broadcast_to(w, (3, 4, 70)), y, 2, (69,), (0,), 0, 1)
    for i, j in np.ndindex(3, 4):
        want = correlation(x[i, j], w[i, 0], (69,), (2069,))
        scale = np.finfo(dtype).eps * np.linalg.norm(x[i, j]) * np.linalg.norm(w[i, 0])
        assert np.max(np.abs(y[i, j] - want)) < 4 * scale


@pytest.mark.parametrize("dtype", "fD")
def test_a_kernel_for_each_plane(rng, dtype):
    x, w = random(rng, (3, 2, 70, 80), dtype), random(rng, (3, 1, 9, 8), dtype)
    y = np.full((3, 2, 78, 87), np.nan, dtype)
    _fft.overlap_save(x, np.broadcast_to(w, (3, 2, 9, 8)), y, 2, (8, 7), (0, 0), 0, 2)
    for i, j in np.ndindex(3, 2):
        want = correlation(x[i, j], w[i, 0], (8, 7), (78, 87))
        scale = np.finfo(dtype).eps * np.linalg.norm(x[i, j]) * np.linalg.norm(w[i, 0])
        assert np.max(np.abs(y[i, j] - want)) < 4 * scale


@pytest.mark.parametrize("dtype", DTYPES)
def test_planes(rng, dtype):
    shapes = (50, 70), (200, 130), (33, 300), (1, 1), (40, 60)
    for shape, taps in zip(shapes, [(5, 7), (31, 1), (2, 40), (3, 3), (20, 30)]):
        x, w = random(rng, (2, *shape), dtype), random(rng, taps, dtype)
        lo, full = [m - 1 for m in taps], [n + m - 1 for n, m in zip(shape, taps)]
        check(_fft.overlap_save, x, w, lo, full)
        check(_fft.overlap_save, x, w, [m // 2 for m in taps], shape, "reflect")
        check(_fft.overlap_save, x[:, ::-1, ::-1], w[::-1, ::-1], lo, full)
        check(_fft.overlap_save, np.asfortranarray(x), w, lo, full)


@pytest.mark.parametrize("dtype", DTYPES)
def test_blocks_of_many_sides(rng, dtype):
    for shape, taps in [
        ((20, 30, 40), (3, 4, 5)),
        ((2, 9, 70), (5, 1, 33)),
        ((40, 5, 6), (17, 5, 1)),
        ((5, 6, 7, 8), (2, 3, 2, 4)),
        ((3, 3, 3, 3, 9), (2, 2, 2, 1, 2)),
    ]:
        x, w = random(rng, shape, dtype), random(rng, taps, dtype)
        lo, full = [m - 1 for m in taps], [n + m - 1 for n, m in zip(shape, taps)]
        check(_fft.overlap_save, x, w, lo, full)
        check(_fft.overlap_save, x[::-1, ..., ::-1], w[::-1], [m // 2 for m in taps], shape, "mirror")
        check(_fft.overlap_save, np.asfortranarray(x), w, lo, full)
        channels_last = np.moveaxis(random(rng, (*shape, 11), dtype), -1, 0)
        check(_fft.overlap_save, channels_last, w, lo, full)


@pytest.mark.parametrize("dtype", "fD")
def test_every_size_of_three_sides(rng, dtype):
    x, w = random(rng, (9, 10, 40), dtype), random(rng, (2, 3, 4), dtype)
    for m, n, nodes in itertools.product([4, 5, 6], [4, 5, 6, 8, 10, 12], [4, 12]):
        width = nodes * (8 if dtype == "f" else 4)
        check(_fft.overlap_save, x, w, (1, 2, 3), (10, 12, 43), size=(m, n, width))


@pytest.mark.parametrize("dtype", "fD")
def test_every_tile_size(rng, dtype):
    x, w = random(rng, (150, 160), dtype), random(rng, (9, 12), dtype)
    for m, nodes in itertools.product([16, 20, 24, 32, 64, 96], [16, 20, 24, 32, 64]):
        width = nodes * (8 if dtype == "f" else 4)
        check(_fft.overlap_save, x, w, (8, 11), (158, 171), size=(m, width))


@pytest.mark.parametrize(
    "shape, taps",
    [
        ((100000,), (3000,)),
        ((20, 10000), (300,)),
        ((3000, 40), (100,)),
        ((300, 400), (20, 30)),
        ((40, 50, 60), (5, 6, 7)),
    ],
)
def test_threads_do_not_change_results(rng, shape, taps):
    x, w = random(rng, shape, "f"), random(rng, taps, "f")
    if shape == (3000, 40):
        x = x.T
    n_batch = x.ndim - len(taps)
    y = [np.empty(x.shape, "f") for _ in range(3)]
    lo, zero = tuple(m // 2 for m in taps), (0,) * len(taps)
    w = np.broadcast_to(w, (*x.shape[:n_batch], *w.shape))
    for workers, out in enumerate(y, 1):
        _fft.overlap_save(x, w, out, n_batch, lo, zero, 0, workers)
        np.testing.assert_array_equal(out, y[0])


@pytest.mark.parametrize(
    "shape, taps", [((50000,), (300,)), ((300, 400), (20, 30)), ((70, 80, 9), (8, 9, 1))]
)
def test_one_kernel_for_calls_from_many_threads(rng, shape, taps):
    xs, w = random(rng, (8, *shape), "d"), random(rng, taps, "d")
    kept: dict = {}
    lo, zero = tuple(m // 2 for m in taps), (0,) * len(taps)

    def run(x, **options):
        y = np.empty_like(x)
        _fft.overlap_save(x, w, y, 0, lo, zero, 0, 1, **options)
        return y

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda x: run(x, kept=kept), [*xs, *xs]))
    for x, first, second in zip(xs, found, found[8:]):
        np.testing.assert_array_equal(first, run(x))
        np.testing.assert_array_equal(second, first)


def test_progress_and_interrupts(rng):
    x, w, seen = random(rng, 10**6, "d"), random(rng, 1000, "d"), []
    _fft.overlap_save(x, w, np.empty_like(x), 0, (0,), (0,), 0, 1, seen.append)
    assert seen[-1] == 1
    assert seen == sorted(seen)

    def stop(done):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _fft.overlap_save(x, w, np.empty_like(x), 0, (0,), (0,), 0, 1, stop)


@pytest.mark.parametrize("run", [_fft.overlap_save, _fft.whole])
@pytest.mark.parametrize("dtype", "fd")
@pytest.mark.parametrize("m", [64, 4096, 60000])
def test_error_is_below_the_bound(rng, run, dtype, m):
    """max |error| <= 1/2 eps log2(N) ‖x‖ ‖w‖ over one block; far from it for random numbers."""
    n = 60000
    x, w = random(rng, n, dtype), random(rng, m, dtype)
    y = np.empty(n, dtype)
    run(x, w, y, 0, (0,), (0,), 0, 1)
    picked = rng.integers(0, n - m + 1, 50)
    want = [np.dot(x[i : i + m].astype("g"), w.astype("g")) for i in picked]
    scale = np.finfo(dtype).eps * np.linalg.norm(x) * np.linalg.norm(w)
    assert np.max(np.abs(y[picked] - want)) < 0.1 * scale


def test_no_output():
    _fft.overlap_save(np.ones((0, 5), "f"), np.ones((0, 3), "f"), np.ones((0, 5), "f"), 1, (1,), (0,), 0, 1)
    _fft.whole(np.ones((0, 5), "f"), np.ones((0, 3), "f"), np.ones((0, 5), "f"), 1, (1,), (0,), 0, 1)
