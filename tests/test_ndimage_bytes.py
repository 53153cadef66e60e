"""Images of 8 and 16 bits against the definition, and against scipy.ndimage where that is installed.

Whole weights give the exact sum, whose low bits are kept or which saturates. Real weights give the sum in
double, truncated after each axis as in SciPy, or rounded once.
"""

import itertools
import os
import subprocess
import sys

import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import pytest
import reference as ref
from hypothesis import given, settings

from fastconv import _bytes, _kernels, ndimage
from fastconv.ndimage import _integers

try:
    from scipy import ndimage as scipy_ndimage
except ImportError:
    scipy_ndimage = None
with_scipy = pytest.mark.skipif(scipy_ndimage is None, reason="SciPy is not installed")

BOUNDARIES = ("reflect", "mirror", "nearest", "wrap", "constant")
SMALL = "BbHh"
OUTPUTS = "BbHhiI"


def pixels(rng, shape, dtype):
    info = np.iinfo(dtype)
    return rng.integers(info.min, info.max, shape, dtype=dtype, endpoint=True)


def sums(x, w, axes=None, mode="reflect", cval=0, origins=None):
    """The sums of the definition, in Python's integers or in long double."""
    axes = range(x.ndim) if axes is None else axes
    wide = object if w.dtype.kind in "iu" else np.longdouble
    y = np.zeros(x.shape, wide)
    for tap in np.ndindex(w.shape):
        terms = x.astype(wide)
        for k, t, m, origin in zip(axes, tap, w.shape, origins or [0] * w.ndim):
            source = [ref.inside(i + t - m // 2 - origin, x.shape[k], mode) for i in range(x.shape[k])]
            terms = np.take(terms, [i or 0 for i in source], axis=k)
            terms[(slice(None),) * k + ([i is None for i in source],)] = cval
        y += (int(w[tap]) if wide is object else w[tap]) * terms
    return y


def stored(exact, dtype, overflow="wrap"):
    """Exact integers as a dtype has them."""
    info = np.iinfo(dtype)
    if overflow == "saturate":
        exact = np.clip(exact, info.min, info.max)
    bits = 8 * np.dtype(dtype).itemsize
    return (exact % (1 << bits)).astype(f"u{bits // 8}").view(dtype)


def check(x, w, dtypes=OUTPUTS, **keywords):
    known = {name: value for name, value in keywords.items() if name in ("mode", "cval", "axes")}
    exact = sums(x, w, origins=keywords.get("origin"), **known)
    for dtype, overflow in itertools.product(dtypes, ("wrap", "saturate")):
        y = ndimage.correlate(x, w, output=dtype, overflow=overflow, **keywords)
        ref.assert_equal(
            y, stored(exact, dtype, overflow), f"{x.dtype}{x.shape} {dtype} {overflow} {keywords}"
        )


@pytest.mark.parametrize("mode", BOUNDARIES)
@pytest.mark.parametrize("dtype", SMALL)
def test_whole_weights(rng, dtype, mode):
    shapes = [
        ((7, 9), (3, 3)),
        ((1, 5), (2, 4)),
        ((2, 40), (9, 4)),
        ((200, 3), (6, 1)),
        ((9,), (4,)),
        ((1,), (7,)),
    ]
    shapes += [
        ((3, 4, 9), (3, 3, 3)),
        ((4, 5, 3), (3, 3, 1)),
        ((2, 3, 2, 3, 4), (2, 3, 2, 1, 2)),
        ((0, 4), (3, 3)),
    ]
    for (shape, taps), most in itertools.product(shapes, (4, 127, 3000, 10**6)):
        x, w = pixels(rng, shape, dtype), rng.integers(-most, most, taps, endpoint=True)
        check(x, w, mode=mode, cval=3)


@pytest.mark.parametrize("size", range(1, 12))
def test_sizes_of_kernels(rng, size):
    """Every height within a packed line, and every remainder of rows and columns."""
    for other, dtype in itertools.product((1, 3, 4), "BH"):
        for taps in {(size, other), (other, size)}:
            w, x = rng.integers(-9, 10, taps), pixels(rng, (13, 70), dtype)
            for rows, columns in itertools.product(
                (1, 2, 3, 4, 5, 8, 13), (1, 2, 15, 16, 31, 33, 63, 64, 65, 70)
            ):
                part = x[:rows, :columns]
                padded = np.pad(part.astype(int), [(m // 2, m - 1 - m // 2) for m in taps], "symmetric")
                want = sum(w[i, j] * padded[i : i + rows, j : j + columns] for i, j in np.ndindex(taps))
                ref.assert_equal(
                    ndimage.correlate(part, w, output=np.int32), want.astype("i"), f"{taps} {part.shape}"
                )


@with_scipy
@pytest.mark.parametrize("mode", BOUNDARIES)
@pytest.mark.parametrize("width", [63, 64, 65, 127, 128, 129, 200, 257, 4097, 9000])
def test_widths(rng, width, mode):
    """More and less than a tile and than a panel."""
    for dtype, taps in itertools.product("BH", ((3, 3), (2, 6), (7, 5), (1, 9), (5, 1))):
        x, w = pixels(rng, (9, width), dtype), rng.integers(-9, 10, taps)
        want = scipy_ndimage.correlate(x, w, np.int32, mode, 7)
        for y in (ndimage.correlate(x, w, np.int32, mode, 7), ndimage.correlate(x, w, np.uint8, mode, 7)):
            ref.assert_equal(y, want.astype(y.dtype))


@with_scipy
@settings(max_examples=150, deadline=None)
@given(st.data(), st.sampled_from(BOUNDARIES), st.sampled_from(SMALL), st.sampled_from(OUTPUTS))
def test_any_whole_correlation(data, mode, inner, outer):
    shape = data.draw(hnp.array_shapes(min_dims=1, max_dims=5, max_side=9))
    along = data.draw(st.sets(st.integers(0, len(shape) - 1), min_size=1).map(sorted))
    taps = data.draw(hnp.array_shapes(min_dims=len(along), max_dims=len(along), max_side=5))
    origin = [data.draw(st.integers(-(m // 2), (m - 1) // 2)) for m in taps]
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    x = pixels(rng, shape, inner)
    order = data.draw(st.permutations(range(len(shape))))  # of the axes in memory
    x = x.transpose(order).copy().transpose(np.argsort(order))
    if data.draw(st.booleans()):
        x = np.repeat(x, 2, -1)[..., ::-2]
    w = rng.integers(-200, 200, taps)
    overflow = data.draw(st.sampled_from(["wrap", "saturate"]))
    keywords = {"mode": mode, "cval": 5, "origin": origin, "axes": tuple(along)}
    want = scipy_ndimage.correlate(x, w, np.float64, **keywords).astype(np.int64)
    y = np.empty(shape, outer) if data.draw(st.booleans()) else np.empty(shape[::-1], outer).T
    assert ndimage.correlate(x, w, y, overflow=overflow, **keywords) is y
    ref.assert_equal(np.ascontiguousarray(y), stored(want.astype(object), outer, overflow), str(keywords))


@pytest.mark.parametrize("taps", [(3, 3), (4, 5), (7, 2)], ids=str)
def test_extremes(taps):
    """Sums as large as they can be, for each family of kernels."""
    rows, columns = np.indices(taps)
    patterns = [np.ones(taps, int), (-1) ** (rows + columns), (-1) ** rows, (-1) ** columns]
    scales = (1, 63, 64, 65, 127, -128, 128, 32767, -32768, 32768, 2**31 - 1)
    for dtype, pattern, scale in itertools.product(SMALL, patterns, scales):
        info = np.iinfo(dtype)
        for value in (info.min, info.max):
            check(np.full((5, 6), value, dtype), pattern * scale)


@pytest.mark.parametrize("family", _bytes.FAMILIES)
def test_each_family(rng, family):
    w = rng.integers(-20, 21, (5, 3))
    x = pixels(rng, (30, 150), "B")
    exact = sums(x, w)
    for y, store in [
        (np.empty(x.shape, "H"), _bytes.WRAPPED[2]),
        (np.empty(x.shape, "B"), _bytes.WRAPPED[1]),
    ]:
        _bytes.Correlation(w, (0, 1), (2, 1), (2, 2), 0, family, store).run(x, y, 1)
        ref.assert_equal(y, stored(exact, y.dtype))


def test_the_fastest_exact_family():
    first = next((name for name in ("b4", "b2") if name in _bytes.FAMILIES), "h2")
    w = np.ones((3, 3), np.int64)

    def family(x, w, y, saturate=False):
        return _integers._exact(np.dtype(x), w.copy(), w.ravel().tolist(), np.dtype(y), saturate)[0]

    assert family("B", w, "B") == family("B", w, "h") == first
    assert family("B", 120 * w, "B") in ("b4", "h2")
    assert family("H", w, "H") == family("B", 1000 * w, "h") == "h2"
    assert family("B", 257 * w, "B") == first  # only the low bits count
    assert family("B", 257 * w, "B", True) == "h2"
    assert family("B", 10**5 * w, "i") == ""
    assert family("H", 10**4 * w, "H", True) == ""


def test_layouts(rng):
    """Channels last and first, columns in memory, steps, byte-swapped, unaligned, read-only."""
    w = rng.integers(-9, 10, (3, 5))
    for shape, axes in [
        ((20, 30, 3), (0, 1)),
        ((3, 20, 30), (1, 2)),
        ((20, 3, 30), (0, 2)),
        ((20, 12, 70), (0, 1)),
    ]:
        check(pixels(rng, shape, "B"), w, axes=axes, dtypes="BH", mode="mirror")
    big = pixels(rng, (50, 80), "H")
    raw = np.zeros(2 * 600 + 1, np.uint8)[1:].view(np.uint16).reshape(20, 30)
    raw[...] = big[:20, :30]
    frozen = big[:9].copy()
    frozen.flags.writeable = False
    for x in (big.T, big[::2, ::3], big[::-1, ::-1], np.asfortranarray(big), big.astype(">u2"), raw, frozen):
        check(x, w, dtypes="HhB")
        y = np.zeros((2 * x.shape[0], 2 * x.shape[1]), np.int16)
        ndimage.correlate(x, w, y[::2, ::-2])
        ref.assert_equal(y[::2, ::-2].copy(), stored(sums(x, w), "h"))
        assert not y[1::2].any() and not y[:, ::2].any()


def test_mapped_and_in_place(rng, tmp_path):
    x, w = pixels(rng, (40, 70), "B"), rng.integers(-9, 10, (3, 4))
    want = stored(sums(x, w), "B")
    np.save(tmp_path / "x.npy", x)
    ref.assert_equal(ndimage.correlate(np.load(tmp_path / "x.npy", mmap_mode="r"), w), want)
    y = x.copy()
    assert ndimage.correlate(y, w, y) is y
    ref.assert_equal(y, want)
    wide = np.zeros((41, 70), np.uint8)
    wide[1:] = x
    ndimage.correlate(wide[1:], w, wide[:-1])  # overlapping
    ref.assert_equal(wide[:-1], want)
    smooth = ndimage.gaussian_filter(x, 1.5)
    assert ndimage.gaussian_filter(x, 1.5, output=x) is x
    ref.assert_equal(x, smooth)


def test_booleans_and_what_the_kernels_do_not_serve(rng):
    w = rng.integers(-9, 10, (3, 3))
    check(rng.random((9, 70)) < 0.5, w, dtypes="Bhi")
    x = pixels(rng, (9, 70), "B")
    check(x, w, mode="constant", cval=300, dtypes="Bhi")
    check(x, w, mode="constant", cval=-1, dtypes="Bhi")
    check(pixels(rng, (9, 70), "i") // 1000, w, dtypes="Bhi")
    ref.assert_equal(ndimage.correlate(x, w, np.int64), sums(x, w).astype(np.int64))


@with_scipy
@pytest.mark.parametrize("mode", BOUNDARIES)
def test_chains_of_whole_weights(rng, mode):
    for shape, dtype in itertools.product([(30, 140), (1, 9), (5, 6, 7)], SMALL):
        x = pixels(rng, shape, dtype)
        for name, output in itertools.product(("sobel", "prewitt", "laplace"), (None, "h", "i", "B")):
            want = getattr(scipy_ndimage, name)(x, output=output, mode=mode)
            ref.assert_equal(
                getattr(ndimage, name)(x, output=output, mode=mode), want, f"{name} {output} {shape}"
            )
        modes = [mode, *BOUNDARIES[: x.ndim - 1]]
        want = scipy_ndimage.sobel(x, 0, np.int32, modes, 3)
        ref.assert_equal(ndimage.sobel(x, 0, np.int32, modes, 3), want)


@pytest.mark.parametrize("dtype", SMALL)
def test_long_chains_of_whole_weights(rng, dtype):
    """Products that are too many at once; sums that fit in float32 and that do not."""
    x = pixels(rng, (33, 95), dtype)
    for m, most in itertools.product((4, 6, 9, 15, 17), (1, 3, 40, 5000)):
        a, b = rng.integers(-most, most + 1, m), rng.integers(-most, most + 1, m)
        exact = sums(sums(x, a[:, None]), b[None, :])
        for output, overflow in itertools.product(SMALL, ("wrap", "saturate")):
            if overflow == "saturate" and np.abs(exact).max() >= 2**24:
                continue  # rounded sums are those of real numbers
            y = ndimage.sep_filter(x, (a, b), output, overflow=overflow)
            ref.assert_equal(y, stored(exact, output, overflow), f"{m} {most} {output} {overflow}")


@with_scipy
@pytest.mark.parametrize("mode", BOUNDARIES)
@pytest.mark.parametrize("dtype", SMALL)
def test_real_weights_truncated(rng, dtype, mode):
    """As SciPy's. No sum is a whole number but for its rounding errors: no axis has one element only."""
    shapes = [(40, 70), (2, 300), (5, 4000), (7,), (4, 20, 30), (15, 20, 3)]
    for shape, output in itertools.product(shapes, (dtype, *SMALL)):
        x = pixels(rng, shape, dtype)
        axes = tuple(range(len(shape)))[-2:] if shape[-1] != 3 else (0, 1)
        want = scipy_ndimage.gaussian_filter(x, 1.3, output=output, mode=mode, axes=axes)
        y = ndimage.gaussian_filter(x, 1.3, output=output, mode=mode, axes=axes)
        ref.assert_equal(y, want, f"{shape} {output}")
        for axis in range(len(shape)):
            w = rng.standard_normal(5)
            want = scipy_ndimage.correlate1d(x, w, axis, np.int32, mode, 9).astype(output)
            ref.assert_equal(
                ndimage.correlate1d(x, w, axis, output, mode, 9), want, f"{shape} {output} {axis}"
            )


@pytest.mark.parametrize("mode", BOUNDARIES)
@pytest.mark.parametrize("dtype", SMALL)
def test_real_weights_rounded(rng, dtype, mode):
    a, b = rng.standard_normal(5), rng.standard_normal(4)
    for shape, axes in [
        ((11, 40), (0, 1)),
        ((6, 7, 3), (0, 1)),
        ((2, 5, 9), (1, 2)),
        ((5, 130), (1, 0)),
        ((3, 1), (0, 1)),
        ((11, 150), (0, 1)),
        ((9, 50, 3), (0, 1)),
        ((3, 9, 70), (1, 2)),
        ((6, 4500), (1, 0)),
    ]:
        x = pixels(rng, shape, dtype)
        exact = sums(x, np.outer(a, b) if axes[0] < axes[1] else np.outer(b, a), sorted(axes), mode)
        scale = 4e-7 * float(np.abs(x.astype(float)).max() * np.abs(np.outer(a, b)).sum())
        for output, accumulate in itertools.product("Bh", (None, "float64")):
            info = np.iinfo(output)
            options = {"rounding": "nearest", "overflow": "saturate", "accumulate": accumulate}
            y = ndimage.sep_filter(x, (a, b), output, mode, axes=axes, **options)
            near = 0.5 + (scale if accumulate is None else 1e-9)
            assert np.abs(y - np.clip(exact, info.min, info.max)).max() <= near


@pytest.mark.parametrize("mode", BOUNDARIES)
@pytest.mark.parametrize("dtype", SMALL)
def test_real_weights_along_columns(rng, dtype, mode):
    for taps, shape in itertools.product((2, 3, 4, 7, 12), ((5, 140), (70, 64), (3, 5000))):
        x, w, origin = pixels(rng, shape, dtype), rng.standard_normal(taps), (taps - 1) // 2
        exact = sums(x, w, [0], mode, 9, [origin])
        scale = 4e-7 * float(np.abs(x.astype(float)).max() * np.abs(w).sum())
        options = {"rounding": "nearest", "overflow": "saturate"}
        y = ndimage.correlate1d(x, w, 0, "H", mode, 9, origin, **options)
        assert np.abs(y - np.clip(exact, 0, 65535)).max() <= 0.5 + scale


@with_scipy
def test_flat_and_saturated_areas(rng):
    for value, sigma, shape in itertools.product((0, 1, 77, 254, 255), (0.6, 1, 2.3), ((30, 90), (9, 9, 3))):
        x = np.full(shape, value, np.uint8)
        for options in ({}, {"rounding": "nearest"}, {"overflow": "saturate"}):
            assert (ndimage.gaussian_filter(x, sigma, axes=(0, 1), **options) == value).all()
    x = np.where(np.indices((40, 90)).sum(0) % 7 < 3, 255, 0).astype(np.uint8)
    assert ndimage.correlate1d(x, [0.5, 1.5, 0.5], rounding="nearest", overflow="saturate").max() == 255


@pytest.mark.parametrize("dtype", "BH")
def test_threads_change_nothing(rng, dtype):
    x = pixels(rng, (700, 900), dtype)
    for function in (
        lambda **k: ndimage.correlate(x, np.arange(25).reshape(5, 5) - 12, **k),
        lambda **k: ndimage.sobel(x, output=np.int16, **k),
        lambda **k: ndimage.gaussian_filter(x, 1.5, **k),
        lambda **k: ndimage.gaussian_filter(x, 1.5, rounding="nearest", **k),
    ):
        ref.assert_equal(function(workers=1), function(workers=2))


SCRIPT = """
import sys, zlib, numpy as np
from fastconv import ndimage
rng = np.random.default_rng(5)
for dtype in "BbHh":
    info = np.iinfo(dtype)
    x = rng.integers(info.min, info.max, (61, 210), dtype=dtype, endpoint=True)
    for taps, most in (((3, 3), 9), ((5, 4), 127), ((7, 7), 3000), ((2, 9), 60)):
        w = rng.integers(-most, most, taps)
        for output in "BhHi":
            for overflow in ("wrap", "saturate"):
                y = ndimage.correlate(x, w, output, overflow=overflow)
                print(dtype, taps, output, overflow, zlib.crc32(y.tobytes()))
"""


def test_every_instruction_set_gives_the_same():
    results = {
        isa: subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={**os.environ, "FASTCONV_ISA": isa},
            capture_output=True,
            check=True,
        ).stdout
        for isa in _kernels.available()
    }
    assert len(set(results.values())) == 1, list(results)
