"""The FFT driver against sums in a wider type: every dtype, boundary, layout and block size.

Errors are in units of eps ‖x‖ ‖w‖, the scale on which an FFT rounds.
"""

import itertools
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from fastconv import _cost, _fft, _whole
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


@pytest.mark.parametrize("run", [_fft.overlap_save, _whole.whole])
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


@pytest.mark.parametrize("run", [_fft.overlap_save, _whole.whole])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("boundary", [*PAD, "wrap"])
def test_boundaries(rng, run, dtype, boundary):
    for n, m in [(300, 51), (20, 75), (1, 3), (500, 200)]:
        cval = 2.5 if boundary == "constant" else 0
        check(run, random(rng, n, dtype), random(rng, m, dtype), (m // 3,), (n,), boundary, cval)


@pytest.mark.parametrize("run", [_fft.overlap_save, _whole.whole])
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


@pytest.mark.parametrize("run", [_fft.overlap_save, _whole.whole])
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


def lanes(dtype):
    return _cost.rates().vector_bytes // (4 if dtype in "fF" else 8)


@pytest.mark.parametrize("dtype", "fD")
def test_every_size_of_three_sides(rng, dtype):
    x, w = random(rng, (9, 10, 40), dtype), random(rng, (2, 3, 4), dtype)
    for m, n, nodes in itertools.product([4, 5, 6], [4, 5, 6, 8, 10, 12], [4, 12]):
        width = nodes * lanes(dtype)
        check(_fft.overlap_save, x, w, (1, 2, 3), (10, 12, 43), size=(m, n, width))


@pytest.mark.parametrize("dtype", "fD")
def test_every_tile_size(rng, dtype):
    x, w = random(rng, (150, 160), dtype), random(rng, (9, 12), dtype)
    for m, nodes in itertools.product([16, 20, 24, 32, 64, 96], [16, 20, 24, 32, 64]):
        width = nodes * lanes(dtype)
        check(_fft.overlap_save, x, w, (8, 11), (158, 171), size=(m, width))


@pytest.mark.parametrize("dtype", DTYPES)
def test_whole_blocks_of_many_sides(rng, dtype):
    for shape, taps in [
        ((30, 40), (30, 40)),
        ((9, 300), (4, 2)),
        ((5, 20, 9), (7, 3, 1)),
        ((2, 3, 4, 5), (2, 3, 4, 5)),
    ]:
        x, w = random(rng, shape, dtype), random(rng, taps, dtype)
        lo, full = [m - 1 for m in taps], [n + m - 1 for n, m in zip(shape, taps)]
        check(_whole.whole, x, w, lo, full)
        check(_whole.whole, x[::-1, ..., ::-1], w[::-1], [m // 3 for m in taps], shape, "mirror")
        check(_whole.whole, np.asfortranarray(x), w, [0] * len(taps), [max(1, n - 3) for n in shape])


@pytest.mark.parametrize("dtype", DTYPES)
def test_whole_blocks_beyond_the_cache(rng, dtype):
    """Down and up in parts: the last ones are narrower, some rows are of zeros alone."""
    for shape, taps in [
        ((150001,), (20,)),
        ((400, 501), (3, 4)),
        ((2, 90001), (2, 5)),
        ((50, 60, 80), (2, 3, 2)),
    ]:
        shape = (*shape[:-1], shape[-1] * 4 // np.dtype(dtype).itemsize)
        x, w = random(rng, shape, dtype), random(rng, taps, dtype)
        lo, full = [m - 1 for m in taps], [n + m - 1 for n, m in zip(shape, taps)]
        check(_whole.whole, x, w, lo, full)
        for boundary in ("wrap", "mirror", "constant"):
            cval = 1.5 if boundary == "constant" else 0
            check(_whole.whole, x[..., ::-1], w, [m // 3 for m in taps], shape, boundary, cval)


@pytest.mark.parametrize("run", [_fft.overlap_save, _whole.whole])
def test_any_window_of_the_full_result(rng, run):
    """What whole blocks leave out must not wrap onto the outputs, inside the full result and beyond it."""
    for n, m in [(500, 400), (300, 33), (64, 64), (1, 7)]:
        x, w = random(rng, n, "d"), random(rng, m, "d")
        sizes = [1, 5, n, n + m - 1, n + 2 * m]
        for first, size in itertools.product([-m - 3, 0, 1, m // 2, m - 1, n, n + m], sizes):
            check(run, x, w, (m - 1 - first,), (size,))


BLOCKS = [
    (_fft.overlap_save, (100000,), (3000,)),
    (_fft.overlap_save, (20, 10000), (300,)),
    (_fft.overlap_save, (3000, 40), (100,)),
    (_fft.overlap_save, (300, 400), (20, 30)),
    (_fft.overlap_save, (40, 50, 60), (5, 6, 7)),
    (_whole.whole, (200000,), (150000,)),
    (_whole.whole, (3, 100000), (100000,)),
    (_whole.whole, (20, 3000), (2000,)),
    (_whole.whole, (500, 400), (200, 300)),
    (_whole.whole, (60, 50, 70), (30, 20, 40)),
]


@pytest.mark.parametrize("run, shape, taps", BLOCKS)
def test_threads_do_not_change_results(rng, run, shape, taps):
    x, w = random(rng, shape, "f"), random(rng, taps, "f")
    if shape == (3000, 40):
        x = x.T
    n_batch = x.ndim - len(taps)
    lo, zero = tuple(m // 2 for m in taps), (0,) * len(taps)
    w = np.broadcast_to(w, (*x.shape[:n_batch], *w.shape))
    want = np.empty(x.shape, "f")
    run(x, w, want, n_batch, lo, zero, 0, 1)
    for workers in (2, 3, 8):
        y = np.empty(x.shape, "f")
        run(x, w, y, n_batch, lo, zero, 0, workers)
        np.testing.assert_array_equal(y, want)


@pytest.mark.parametrize("run, shape, taps", BLOCKS)
def test_one_kernel_for_calls_from_many_threads(rng, run, shape, taps):
    xs, w = random(rng, (4, *shape), "f"), random(rng, taps, "f")
    n_batch = len(shape) - len(taps)
    w = np.broadcast_to(w, (*shape[:n_batch], *w.shape))
    lo, zero = tuple(m // 2 for m in taps), (0,) * len(taps)
    kept: dict = {}

    def result(x, **options):
        y = np.empty_like(x)
        run(x, w, y, n_batch, lo, zero, 0, 1, **options)
        return y

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda x: result(x, kept=kept), [*xs, *xs]))
    for x, first, second in zip(xs, found, found[4:]):
        np.testing.assert_array_equal(first, result(x))
        np.testing.assert_array_equal(second, first)


@pytest.mark.parametrize("shape", [(1 << 18,), (1 << 17, 2), (500, 300), (60, 50, 70)])
def test_whole_blocks_and_many_are_of_one_mind(rng, shape):
    for dtype in "fD":
        x, w = random(rng, shape, dtype), random(rng, [min(n, 70000 >> 4 * len(shape)) for n in shape], dtype)
        y = np.empty((2, *shape), dtype)
        for run, out in zip((_fft.overlap_save, _whole.whole), y):
            run(x, w, out, 0, tuple(m // 2 for m in w.shape), (0,) * x.ndim, 0, 2)
        assert np.max(np.abs(y[1] - y[0])) < np.finfo(dtype).eps * np.linalg.norm(x) * np.linalg.norm(w)


def test_progress_and_interrupts(rng):
    x, w, seen = random(rng, 10**6, "d"), random(rng, 1000, "d"), []
    _fft.overlap_save(x, w, np.empty_like(x), 0, (0,), (0,), 0, 1, seen.append)
    assert seen[-1] == 1
    assert seen == sorted(seen)

    def stop(done):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _fft.overlap_save(x, w, np.empty_like(x), 0, (0,), (0,), 0, 1, stop)


@pytest.mark.parametrize("run", [_fft.overlap_save, _whole.whole])
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
    _whole.whole(np.ones((0, 5), "f"), np.ones((0, 3), "f"), np.ones((0, 5), "f"), 1, (1,), (0,), 0, 1)
