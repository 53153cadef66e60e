"""Means over boxes: against the definition, against scipy.ndimage where that is installed.

Each output is a sum of its own window alone; integer means are exact; any size will do, also one longer than
the image.
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

import fastconv as fc
from fastconv import _kernels, ndimage

try:
    from scipy import ndimage as scipy_ndimage
except ImportError:
    scipy_ndimage = None
with_scipy = pytest.mark.skipif(scipy_ndimage is None, reason="SciPy is not installed")

MODES = ("reflect", "mirror", "nearest", "wrap", "constant")
WHOLE = "bBhHiI"
NEAREST = {"rounding": "nearest", "overflow": "saturate"}


def pixels(rng, shape, dtype):
    dtype = np.dtype(dtype)
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        high = min(info.max, 2**40)
        return rng.integers(-high - 1 if dtype.kind == "i" else 0, high, shape, dtype, endpoint=True)
    return (100 * rng.standard_normal(shape)).astype(dtype)


def totals(x, size, axis, mode="reflect", cval=0, origin=0):
    """The sums of windows along an axis: exact for whole numbers, else in long double."""
    wide = object if x.dtype.kind in "iu" or x.dtype == object else np.longdouble
    x = np.moveaxis(x.astype(wide), axis, 0)
    y = np.zeros(x.shape, wide)
    for i, t in itertools.product(range(len(x)), range(size)):
        j = ref.inside(i + t - size // 2 - origin, len(x), mode)
        y[i] += cval if j is None else x[j]
    return np.moveaxis(y, 0, axis)


def truncated(sums, count, dtype):
    """Whole sums divided, toward zero."""
    signs = np.where(sums < 0, -1, 1)
    return (signs * (signs * sums // count)).astype(dtype)


def rounded(sums, count, dtype):
    """Whole sums divided, a tie to the even."""
    double = 2 * sums + count
    floor = double // (2 * count)
    tie = (double % (2 * count) == 0) & (floor % 2 == 1)
    return (floor - tie).astype(dtype)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "shape", [(7,), (1,), (2,), (67, 9), (1, 130), (2, 1), (5, 6, 7), (2, 3, 2, 9)], ids=str
)
def test_the_definition(rng, shape, mode):
    for dtype, size in itertools.product("BhIfd", (1, 2, 3, 8, 9, 16, 31)):
        x = pixels(rng, shape, dtype)
        for axis in range(x.ndim):
            origin = int(rng.integers(-(size // 2), (size - 1) // 2, endpoint=True))
            keywords = {"axis": axis, "mode": mode, "cval": 3, "origin": origin}
            want = totals(x, size, **keywords)
            y = ndimage.uniform_filter1d(x, size, **keywords)
            what = (dtype, size, keywords)
            if x.dtype.kind == "f":
                bound = 4 * np.finfo(dtype).eps * (3 + np.abs(x).max())
                np.testing.assert_allclose(
                    y, (want / size).astype(dtype), rtol=0, atol=bound, err_msg=str(what)
                )
            else:
                ref.assert_equal(y, truncated(want, size, dtype), str(what))
                y = ndimage.uniform_filter1d(x, size, **keywords, **NEAREST)
                ref.assert_equal(y, rounded(want, size, dtype), str(what))


@pytest.mark.parametrize("dtype", WHOLE)
def test_planes_of_integers_are_rounded_once(rng, dtype):
    x = pixels(rng, (40, 53), dtype)
    for size, mode in (((3, 3), "mirror"), ((2, 4), "wrap"), ((15, 17), "nearest"), ((31, 6), "reflect")):
        sums = totals(totals(x, size[0], 0, mode), size[1], 1, mode)
        count = size[0] * size[1]
        y = ndimage.uniform_filter(x, size, mode=mode, **NEAREST)
        ref.assert_equal(y, rounded(sums, count, dtype), str((size, mode)))
        y = ndimage.uniform_filter(x, size, mode=mode, overflow="saturate")
        ref.assert_equal(y, truncated(sums, count, dtype), str((size, mode)))


def test_quotients_of_bytes():
    """Every sum of two bytes or more that a mean can have, in 16 bits and beyond."""
    for size in (*range(2, 40), 64, 127, 128, 129, 200, 255, 256, 257, 258, 300):
        total = np.unique(np.linspace(0, 255 * size, 3000).astype(int))
        x = np.zeros((size, total.size), np.uint8)
        full, rest = total // 255, total % 255
        x[np.arange(size)[:, None] < full] = 255
        x[np.minimum(full, size - 1), np.arange(total.size)] += np.where(full < size, rest, 0).astype(
            np.uint8
        )
        middle = size // 2
        y = ndimage.uniform_filter1d(x, size, 0)[middle]
        ref.assert_equal(y, truncated(total.astype(object), size, np.uint8), str(size))
        y = ndimage.uniform_filter1d(x, size, 0, **NEAREST)[middle]
        ref.assert_equal(y, rounded(total.astype(object), size, np.uint8), str(size))


@with_scipy
@settings(max_examples=200)
@given(st.data(), st.sampled_from("?bBhHiIqQefdFDg"), st.sampled_from("?bBhHiIqQfdFD"))
def test_any_box(data, inner, outer):
    """Dtypes, axes, sizes, origins and layouts: SciPy's results, where it takes them."""
    shape = data.draw(hnp.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=9))
    along = data.draw(st.permutations(sorted(data.draw(st.sets(st.integers(0, len(shape) - 1))))))
    size = [data.draw(st.integers(0, 20)) for _ in along]
    origin = [data.draw(st.integers(-(m // 2), max(0, (m - 1) // 2))) for m in size]
    mode = [data.draw(st.sampled_from(MODES)) for _ in along]
    if (np.dtype(inner).kind == "c") != (np.dtype(outer).kind == "c"):
        outer = inner
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    x = pixels(rng, shape, "d" if np.dtype(inner).kind in "c?e" else inner).astype(inner)
    if data.draw(st.booleans()):
        x = x.T.copy().T
    if data.draw(st.booleans()):
        x = np.repeat(x, 2, -1)[..., ::-2]
    keywords = {"mode": mode, "cval": data.draw(st.sampled_from([0, 3, 1.5])), "axes": tuple(along)}
    y = ndimage.uniform_filter(x, size, np.dtype(outer), origin=origin, **keywords)
    if inner in "eg" or "?" in inner + outer or outer in "qQ":
        return  # not SciPy's, or inexact there
    if np.dtype(inner).kind in "fc" and np.dtype(outer).kind in "iu":
        return  # truncated sums that SciPy rounds otherwise
    if not np.can_cast(inner, outer):
        return  # what is out of range is not defined
    want = scipy_ndimage.uniform_filter(x, size, np.dtype(outer), origin=origin, **keywords)
    if want.dtype.kind in "iu":
        assert np.abs(y.astype(float) - want).max(initial=0) <= (keywords["cval"] == 1.5)
        return
    eps = max(np.finfo(a).eps for a in (inner, outer) if np.dtype(a).kind in "fc")
    bound = 50 * eps * (3 + float(np.abs(x).max(initial=0)))
    np.testing.assert_allclose(y, want, rtol=0, atol=bound)


@with_scipy
@pytest.mark.parametrize("shape", [(300, 5000), (4200, 40), (9001,), (70, 33, 41)], ids=str)
def test_panels_and_strips(rng, shape):
    for dtype, size, mode in itertools.product("Bfd", (5, 40, 333), ("mirror", "wrap", "constant")):
        x = pixels(rng, shape, dtype)
        want = scipy_ndimage.uniform_filter(x, size, mode=mode, cval=7)
        y = ndimage.uniform_filter(x, size, mode=mode, cval=7)
        if dtype == "B":
            ref.assert_equal(y, want, str((size, mode)))
        else:
            np.testing.assert_allclose(y, want, rtol=0, atol=1e4 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", "fd")
@pytest.mark.parametrize("size", [2, 5, 8, 9, 31, 100, 701])
def test_values_that_are_not_finite_are_local(dtype, size):
    x = np.ones((300, 200), dtype)
    x[150, 100], x[20, 190], x[299, 0] = np.nan, np.inf, -np.inf
    keywords = {"mode": "constant"}
    want = np.zeros(x.shape, bool)
    for i, j in np.argwhere(~np.isfinite(x)):
        low, high = (size - 1) // 2, size // 2
        want[max(0, i - low) : i + high + 1, max(0, j - low) : j + high + 1] = True
    with np.errstate(invalid="ignore"):
        y = ndimage.uniform_filter(x, size, **keywords)
    np.testing.assert_array_equal(~np.isfinite(y), want)
    clean = ndimage.uniform_filter(np.ones_like(x), size, **keywords)
    np.testing.assert_allclose(y[~want], clean[~want], rtol=1e-5)


@pytest.mark.parametrize("size", [3, 9, 40])
def test_no_drift(size):
    x = np.ones((500, 3))
    x[0] = 1e17
    for image, axis in ((x, 0), (x.T.copy(), 1)):
        y = np.moveaxis(ndimage.uniform_filter1d(image, size, axis, mode="constant"), axis, 0)
        assert (y[size:-size] == 1).all()


def test_boxes_far_larger_than_the_image(rng):
    for dtype, shape in (("f", (30, 20)), ("B", (5, 7)), ("d", (3,)), ("h", (40,))):
        x = pixels(rng, shape, dtype)
        y = ndimage.uniform_filter(x, 200_001, mode="wrap", rounding="nearest")
        mean = float(x.astype(np.float64).mean())
        np.testing.assert_allclose(y, mean, atol=1 if x.dtype.kind in "iu" else 0.05)


def test_flat_areas_and_the_largest_floats():
    for dtype, size in itertools.product("fd", (2, 3, 7, 9, 11, 31, 49, 101)):
        for value in (1, 0.1, 255, np.finfo(dtype).max / 2):
            x = np.full((5, 120), value, dtype)
            np.testing.assert_allclose(ndimage.uniform_filter(x, size), x, rtol=20 * np.finfo(dtype).eps)
    assert (ndimage.uniform_filter(np.full((40, 50), 3.0), 7) == 3).all()


def test_in_place_and_strides(rng):
    for dtype in "Bfd":
        x = pixels(rng, (50, 60), dtype)
        for size in (3, (1, 5), (20, 1), (12, 40)):
            want = ndimage.uniform_filter(x, size)
            y = x.copy()
            ndimage.uniform_filter(y, size, y)
            ref.assert_equal(y, want, "in place")
            for view in (
                np.zeros((50, 120), dtype)[:, ::2],
                np.zeros((60, 50), dtype).T,
                np.zeros((50, 60), dtype)[::-1, ::-1],
            ):
                ndimage.uniform_filter(x, size, view)
                ref.assert_equal(view.copy(), want, "strided output")
            swapped = x.astype(x.dtype.newbyteorder())
            ref.assert_equal(ndimage.uniform_filter(swapped, size), want, "byte order")
            if dtype != "B":  # the axes of integers are truncated in turn
                for y in (
                    ndimage.uniform_filter(np.asfortranarray(x), size),
                    ndimage.uniform_filter(x[:, ::-1], size, mode="mirror")[:, ::-1],
                ):
                    assert y.shape == want.shape
            loose = np.frombuffer(bytearray(b" " + x.tobytes()), np.uint8)[1:].view(dtype).reshape(x.shape)
            ref.assert_equal(ndimage.uniform_filter(loose, size), want, "unaligned")


@pytest.mark.parametrize("dtype", "BHifd")
def test_threads_do_not_change_a_bit(rng, dtype):
    x = pixels(rng, (900, 1100), dtype)
    for size in (3, 31, 200):
        results = []
        for threads in (1, 2, 3):
            with fc.threads(threads):
                results.append(ndimage.uniform_filter(x, size).tobytes())
        assert len(set(results)) == 1
        assert ndimage.uniform_filter(x, size, workers=2).tobytes() == results[0]


PROGRAM = """
import numpy as np
from fastconv import ndimage
x = np.random.default_rng(0).integers(0, 256, (70, 300)).astype(np.uint8)
for size in (2, 3, 8, 31, 150):
    for dtype in (np.uint8, np.int16, np.int32, np.float32, np.float64):
        for rounding in ("truncate", "nearest"):
            y = ndimage.uniform_filter(x.astype(dtype), size, rounding=rounding).astype(float)
            print(size, np.dtype(dtype), rounding, round(float((y * np.arange(300)).sum()) / 7e6, 6))
"""


def test_every_instruction_set_gives_the_same():
    """Sums of whole numbers are exact in all, quotients the nearest floats."""
    found = set()
    for isa in _kernels.available():
        environment = {**os.environ, "FASTCONV_ISA": isa, "PYTHONPATH": os.pathsep.join(sys.path)}
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        found.add(done.stdout)
    assert len(found) == 1
