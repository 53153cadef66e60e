"""fastconv.signal against the reference, and against scipy.signal where that is installed."""

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
from fastconv import signal
from fastconv.signal import _upfirdn

try:
    import scipy.signal as scipy_signal
except ImportError:
    scipy_signal = None
with_scipy = pytest.mark.skipif(scipy_signal is None, reason="SciPy is not installed")

NAMES = ("convolve", "correlate")
MODES = ("full", "valid", "same")
METHODS = ("auto", "direct", "fft")
SHAPES = [
    ((1,), (1,)),
    ((9,), (4,)),
    ((4,), (9,)),
    ((5,), (5,)),
    ((40,), (7,)),
    ((6, 7), (3, 4)),
    ((3, 4), (6, 7)),
    ((1, 8), (3, 2)),
    ((4, 5, 6), (2, 3, 2)),
    ((2, 3, 2, 4), (2, 2, 1, 3)),
]


def start_and_size(n, m, mode, correlate2d=False):
    """Which part of the n + m - 1 outputs SciPy's mode keeps."""
    if mode == "full":
        return 0, n + m - 1
    if mode == "same":
        return (m // 2 if correlate2d else (m - 1) // 2), n
    return min(n, m) - 1, abs(n - m) + 1


def fits(shape, taps):
    return all(n >= m for n, m in zip(shape, taps)) or all(n <= m for n, m in zip(shape, taps))


def cut(full, a, v, mode, axes=None, correlate2d=False):
    index = [slice(None)] * full.ndim
    for k in range(full.ndim) if axes is None else axes:
        start, size = start_and_size(a.shape[k], v.shape[k], mode, correlate2d)
        index[k] = slice(start, start + size)
    return full[tuple(index)]


def agree(y, want, what=""):
    """Same type, dtype, shape and values; floats within the rounding of an FFT."""
    assert type(y) is np.ndarray
    if want.dtype.kind not in "fc":
        return ref.assert_equal(y, want, what)
    assert (y.dtype, y.shape) == (want.dtype, want.shape), what
    scale = np.abs(want[np.isfinite(want)]).max(initial=1)
    eps = max(np.finfo(want.dtype).eps, np.finfo(np.longdouble).eps)
    np.testing.assert_allclose(y, want, rtol=200 * eps, atol=200 * eps * scale, err_msg=str(what))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shapes", SHAPES, ids=str)
def test_against_the_reference(rng, name, mode, method, shapes):
    if mode == "valid" and not fits(*shapes):
        return
    for dtype in "?bHiqefdgFDGO":
        a, v = (ref.small_integers(rng, shape, dtype) for shape in shapes)
        want = cut(ref.rounded(name, a, v, "full"), a, v, mode)
        agree(getattr(signal, name)(a, v, mode, method), want, dtype)


@with_scipy
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shapes", SHAPES, ids=str)
def test_like_scipy(rng, name, mode, shapes):
    if mode == "valid" and not fits(*shapes):
        return
    for dtypes in itertools.product("?bHqefdFD", repeat=2):
        if (len(shapes[0]) > 1 or mode == "same") and np.result_type(*dtypes).char in "?e":
            continue  # SciPy: "Unsupported type"
        a, v = (ref.small_integers(rng, shape, dtype) for shape, dtype in zip(shapes, dtypes))
        want = getattr(scipy_signal, name)(a, v, mode, "direct")
        agree(getattr(signal, name)(a, v, mode), want, dtypes)


@settings(max_examples=200)
@given(st.data(), st.sampled_from(NAMES), st.sampled_from(MODES), st.sampled_from("bHqfdFDO"))
def test_any_shape(data, name, mode, dtype):
    shape = data.draw(hnp.array_shapes(min_dims=1, max_dims=3, max_side=9))
    taps = data.draw(hnp.array_shapes(min_dims=len(shape), max_dims=len(shape), max_side=9))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    a, v = ref.small_integers(rng, shape, dtype), ref.small_integers(rng, taps, dtype)
    if mode == "valid" and not fits(shape, taps):
        with pytest.raises(ValueError, match="'valid' needs in1 or in2"):
            getattr(signal, name)(a, v, mode)
        return
    agree(getattr(signal, name)(a, v, mode), cut(ref.rounded(name, a, v, "full"), a, v, mode))


@pytest.mark.parametrize("method", METHODS)
def test_integers_wrap_whatever_the_method(rng, method):
    a, v = ref.numbers(rng, 3000, "h"), ref.numbers(rng, 3000, "h")
    np.testing.assert_array_equal(signal.convolve(a, v, method=method), np.convolve(a, v), strict=True)


@pytest.mark.parametrize("method", METHODS)
def test_not_a_number_stays_in_its_windows(method):
    a = np.ones(500)
    a[[100, 400]] = np.nan, np.inf
    y = signal.convolve(a, np.ones(10), method=method)
    assert np.isnan(y[100:110]).all() and np.isinf(y[400:410]).all()
    assert np.isfinite(np.delete(y, [*range(100, 110), *range(400, 410)])).all()


def test_scalars():
    assert signal.convolve(2, 3) == 6 and signal.correlate(1j, 2j) == 2
    assert isinstance(signal.convolve(np.float32(2), np.int8(3)), np.float32)
    assert isinstance(signal.fftconvolve(2, 3), np.integer) and signal.oaconvolve(2, 1.5) == 3
    assert signal.choose_conv_method(2, 3) == "direct"


def test_empty():
    for a, v in [([], [1.0]), ([1.0], []), (np.ones((0, 3)), np.ones((2, 2)))]:
        for name in ("convolve", "correlate", "choose_conv_method"):
            with pytest.raises(ValueError, match="must not be empty"):
                getattr(signal, name)(a, v)
        for name in ("fftconvolve", "oaconvolve"):
            y = getattr(signal, name)(a, v)
            assert y.shape == (0,) and y.dtype == float
    y = signal.convolve2d(np.ones((0, 3)), np.ones((2, 2)))
    np.testing.assert_array_equal(y, np.zeros((1, 4)), strict=True)
    assert signal.convolve2d(np.ones((0, 3)), np.ones((2, 2)), "same").shape == (0, 3)
    assert signal.correlate2d(np.ones((2, 3)), np.ones((2, 0)), "valid", "wrap").tolist() == [[0, 0, 0, 0]]
    with pytest.raises(ValueError, match="in1 must not be empty"):
        signal.convolve2d(np.ones((0, 3)), np.ones((2, 2)), boundary="wrap")


# fftconvolve and oaconvolve

BROADCAST = [
    # shapes, axes
    ((7,), (3,), None),
    ((3,), (7,), 0),
    ((6, 5), (3, 2), None),
    ((6, 5), (3, 2), (1, 0)),
    ((4, 9), (4, 3), -1),
    ((4, 9), (1, 3), 1),
    ((1, 9), (4, 3), [1]),
    ((5, 1), (3, 4), None),
    ((1,), (4,), None),
    ((4,), (1,), None),
    ((3, 4), (1, 1), (0, 1)),
    ((2, 5, 3), (2, 2, 3), np.array([1])),
    ((3, 8, 2), (1, 3, 2), 1),
    ((6, 2, 7), (2, 1, 3), (0, 2)),
]


@pytest.mark.parametrize("name", ["fftconvolve", "oaconvolve"])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("shape", "taps", "axes"), BROADCAST, ids=str)
def test_chosen_axes(rng, name, mode, shape, taps, axes):
    listed = range(len(shape)) if axes is None else [k % len(shape) for k in np.atleast_1d(axes).tolist()]
    for dtype in "dDl":
        a, v = ref.small_integers(rng, shape, dtype), ref.small_integers(rng, taps, dtype)
        full = ref.rounded("convolve", a, v, "full", axes=tuple(listed))
        want = cut(full, a, v, mode, axes=listed)
        agree(getattr(signal, name)(a, v, mode, axes), want.astype(np.result_type(dtype, "d")))


