"""The values of fastconv.ndimage: against the definition, and against scipy.ndimage where that is installed.

An integer output may differ from SciPy's by one where the exact sum is a whole number: SciPy truncates what
rounding has made of it, a little less at times. Sums of whole numbers, and means of them, must be equal.
"""

import doctest
import importlib
import itertools
import math
import subprocess
import sys

import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import pytest
import reference as ref
from hypothesis import given, settings

import fastconv as fc
from fastconv import ndimage

try:
    from scipy import ndimage as scipy_ndimage
except ImportError:
    scipy_ndimage = None
with_scipy = pytest.mark.skipif(scipy_ndimage is None, reason="SciPy is not installed")

MODES = ("reflect", "mirror", "nearest", "wrap", "constant", "grid-mirror", "grid-wrap", "grid-constant")
BOUNDARIES = dict(
    zip(MODES, ("reflect", "mirror", "nearest", "wrap", "constant", "reflect", "wrap", "constant"))
)
DTYPES = "?bBhHiIqQfdFD"  # SciPy's
SEPARABLE = {
    "gaussian_filter": {"sigma": 0.8},
    "uniform_filter": {"size": 3},
    "sobel": {"axis": 0},
    "prewitt": {},
    "laplace": {},
    "gaussian_laplace": {"sigma": 0.9},
}
SHAPES = [(7,), (1,), (2,), (6, 5), (1, 4), (2, 9), (3, 4, 5), (2, 1, 3, 2), (2, 3, 2, 2, 3)]


def truth(x, w, axes, mode="reflect", cval=0.0, origins=None, convolved=False):
    """The sums of the definition, in long double."""
    wide = np.clongdouble if "c" in x.dtype.kind + w.dtype.kind else np.longdouble
    x, w = x.astype(wide), w.astype(wide)
    if wide is np.clongdouble and not convolved:
        w = w.conj()
    y = np.zeros(x.shape, wide)
    for tap in np.ndindex(w.shape):
        terms = x
        for k, t, m, origin in zip(axes, tap, w.shape, origins or [0] * w.ndim):
            shift = m // 2 + origin - t if convolved else t - m // 2 - origin
            n = x.shape[k]
            source = [ref.inside(i + shift, n, BOUNDARIES[mode]) for i in range(n)]
            terms = np.take(terms, [i or 0 for i in source], axis=k)
            terms[(slice(None),) * k + ([i is None for i in source],)] = cval
        y += w[tap] * terms
    return y


def agree(y, want, scale=1.0, eps=None, what=None, off=0):
    """Same type, dtype, shape and values: within rounding, integers within `off`."""
    assert type(y) is np.ndarray
    assert (y.dtype, y.shape) == (want.dtype, want.shape), what
    if want.dtype.kind in "biu":
        if off:
            difference = y.astype(object) - want.astype(object)
            bits = 1 << 8 * want.itemsize
            assert all(-off <= (d + off) % bits - off <= off for d in difference.flat), (what, y, want)
        else:
            ref.assert_equal(y, want, str(what))
        return
    eps = np.finfo(want.dtype if eps is None else eps).eps
    np.testing.assert_allclose(y, want, rtol=0, atol=30 * eps * scale, err_msg=str(what))


def pixels(rng, shape, dtype):
    """An image in which nothing overflows but what is meant to."""
    dtype = np.dtype(dtype)
    if dtype.kind in "iu":
        high = min(np.iinfo(dtype).max, 10**6)
        return rng.integers(-high if dtype.kind == "i" else 0, high, shape, dtype=dtype, endpoint=True)
    return ref.numbers(rng, shape, dtype)


def loose(dtype):
    """Whether integers may be off by one: any weights that are not whole."""
    return 1 if np.dtype(dtype).kind in "iu" else 0