@with_scipy
@pytest.mark.parametrize("name", ["fftconvolve", "oaconvolve"])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("shape", "taps", "axes"), BROADCAST, ids=str)
def test_chosen_axes_like_scipy(rng, name, mode, shape, taps, axes):
    a, v = ref.numbers(rng, shape, "d"), ref.numbers(rng, taps, "d")
    if mode == "same" and shape[0] < taps[0] and axes == [1]:
        return  # SciPy 1.17 drops rows
    agree(getattr(signal, name)(a, v, mode, axes), getattr(scipy_signal, name)(a, v, mode, axes))


def test_same_keeps_the_broadcast_size():
    y = signal.fftconvolve(np.ones((1, 10)), np.ones((7, 3)), "same", axes=1)
    assert y.shape == (7, 10)
    assert signal.fftconvolve([2.0], [1, 2, 3, 4], "same").tolist() == [4]


@with_scipy
def test_dtypes_like_scipy(rng):
    for dtypes in itertools.product("?bBhiqQefdgFDG", repeat=2):
        for shapes in [((9,), (3,)), ((3,), (9,))]:
            a, v = (ref.small_integers(rng, shape, dtype) for shape, dtype in zip(shapes, dtypes))
            y = signal.fftconvolve(a, v)
            assert y.dtype == scipy_signal.fftconvolve(a, v).dtype, dtypes
            agree(y, ref.rounded("convolve", a.astype(y.dtype), v.astype(y.dtype), "full"))


def test_floats_of_any_length():
    for a, v in itertools.product([[2], [2, 3]], repeat=2):
        assert signal.fftconvolve(a, v).dtype == float
    assert signal.fftconvolve(np.array([1, 2], object), np.array([1.5, 2], object)).tolist() == [1.5, 5, 4]


# lags


@pytest.mark.parametrize("mode", MODES)
def test_lags_are_those_of_correlate(mode):
    for n, m in itertools.product(range(1, 13), repeat=2):
        lags = signal.correlation_lags(n, m, mode)
        assert lags.dtype == np.arange(1).dtype
        for i, k in itertools.product(range(n), range(m)):
            z = signal.correlate(np.eye(n)[i], np.eye(m)[k], mode)
            assert lags.shape == z.shape and (lags[z == 1] == i - k).all()


@with_scipy
def test_lags_like_scipy():
    for n, m, mode in itertools.product(range(1, 13), range(1, 13), MODES):
        if not (mode == "same" and n % 2 and not m % 2):
            want = scipy_signal.correlation_lags(n, m, mode)
            np.testing.assert_array_equal(signal.correlation_lags(n, m, mode), want)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("shape", "taps"), SHAPES, ids=str)
def test_maxlag(rng, method, shape, taps):
    for dtype, maxlag in itertools.product("qdDO", [0, 1, 3, tuple(range(5, 5 - len(shape), -1))]):
        a, v = ref.small_integers(rng, shape, dtype), ref.small_integers(rng, taps, dtype)
        lags = maxlag if isinstance(maxlag, tuple) else (maxlag,) * len(shape)
        full = np.pad(ref.rounded("correlate", a, v, "full"), 5)
        middle = tuple(slice(5 + m - 1 - lag, 5 + m + lag) for m, lag in zip(taps, lags))
        agree(signal.correlate(a, v, method=method, maxlag=maxlag), full[middle])