@pytest.mark.parametrize("convolved", [False, True])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "shape, taps", [((9,), (4,)), ((3,), (8,)), ((5, 6), (3, 4)), ((1, 4, 2), (2, 3, 5))]
)
def test_the_definition(rng, shape, taps, mode, convolved):
    function = ndimage.convolve if convolved else ndimage.correlate
    ranges = [range(-(m // 2), (m - 1) // 2 + 1) for m in taps]
    for dtype, origins in itertools.product("efdgFDG", list(itertools.product(*ranges))[::3]):
        x, w = ref.numbers(rng, shape, dtype), ref.numbers(rng, taps, dtype)
        want = truth(x, w, range(x.ndim), mode, 1.5, origins, convolved)
        y = function(x, w, mode=mode, cval=1.5, origin=origins)
        eps = {"e": np.float16, "G": np.longdouble}.get(dtype, dtype)
        agree(y, want.astype(dtype), scale=5 * math.prod(taps), eps=eps, what=(dtype, origins))


@with_scipy
@pytest.mark.parametrize("name", ["correlate", "convolve"])
@pytest.mark.parametrize("mode", MODES)
def test_dtypes_and_whole_weights(rng, name, mode):
    for dtype, taps in itertools.product(DTYPES, ((3, 3), (2, 5))):
        x, w = pixels(rng, (6, 7), dtype), rng.integers(-3, 4, taps)
        want = getattr(scipy_ndimage, name)(x, w, mode=mode, cval=2)
        if dtype == "?":
            want = want.view(np.uint8) != 0  # SciPy stores bytes of other values
        scale = 40 * float(np.abs(x).max()) if x.dtype.kind in "fc" else 1
        agree(getattr(ndimage, name)(x, w, mode=mode, cval=2), want, scale, what=dtype)


@with_scipy
@pytest.mark.parametrize("inner", "BhHidFD")
def test_output_dtypes(rng, inner):
    x = pixels(rng, (9, 8), inner)
    for outer, weights in itertools.product("bBhHiIqQfdFD", ([1, 2, 1], [0.3, -0.9, 0.2], [1 + 1j, 0, 2j])):
        w = np.array(weights)
        if ("c" in x.dtype.kind + w.dtype.kind) != (np.dtype(outer).kind == "c"):
            continue
        want = scipy_ndimage.correlate1d(x, w, 0, np.dtype(outer))
        scale = 8 * float(np.abs(x).max())
        scale *= float(np.finfo(inner).eps / np.finfo(outer).eps) if inner == "F" and outer == "D" else 1
        off = loose(outer) if w.dtype.kind == "f" or x.dtype.kind == "f" else 0
        agree(ndimage.correlate1d(x, w, 0, np.dtype(outer)), want, scale, what=(outer, weights), off=off)


@with_scipy
@settings(max_examples=150)
@given(
    st.data(), st.sampled_from(["correlate", "convolve"]), st.sampled_from(MODES), st.sampled_from("BhidfFD")
)
def test_any_correlation(data, name, mode, dtype):
    shape = data.draw(hnp.array_shapes(min_dims=1, max_dims=4, max_side=6))
    along = data.draw(st.sets(st.integers(0, len(shape) - 1), min_size=1).map(sorted))
    taps = data.draw(hnp.array_shapes(min_dims=len(along), max_dims=len(along), max_side=5))
    origin = [data.draw(st.integers(-(m // 2), (m - 1) // 2)) for m in taps]
    axes = [k - len(shape) * data.draw(st.booleans()) for k in along]
    if len(axes) < len(shape):
        axes = data.draw(st.permutations(axes))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    x = pixels(rng, shape, dtype)
    w = ref.numbers(rng, taps, data.draw(st.sampled_from("dFh" if dtype in "fdFD" else "d")))
    w = w % 8 if w.dtype.kind == "i" else w
    order = sorted(range(len(along)), key=lambda i: axes[i] % len(shape))
    given_origin = [None] * len(along)
    for place, i in zip(order, range(len(along))):
        given_origin[place] = origin[i]
    keywords = {"mode": mode, "cval": -2.5, "origin": given_origin, "axes": tuple(axes)}
    want = getattr(scipy_ndimage, name)(x, w, **keywords)
    scale = (3 + float(np.abs(x).max())) * float(np.abs(w).sum())
    agree(getattr(ndimage, name)(x, w, **keywords), want, scale, off=loose(dtype), what=(dtype, keywords))


@with_scipy
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", SEPARABLE)
def test_separable(rng, name, shape):
    whole = name in ("sobel", "prewitt", "laplace", "uniform_filter")
    off = 0 if whole else 2 * len(shape) ** 2  # along an axis of one element sums are whole numbers
    for dtype, mode in itertools.product("BhfdD", MODES):
        x = pixels(rng, shape, dtype)
        keywords = {**SEPARABLE[name], "mode": mode, "cval": 2}
        want = getattr(scipy_ndimage, name)(x, **keywords)
        scale = 20 * (2 + float(np.abs(x).max()))
        agree(getattr(ndimage, name)(x, **keywords), want, scale, off=off, what=(dtype, mode))


@with_scipy
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_gradient_magnitude(rng, shape):
    for dtype, mode in itertools.product("Bfd", MODES):
        x = pixels(rng, shape, dtype)
        x = x // 16 if dtype == "B" else x  # so that squares fit
        want = scipy_ndimage.gaussian_gradient_magnitude(x, 0.7, mode=mode, cval=2)
        y = ndimage.gaussian_gradient_magnitude(x, 0.7, mode=mode, cval=2)
        atol = {"B": 4, "f": 1e-2, "d": 1e-6}[dtype]  # roots are steep at 0
        np.testing.assert_allclose(y, want, rtol=0, atol=atol)


@with_scipy
@settings(max_examples=150)
@given(st.data(), st.sampled_from("fdD"))
def test_any_chain(data, dtype):
    shape = data.draw(hnp.array_shapes(min_dims=1, max_dims=4, max_side=6))
    along = data.draw(st.permutations(sorted(data.draw(st.sets(st.integers(0, len(shape) - 1))))))
    each = {
        "mode": st.sampled_from(MODES),
        # Weights of derivatives grow like sigma^(-2 order): those of tiny sigma are all rounding errors
        "sigma": st.one_of(st.just(0.0), st.floats(0.3, 3)),
        "order": st.integers(0, 4),
        "radius": st.one_of(st.none(), st.integers(0, 7)),
        "size": st.integers(0, 9),
    }

    def drawn(name):
        one = data.draw(st.booleans())
        return data.draw(each[name]) if one else [data.draw(each[name]) for _ in along]

    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    x = pixels(rng, shape, dtype)
    mode, sigma, size = drawn("mode"), drawn("sigma"), drawn("size")
    keywords = {"mode": mode, "cval": data.draw(st.sampled_from([0, 1.5])), "axes": tuple(along)}
    order, radius = drawn("order"), drawn("radius")
    with np.errstate(all="ignore"):
        want = scipy_ndimage.gaussian_filter(x, sigma, order, truncate=3.3, radius=radius, **keywords)
    if not (np.isfinite(want).all() and np.abs(want).max(initial=0) < 1e4):
        return  # a Gaussian far narrower than an element
    y = ndimage.gaussian_filter(x, sigma, order, truncate=3.3, radius=radius, **keywords)
    np.testing.assert_allclose(
        y, want, rtol=0, atol=1e4 * np.finfo(x.dtype).eps * (1 + np.abs(want).max(initial=0))
    )
    sizes = size if isinstance(size, list) else [size] * len(along)
    origin = [data.draw(st.integers(-(m // 2), max(0, (m - 1) // 2))) for m in sizes]
    want = scipy_ndimage.uniform_filter(x, size, origin=origin, **keywords)
    agree(ndimage.uniform_filter(x, size, origin=origin, **keywords), want, 8)


@with_scipy
def test_integers_are_truncated_as_in_scipy(rng):
    """Images in which no exact sum is a whole number, by luck of 1 in 10^10."""
    for dtype in "BbhHiI":
        x = pixels(rng, (200, 101), dtype)
        for name, keywords in {**SEPARABLE, "gaussian_filter": {"sigma": 2.2}}.items():
            want = getattr(scipy_ndimage, name)(x, **keywords)
            agree(getattr(ndimage, name)(x, **keywords), want, what=(dtype, name))
        w = rng.standard_normal((3, 4))
        agree(ndimage.convolve(x, w), scipy_ndimage.convolve(x, w), what=dtype)


@with_scipy
@pytest.mark.parametrize("size", [2, 9, 40, 333])
def test_means_of_integers_are_exact(rng, size):
    for dtype in "BhiqI":
        x = pixels(rng, (120, 31), dtype)
        agree(ndimage.uniform_filter(x, size), scipy_ndimage.uniform_filter(x, size), what=dtype)


@with_scipy
def test_more_columns_than_fit_a_slab(rng):
    """Images that are computed in parts, and so long kernels that they are not."""
    x = pixels(rng, (700, 800), "B")
    for taps in ((3, 4), (1, 150), (12, 11)):
        w = rng.standard_normal(taps)
        for mode in ("wrap", "mirror", "constant"):
            want = scipy_ndimage.correlate(x, w, mode=mode, cval=7, output=np.int16)
            agree(ndimage.correlate(x, w, mode=mode, cval=7, output=np.int16), want, what=(taps, mode))
    agree(ndimage.gaussian_filter(x, 1.5), scipy_ndimage.gaussian_filter(x, 1.5))


def test_flat_areas_stay_flat():
    """SciPy's results are less by one for many of these sigmas, sizes and values."""
    for value, sigma in itertools.product((1, 77, 128, 200, 255), (0.5, 0.9, 1, 2, 3, 4.3, 10)):
        x = np.full((5, 6), value, np.uint8)
        assert (ndimage.gaussian_filter(x, sigma) == value).all()
    for m in (3, 5, 7, 31):
        x = np.full((4, 5), 203, np.uint16)
        assert (ndimage.correlate(x, np.full((m, m), 1 / m**2)) == 203).all()


@pytest.mark.parametrize("dtype", ["f8", "f4", "u1", "i4"])
def test_many_axes(rng, dtype):
    """A pass along each of them, however many: not the product of their taps."""
    x = rng.integers(0, 100, (1, 3, *[1] * 18, 2, 1)).astype(dtype)
    for name, size in (("gaussian_filter", 1.0), ("uniform_filter", 5)):
        y = getattr(ndimage, name)(x, size)
        want = getattr(scipy_ndimage, name)(x.reshape(3, 2), size)
        np.testing.assert_allclose(y.reshape(3, 2), want, rtol=1e-5, atol=dtype != "f8")


def test_nan_and_infinity_are_local():
    x = np.ones(4000)
    x[1000], x[3000] = np.nan, np.inf
    for size in (3, 50, 301):
        for function in (
            ndimage.uniform_filter1d,
            lambda x, size: ndimage.convolve(x, np.full(size, 1 / size)),
        ):
            y = function(x, size)
            assert np.isnan(y).sum() == size == np.isinf(y).sum()
            np.testing.assert_allclose(y[np.isfinite(y)], 1, rtol=1e-13)
    drift = np.array([1e17, 1, 1, 1, 1, 1])
    assert ndimage.uniform_filter1d(drift, 3)[2:].tolist() == [1, 1, 1, 1]


@with_scipy
@pytest.mark.parametrize("dtype", "fdD")
@pytest.mark.parametrize("mode", MODES)
def test_nan_and_infinity_in_chains(rng, mode, dtype):
    x = ref.numbers(rng, (60, 90), dtype)
    x[2, 3], x[40, 80], x[59, 0], x[41, 81] = np.nan, np.inf, -np.inf, -np.inf
    for name in ("gaussian_filter", "sobel", "prewitt"):
        with np.errstate(invalid="ignore"):
            want = getattr(scipy_ndimage, name)(x, **SEPARABLE.get(name, {}), mode=mode)
            y = getattr(ndimage, name)(x, **SEPARABLE.get(name, {}), mode=mode)
        for ours, theirs in ((y.real, want.real), (y.imag, want.imag)):
            np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


@with_scipy
@pytest.mark.parametrize("dtype", "fdD")
@pytest.mark.parametrize("mode", MODES)
def test_zero_weights_leave_their_terms_out(rng, mode, dtype):
    x = ref.numbers(rng, (9, 12), dtype)
    x[2, 3], x[7, 11], x[0, 0] = np.nan, np.inf, -np.inf
    w = np.array([[0, 1.5, 0], [0, 0, 2], [-1, 0, 0]])
    for axes, weights in ((None, w), ((0,), w[1]), ((1,), w[1])):
        with np.errstate(invalid="ignore"):
            want = scipy_ndimage.correlate(x, weights, mode=mode, axes=axes, cval=np.inf)
            y = ndimage.correlate(x, weights, mode=mode, axes=axes, cval=np.inf)
        np.testing.assert_allclose(y.real, want.real, rtol=1e-5)
        np.testing.assert_allclose(y.imag, want.imag, rtol=1e-5)
    line = ndimage.correlate1d(x, w[1])  # here they count, as in SciPy
    np.testing.assert_array_equal(np.isnan(line), np.isnan(scipy_ndimage.correlate1d(x, w[1])))


def test_small_weights_are_weights():
    """SciPy takes weights below 2.2e-16 for zeros, and lines of them for symmetric."""
    assert ndimage.correlate([1.0, 1.0, 1.0], [0, 1e-17, 0]).tolist() == [1e-17] * 3
    np.testing.assert_allclose(ndimage.correlate1d([0.0, 1.0, 0.0], [1e-17, 0, 3e-17]), [3e-17, 0, 1e-17])


def test_rounding_and_saturation():
    x = np.array([[0, 0, 255, 255]], np.uint8)
    keywords = {"rounding": "nearest", "overflow": "saturate"}
    assert ndimage.correlate1d(x, [0.5, 0, 0.5], **keywords).tolist() == [[0, 128, 128, 255]]
    assert ndimage.correlate1d(x, [0.5, 0, 0.5]).tolist() == [[0, 127, 127, 255]]
    assert ndimage.correlate1d(x, [-1, 0, 1], overflow="saturate").tolist() == [[0, 255, 255, 0]]
    assert ndimage.sobel(x, 1, np.int8, overflow="saturate").tolist() == [[0, 127, 127, 0]]
    assert ndimage.sobel(255 - x, 1, np.int8, overflow="saturate").tolist() == [[0, -128, -128, 0]]
    assert ndimage.laplace(x, np.int8, rounding="nearest", overflow="saturate").tolist() == [
        [0, 127, -128, 0]
    ]
    assert ndimage.unsharp_mask(x, 1.0).tolist() == [[0, 0, 255, 255]]
    for to in "bBhHiIqQ":
        info = np.iinfo(to)
        y = ndimage.correlate1d([-1e30, 1e30], [1.0], output=to, overflow="saturate")
        assert y[0] == info.min and info.max - int(y[1]) <= 2047 * (info.bits == 64)
        y = ndimage.correlate1d(np.array([-1, 1], np.int8), [100], output=to, overflow="saturate")
        assert y.tolist() == [max(-100, info.min), 100]


def test_rounded_once(rng):
    x = rng.integers(0, 256, (40, 50), dtype=np.uint8)
    exact = ndimage.gaussian_filter(x, 1.7, output=np.float64)
    for accumulate, near in ((None, 1e-4), ("float32", 1e-4), ("float64", 1e-12)):
        y = ndimage.gaussian_filter(x, 1.7, rounding="nearest", accumulate=accumulate)
        assert np.abs(y - exact).max() <= 0.5 + near
    exact = ndimage.gaussian_laplace(x.astype(float), 1.7)
    y = ndimage.gaussian_laplace(x, 1.7, output=np.int16, rounding="nearest")
    assert np.abs(y - exact).max() <= 0.5 + 1e-4


def test_what_opencv_computes(rng):
    """Sums rounded to the nearest integer, saturated, at a mirror boundary: OpenCV's filters."""
    x = rng.integers(0, 256, (30, 41), dtype=np.uint8)

    def want(w, dtype):
        info = np.iinfo(dtype)
        return np.clip(np.rint(truth(x, w, [0, 1], "mirror")), info.min, info.max).astype(dtype)

    keywords = {"rounding": "nearest", "overflow": "saturate", "mode": "mirror"}
    w = rng.standard_normal((3, 5))
    ref.assert_equal(ndimage.correlate(x, w, **keywords), want(w, np.uint8))
    ref.assert_equal(ndimage.uniform_filter(x, 5, **keywords), want(np.full((5, 5), 1 / 25), np.uint8))
    slope = np.array([-1, 0, 1])
    scharr, sobel = np.outer(slope, [3, 10, 3]), np.outer([1, 2, 1], slope)
    ref.assert_equal(ndimage.scharr(x, 0, np.int16, "mirror"), want(scharr, np.int16))
    ref.assert_equal(ndimage.sobel(x, 1, np.int16, "mirror"), want(sobel, np.int16))
    a, b = rng.standard_normal(5), rng.standard_normal(3)
    y = ndimage.sep_filter(x, (a, b), np.float32, "mirror")
    np.testing.assert_allclose(y, truth(x, np.outer(a, b), [0, 1], "mirror").astype(float), atol=1e-3)


def test_accumulation(rng):
    x = rng.standard_normal((50, 60)).astype(np.float32)
    w = rng.standard_normal(7)
    want = truth(x, w, [1])
    error = {
        choice: float(np.abs(ndimage.correlate1d(x, w, output=np.float64, accumulate=choice) - want).max())
        for choice in ("float32", "float64")
    }
    assert error["float64"] < 1e-14 < 1e-8 < error["float32"] < 1e-5
    y = ndimage.correlate1d(x, w, accumulate="float64")
    ref.assert_equal(y, ndimage.correlate1d(x, w, output=np.float64).astype(np.float32))


@pytest.mark.parametrize("dtype", "Bhfd")
def test_threads_change_nothing(rng, dtype):
    x = pixels(rng, (300, 500), dtype)
    for function in (
        lambda **k: ndimage.gaussian_filter(x, 2, **k),
        lambda **k: ndimage.correlate(x, np.ones((5, 5)) / 3, **k),
        lambda **k: ndimage.sobel(x, **k),
    ):
        ref.assert_equal(function(workers=1), function(workers=2))


@with_scipy
def test_derivatives_of_ones_own(rng):
    x = rng.standard_normal((6, 7, 5))

    def second(input, axis, output, mode, cval, weight, *, more):
        assert (weight, more) == (3, 4)
        return ndimage.correlate1d(input, [weight, -7, more], axis, output, mode, cval)

    extra = {"extra_arguments": (3,), "extra_keywords": {"more": 4}}
    for name, axes in itertools.product(
        ("generic_laplace", "generic_gradient_magnitude"), (None, (2, 0), 1, ())
    ):
        for mode in (
            "mirror",
            ["wrap", "nearest", "reflect"][: 3 if axes is None else 2 if axes == (2, 0) else 1],
        ):
            want = getattr(scipy_ndimage, name)(
                x, second, mode=mode if axes != () else "wrap", axes=axes, **extra
            )
            y = getattr(ndimage, name)(x, second, mode=mode, axes=axes, **extra)
            agree(y, want, 100)
            inplace = x.copy()
            assert getattr(ndimage, name)(inplace, second, inplace, mode=mode, axes=axes, **extra) is inplace
            agree(inplace, want, 100)


def test_gradients_smooth_along_their_axes_only(rng):
    x = rng.standard_normal((3, 20, 21))
    y = ndimage.gaussian_gradient_magnitude(x, (1.5, 2), axes=(1, 2), mode=("wrap", "wrap"))
    for plane, got in zip(x, y):
        agree(got, ndimage.gaussian_gradient_magnitude(plane, (1.5, 2), mode="wrap"))


@pytest.mark.parametrize("module", ["correlation", "derivatives", "gaussian", "generic", "separable"])
def test_examples(module):
    failed, tried = doctest.testmod(importlib.import_module(f"fastconv.ndimage._{module}"))
    assert tried > 5 and failed == 0


def test_imported_when_used():
    script = (
        "import sys, fastconv; assert 'fastconv.ndimage' not in sys.modules;"
        "assert fastconv.ndimage.convolve([1, 2], [3]).tolist() == [3, 6]"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
    assert fc.ndimage is ndimage