def test_choice():
    a, v = np.ones(100), np.ones(5)
    assert signal.choose_conv_method(a, v) in ("direct", "fft")
    for mode in MODES:
        method, times = signal.choose_conv_method(a, v, mode, measure=True)
        assert method in times and set(times) == {"direct", "fft"}
        assert signal.choose_conv_method(v, a, mode) in times
    assert signal.choose_conv_method(np.ones(9, bool), np.ones(9, bool)) == "direct"
    assert signal.choose_conv_method(np.ones(9, object), np.ones(9, object)) == "direct"


# images

IMAGES = [((6, 7), (3, 3)), ((5, 6), (2, 4)), ((3, 2), (4, 5)), ((1, 6), (3, 1)), ((4, 3), (9, 11))]
BOUNDARIES = {"fill": "constant", "wrap": "wrap", "symm": "reflect"}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("shapes", IMAGES, ids=str)
def test_images(rng, name, mode, boundary, shapes):
    if mode == "valid" and not fits(*shapes):
        return
    for dtype, fillvalue in itertools.product("?Bqefd", [0, 1]):
        a, v = (ref.small_integers(rng, shape, dtype) for shape in shapes)
        options = {"boundary": BOUNDARIES[boundary], "cval": fillvalue}
        if mode == "valid":
            options["boundary"] = "zero"
        full = ref.rounded(name, a, v, "full", **options)
        y = getattr(signal, name + "2d")(a, v, mode, boundary, fillvalue)
        agree(y, cut(full, a, v, mode, correlate2d=name == "correlate"), dtype)


@with_scipy
@pytest.mark.parametrize("name", ["convolve2d", "correlate2d"])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("boundary", ["fill", "pad", "wrap", "circular", "symm", "symmetric"])
@pytest.mark.parametrize("shapes", IMAGES, ids=str)
def test_images_like_scipy(rng, name, mode, boundary, shapes):
    if mode == "valid" and not fits(*shapes):
        return
    for dtypes, fillvalue in itertools.product(itertools.product("BidF", repeat=2), [0, 2, 7.5]):
        a, v = (ref.small_integers(rng, shape, dtype) for shape, dtype in zip(shapes, dtypes))
        want = getattr(scipy_signal, name)(a, v, mode, boundary, fillvalue)
        if name == "correlate2d" and mode == "valid" and not all(n >= m for n, m in zip(*shapes)):
            want = want.conj()  # SciPy 1.17 conjugates in1
        agree(getattr(signal, name)(a, v, mode, boundary, fillvalue), want, dtypes)


def test_swapped_images_keep_their_conjugate(rng):
    a, v = ref.small_integers(rng, (2, 3), "D"), ref.small_integers(rng, (4, 5), "D")
    np.testing.assert_array_equal(signal.correlate2d(a, v, "valid"), signal.correlate(a, v, "valid"))


def test_fillvalues():
    a, v = np.ones((2, 2), np.uint8), np.ones((1, 2), np.uint8)
    assert signal.convolve2d(a, v, fillvalue=7.5)[0].tolist() == [8, 2, 8]
    assert signal.convolve2d(a, v, fillvalue=[3])[0].tolist() == [4, 2, 4]
    assert np.isnan(signal.convolve2d(a * 1.0, v, fillvalue=np.nan)[0, 0])


# filters


def filtered(b, a, x, axis, zi):
    """y and zf by the recursion of SciPy's documentation, one row at a time."""
    x, zi = np.moveaxis(x, axis, -1), np.moveaxis(zi, axis, -1)
    zi = np.broadcast_to(zi, (*x.shape[:-1], b.size - 1))
    y, zf = np.empty(x.shape, zi.dtype), np.empty(zi.shape, zi.dtype)
    for row in np.ndindex(x.shape[:-1]):
        state = [*zi[row], 0]
        for i, value in enumerate(x[row]):
            y[(*row, i)] = b[0] / a * value + state[0]
            state = [tap / a * value + s for tap, s in zip(b[1:], state[1:])] + [0]
        zf[row] = state[:-1]
    return np.moveaxis(y, -1, axis), np.moveaxis(zf, -1, axis)


@pytest.mark.parametrize("shape", [(1,), (9,), (2, 7), (3, 1, 4)], ids=str)
@pytest.mark.parametrize("n_taps", [1, 2, 3, 12])
@pytest.mark.parametrize("dtype", "fdgFDGO")
def test_lfilter(rng, shape, n_taps, dtype):
    for axis in range(-len(shape), len(shape)):
        b, x = ref.small_integers(rng, n_taps, dtype), ref.small_integers(rng, shape, dtype)
        a = np.array([2], dtype)
        rows = list(shape)
        rows[axis] = n_taps - 1
        for zi in (ref.small_integers(rng, rows, dtype), np.zeros([1] * len(rows), dtype)):
            if zi.shape[axis] != n_taps - 1:
                zi = np.zeros([n_taps - 1 if k == axis % len(rows) else 1 for k in range(len(rows))], dtype)
            y, zf = signal.lfilter(b, a, x, axis, zi)
            want, want_zf = filtered(b, a[0], x, axis, zi)
            agree(y, want)
            agree(zf, want_zf)
        agree(signal.lfilter(b, a, x, axis), want)  # the last zi was zero
        if scipy_signal is not None:
            agree(signal.lfilter(b, a, x, axis), scipy_signal.lfilter(b, a, x, axis))


def test_lfilter_in_pieces(rng):
    b, x = ref.numbers(rng, 7, "d"), ref.numbers(rng, (3, 50), "d")
    whole = signal.lfilter(b, 1, x)
    z, pieces = np.zeros((1, 6)), []
    for piece in np.split(x, [1, 3, 20, 24], axis=1):
        y, z = signal.lfilter(b, 1, piece, zi=z)
        pieces.append(y)
    agree(np.concatenate(pieces, axis=1), whole)


def test_lfilter_promotes():
    one = np.ones(1, np.float32)
    assert signal.lfilter(one, one, one).dtype == np.float32
    assert signal.lfilter(one, [1], one).dtype == np.float64
    assert signal.lfilter(one, one, one, zi=np.empty(0, complex))[0].dtype == complex


# resampling

UPFIRDN_MODES = (
    "constant symmetric reflect edge wrap smooth antisymmetric antireflect line".split()
)  # fmt: skip


def continued(x, i, mode, cval):
    """x[i] for any i, by the rule of the mode."""
    n = len(x)
    if 0 <= i < n:
        return x[i]
    if mode == "constant":
        return cval
    if mode == "antisymmetric":
        return -continued(x, -1 - i if i < 0 else 2 * n - 1 - i, mode, cval)
    if mode in ("antireflect", "smooth", "line") and n == 1:
        return x[0]
    if mode == "antireflect":
        edge = 0 if i < 0 else n - 1
        return 2 * x[edge] - continued(x, 2 * edge - i, mode, cval)
    if mode == "line":
        return x[0] + (x[-1] - x[0]) * (i / (n - 1))
    if mode == "smooth":
        return x[0] + (x[1] - x[0]) * i if i < 0 else x[-1] + (x[-1] - x[-2]) * (i - n + 1)
    boundary = {"symmetric": "reflect", "reflect": "mirror", "edge": "nearest", "wrap": "wrap"}[mode]
    return x[ref.inside(i, n, boundary)]


def resampled(h, x, up, down, mode="constant", cval=0):
    n_out = ((len(x) - 1) * up + len(h) - 1) // down + 1
    y = np.zeros(n_out, np.result_type(h, x))
    for k in range(n_out):
        last = k * down // up
        for i in range(last - len(h) // up - 1, last + 1):
            if 0 <= k * down - i * up < len(h):
                y[k] += h[k * down - i * up] * continued(x, i, mode, cval)
    return y


RATES = [(1, 1), (2, 1), (1, 2), (3, 2), (2, 3), (4, 6), (5, 1), (1, 7), (9, 8), (3, 50)]


@pytest.mark.parametrize("mode", UPFIRDN_MODES)
@pytest.mark.parametrize("rates", RATES, ids=str)
def test_upfirdn(rng, mode, rates):
    for n, n_taps, dtype in itertools.product((1, 2, 3, 10), (1, 2, 5, 23), "fD"):
        x, h = ref.small_integers(rng, n, dtype), ref.small_integers(rng, n_taps, dtype)
        y = signal.upfirdn(h, x, *rates, mode=mode, cval=2)
        agree(y, resampled(h, x, *rates, mode, 2), (n, n_taps))


@with_scipy
@pytest.mark.parametrize("mode", UPFIRDN_MODES)
@pytest.mark.parametrize("dtype", "?bhieqfdFD")
def test_upfirdn_like_scipy(rng, mode, dtype):
    for rates, axis, kind in itertools.product(RATES, range(-3, 3), dtype + "fF"):
        x, h = ref.small_integers(rng, (3, 5, 2), dtype), ref.small_integers(rng, 11, kind)
        want = scipy_signal.upfirdn(h, x, *rates, axis, mode, 1.5)
        agree(signal.upfirdn(h, x, *rates, axis, mode.upper(), 1.5), want, (rates, axis))


@pytest.mark.parametrize("rates", RATES, ids=str)
def test_upfirdn_keeps_not_a_number_in_its_windows(rng, rates):
    for n_taps in (1, 5, 40):
        x, h = ref.small_integers(rng, (2, 90), "d"), ref.small_integers(rng, n_taps, "d")
        h[h == 0] = 1
        x[0, 30], x[1, 60] = np.nan, np.inf
        y = signal.upfirdn(h, x, *rates)
        for row in range(2):
            np.testing.assert_array_equal(y[row], resampled(h, x[row], *rates))


def test_upfirdn_with_large_coprime_rates(rng):
    x, h = ref.numbers(rng, 3000, "d"), ref.numbers(rng, 20011, "d")
    for up, down in [(10007, 10009), (1, 10007), (160, 147)]:
        y = signal.upfirdn(h, x, up, down)
        upsampled = np.zeros(2999 * up + 1)
        upsampled[::up] = x
        for k in (0, 1, y.size // 2, y.size - 1):
            taps = np.arange(max(0, k * down - upsampled.size + 1), min(h.size - 1, k * down) + 1)
            assert math.isclose(y[k], h[taps] @ upsampled[k * down - taps], abs_tol=1e-9)


@pytest.mark.parametrize("mode", UPFIRDN_MODES)
@pytest.mark.parametrize("rates", [*RATES, (160, 147)], ids=str)
def test_upfirdn_phase_by_phase_and_output_by_output(rng, mode, rates, monkeypatch):
    """Both ways agree, for signals with and without values that are not finite, also with several threads."""
    for n, n_taps, dtype in itertools.product((1, 40, 3000), (1, 9, 200), "fdFD"):
        x, h = ref.numbers(rng, (2, n), dtype), ref.numbers(rng, n_taps, dtype)
        bound = 50 * np.finfo(dtype).eps * np.abs(h).sum() * max(n, n_taps, 3)
        for value in (0, np.nan):
            x[1, n // 2] += value
            found = []
            for least, workers in ((0, 1), (10**9, 1), (10**9, 3)):
                monkeypatch.setattr(_upfirdn, "LEAST", least)
                with fc.threads(workers):
                    found.append(signal.upfirdn(h, x, *rates, mode=mode, cval=1.5))
            folded, summed, threaded = found
            assert summed.tobytes() == threaded.tobytes()
            np.testing.assert_array_equal(np.isfinite(folded), np.isfinite(summed))
            finite = np.isfinite(summed)
            assert np.abs(folded[finite] - summed[finite]).max(initial=0) <= bound


@with_scipy
def test_upfirdn_of_any_layout(rng):
    x, h = rng.standard_normal((40, 30, 6)), rng.standard_normal(61)
    for array in (x, x.T, x[::2, ::-1], np.broadcast_to(x[:1], (5, 30, 6)), x.astype(">f4"), x[:0]):
        for axis in range(3):
            if array.shape[axis]:
                want = scipy_signal.upfirdn(h, array, 3, 2, axis)
                y = signal.upfirdn(h[::-1][::-1], array, 3, 2, axis)
                assert y.flags.c_contiguous and y.dtype == want.dtype
                np.testing.assert_allclose(y, want, rtol=0, atol=1e-12)


# words, errors, the package

BAD = [
    # function, arguments, options, error, words in the message
    ("convolve", ([1.0], [[1.0]]), {}, ValueError, "in2 must have in1's 1 dimensions"),
    ("convolve", ([1.0], 1.0), {}, ValueError, "in2"),
    ("convolve", (["a"], [1.0]), {}, TypeError, "in1 must hold numbers"),
    ("convolve", ([1.0], ["a"]), {}, TypeError, "in2 must hold numbers"),
    ("convolve", ([[1], [1, 2]], [1.0]), {}, ValueError, "in1 must be array-like"),
    ("convolve", ([1.0], [1.0], "foo"), {}, ValueError, "mode must be .*'foo'"),
    ("correlate", ([1.0], [1.0], 2), {}, TypeError, "mode must be .*2"),
    ("correlate", ([1.0], [1.0], "full", "foo"), {}, ValueError, "method must be .*'foo'"),
    ("correlate", ([1.0], [1.0], "same"), {"maxlag": 1}, ValueError, "mode must be 'full'"),
    ("correlate", ([1.0], [1.0]), {"maxlag": -1}, ValueError, "maxlag must be at least 0, got -1"),
    ("correlate", ([1.0], [1.0]), {"maxlag": 1.5}, TypeError, "maxlag must be an integer, got 1.5"),
    ("correlate", ([1.0], [1.0]), {"maxlag": (1, 2)}, ValueError, "maxlag must have one entry"),
    ("correlation_lags", (0, 3), {}, ValueError, "in1_len must be at least 1"),
    ("correlation_lags", (3, 2.5), {}, TypeError, "in2_len must be an integer"),
    ("correlation_lags", (3, 2, "foo"), {}, ValueError, "mode must be"),
    ("choose_conv_method", ([1.0], [1.0], "foo"), {}, ValueError, "mode must be"),
    ("choose_conv_method", (np.ones((2, 3)), np.ones((3, 2)), "valid"), {}, ValueError, "'valid' needs"),
    ("fftconvolve", (np.ones((2, 3)), np.ones((2, 3)), "full", ()), {}, ValueError, "axes"),
    ("fftconvolve", (np.ones((2, 3)), np.ones((2, 3)), "full", 2), {}, ValueError, "axes must be from -2"),
    ("fftconvolve", (np.ones((2, 3)),) * 2, {"axes": (0, -2)}, ValueError, "axes must be unique"),
    ("fftconvolve", (np.ones((2, 3)), np.ones((2, 3)), "full", 0.5), {}, TypeError, "axes must be"),
    ("oaconvolve", (np.ones((2, 3)), np.ones((3, 3)), "full", 1), {}, ValueError, "along axis 0"),
    ("oaconvolve", (np.ones((2, 3)), np.ones((3, 2)), "valid"), {}, ValueError, "'valid' needs"),
    ("oaconvolve", (np.ones(2, "m8[s]"),) * 2, {}, TypeError, "in1 must hold numbers"),
    ("oaconvolve", (np.ones(2), np.array([1, 2j], object)), {}, TypeError, "in2 must hold real numbers"),
    ("convolve2d", ([1.0], [1.0]), {}, ValueError, "2 dimensions, got 1"),
    ("convolve2d", ([[1.0]], [[1.0]], "full", "foo"), {}, ValueError, "boundary must be .*'foo'"),
    ("convolve2d", ([[1.0]], [[1.0]], "full", None), {}, TypeError, "boundary must be"),
    ("correlate2d", ([[1.0]], [[1.0]], "full", "fill", [1, 2]), {}, ValueError, "fillvalue must be a scalar"),
    ("correlate2d", ([[1.0]], [[1.0]], "full", "fill", 1j), {}, TypeError, "fillvalue must be real"),
    ("correlate2d", (np.ones((1, 1), "B"),) * 2, {"fillvalue": 256}, ValueError, "fillvalue must be a whole"),
    ("lfilter", ([], 1, [1.0]), {}, ValueError, "b must be one-dimensional"),
    ("lfilter", ([[1.0]], 1, [1.0]), {}, ValueError, "b must be one-dimensional"),
    ("lfilter", ([1.0], [1.0, 0.5], [1.0]), {}, ValueError, "a must hold one number, got 2.*scipy"),
    ("lfilter", ([1.0], 0, [1.0]), {}, ValueError, "a must not be zero"),
    ("lfilter", ([1], 1, [1]), {}, NotImplementedError, "got int64"),
    ("lfilter", ([1.0], 1, 1.0), {}, ValueError, "x must have at least one dimension"),
    ("lfilter", ([1.0], 1, []), {}, ValueError, "x must not be empty"),
    ("lfilter", ([1.0], 1, [1.0], 1), {}, ValueError, "axis must be from -1 to 0"),
    ("lfilter", ([1.0], 1, [1.0], "0"), {}, TypeError, "axis must be an integer"),
    ("lfilter", ([1.0, 2.0], 1, [1.0]), {"zi": [1.0, 2.0]}, ValueError, r"zi must have the shape \(1,\)"),
    ("lfilter", ([1.0, 2.0], 1, [[1.0]]), {"zi": [1.0]}, ValueError, "zi must have the shape"),
    ("upfirdn", ([], [1.0]), {}, ValueError, "h must be one-dimensional"),
    ("upfirdn", ([1.0], []), {}, ValueError, "x must not be empty"),
    ("upfirdn", ([1.0], 1.0), {}, ValueError, "x must have at least one dimension"),
    ("upfirdn", ([1.0], [1.0], 0), {}, ValueError, "up must be at least 1, got 0"),
    ("upfirdn", ([1.0], [1.0], 1, 1.5), {}, TypeError, "down must be an integer, got 1.5"),
    ("upfirdn", ([1.0], [1.0]), {"axis": 1}, ValueError, "axis must be from"),
    ("upfirdn", ([1.0], [1.0]), {"mode": "foo"}, ValueError, "mode must be"),
    ("upfirdn", ([1.0], [1.0]), {"mode": None}, TypeError, "mode must be"),
    ("upfirdn", ([1.0], [1.0]), {"cval": 1j}, TypeError, "cval must be real"),
    ("upfirdn", (np.ones(2, "g"), [1.0]), {}, TypeError, "h and x must promote"),
]


@pytest.mark.parametrize(("name", "arguments", "options", "error", "words"), BAD)
def test_bad_input(name, arguments, options, error, words):
    with pytest.raises(error, match=words):
        getattr(signal, name)(*arguments, **options)


@pytest.mark.parametrize("module", ["_convolution", "_fftconvolve", "_images", "_filters", "_upfirdn"])
def test_examples(module):
    failed, tried = doctest.testmod(importlib.import_module(f"fastconv.signal.{module}"))
    assert tried > 2 and failed == 0


def test_imported_when_used():
    script = (
        "import sys, fastconv; assert 'fastconv.signal' not in sys.modules;"
        "assert fastconv.signal.convolve([1, 2], [3]).tolist() == [3, 6]"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
    assert fc.signal is signal
    with pytest.raises(AttributeError, match="nothing"):
        fc.nothing  # noqa: B018
