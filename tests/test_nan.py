"""Convolution of data with missing values, against its formulas: one output after the other, in long double.

interpolate   sum of w x over what is there / sum of w over what is there   (× sum of w if not normalized)
fill          missing values are the fill value
propagate     NaN is NaN
ignore        sum of w x over what is there
"""

import doctest
import itertools
import threading
import time

import hypothesis.strategies as st
import numpy as np
import pytest
import reference as ref
from hypothesis import given, settings

import fastconv
from fastconv import _means, nan
from fastconv.nan import _blocks

WORDS = {"fill": "constant", "extend": "nearest"}
BOUNDARIES = ("fill", "extend", "wrap", None, "zero", "constant", "nearest", "reflect", "mirror")
TREATMENTS = ("interpolate", "fill", "propagate", "ignore")


def slow(array, kernel, boundary="fill", fill_value=0.0, nan_treatment="interpolate", **options):
    """(the result, sum of the absolute values of each output's terms, over its denominator)"""
    normalized, mask = options.get("normalize_kernel", True), options.get("mask")
    x, w = np.array(np.ma.getdata(array), np.longdouble), np.array(kernel, np.longdouble)
    missing = np.isnan(x) | np.ma.getmaskarray(array)
    if mask is not None:
        missing |= np.asarray(mask) != 0
    x[missing] = fill_value if nan_treatment == "fill" else np.nan
    total = w.sum()
    v = w / total if normalized else w
    y, size = np.zeros(x.shape, np.longdouble), np.zeros(x.shape, np.longdouble)
    outside = 0 if boundary == "zero" else fill_value
    word = WORDS.get(boundary, boundary) or "zero"
    for i in np.ndindex(x.shape):
        values, weights, leaves = [], [], False
        for t in np.ndindex(w.shape):
            at = [j - k + m // 2 for j, k, m in zip(i, t, w.shape)]
            leaves |= any(not 0 <= j < n for j, n in zip(at, x.shape))
            source = tuple(ref.inside(j, n, word) for j, n in zip(at, x.shape))
            values.append(outside if None in source else x[source])
            weights.append(v[t])
        values, weights = np.array(values), np.array(weights)
        if boundary is None and leaves:
            continue
        below = np.longdouble(1)
        if nan_treatment in ("interpolate", "ignore"):
            there = ~np.isnan(values)
            values, weights = values[there], weights[there]
        with np.errstate(all="ignore"):
            if nan_treatment == "interpolate" and not there.all():
                below = weights.sum() / (1 if normalized else total)
            y[i] = (weights * values).sum() / below
            size[i] = (np.abs(weights) * np.abs(values)).sum() / np.abs(below)
            if nan_treatment == "interpolate":
                size[i] *= 1 + np.abs(weights).sum() / np.abs(weights.sum())
    if options.get("preserve_nan"):
        y[missing] = np.nan
    return y, size


def check(array, kernel, **options):
    y = nan.convolve(array, kernel, **options)
    truth, size = slow(array, kernel, **options)
    x = np.ma.getdata(array)
    dtype = x.dtype.newbyteorder("=") if x.dtype.kind == "f" else np.dtype(float)
    assert type(y) is np.ndarray and y.dtype == dtype and y.shape == truth.shape
    finite = np.isfinite(truth)
    np.testing.assert_array_equal(y[~finite], truth[~finite].astype(dtype))
    eps = np.finfo(np.float32 if dtype == np.float16 else dtype).eps
    bound = 4 * (4 + np.sqrt(np.size(kernel))) * eps * size + (np.finfo(dtype).eps * np.abs(truth))
    worst = np.abs(y[finite] - truth[finite]) - bound[finite]
    assert worst.size == 0 or worst.max() <= 0, f"off by {worst.max()} more than the bound; {options}"
    return y


def holes(rng, shape, share, dtype=float):
    x = rng.standard_normal(shape).astype(dtype)
    x[rng.random(shape) < share] = np.nan
    return x


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("nan_treatment", TREATMENTS)
def test_formulas(rng, boundary, nan_treatment):
    sizes = [((30,), (5,)), ((30,), (4,)), ((9, 12), (3, 4)), ((5, 4, 6), (3, 2, 1)), ((3,), (3,))]
    given = list(itertools.product((0, 0.2, 0.9), (0.0, 2.5), (True, False)))
    for shape, taps in sizes:
        for share, fill_value, normalize_kernel in given:
            options = {"boundary": boundary, "nan_treatment": nan_treatment, "fill_value": fill_value}
            options |= {"normalize_kernel": normalize_kernel, "preserve_nan": share == 0.2}
            check(holes(rng, shape, share), rng.random(taps) + 0.1, **options)


@pytest.mark.parametrize("dtype", ["e", "f", "d", "g", ">f8"])
def test_dtypes(rng, dtype):
    for share in (0, 0.3):
        check(holes(rng, (12, 15), share, dtype), rng.random((3, 5)))
    check(rng.integers(-9, 9, (12, 15)).astype("i2"), rng.random((3, 5)), mask=rng.random((12, 15)) < 0.3)
    check(rng.random(20) < 0.5, [1, 2, 1])


def test_outside_may_be_missing(rng):
    for shape, taps, share in [((20,), (5,), 0), ((9, 9), (3, 4), 0.3), ((9, 9), (5, 5), 0)]:
        check(holes(rng, shape, share), rng.random(taps) + 0.1, fill_value=np.nan)


def test_masks(rng):
    x, mask, kernel = holes(rng, (10, 12), 0.1), rng.random((10, 12)) < 0.2, rng.random((3, 3))
    masked = np.ma.array(x, mask=rng.random(x.shape) < 0.2)
    for nan_treatment, preserve_nan in itertools.product(TREATMENTS, (True, False)):
        for array, given_mask in ((x, mask), (masked, None), (masked, mask.astype(int) * 3)):
            options = {"nan_treatment": nan_treatment, "preserve_nan": preserve_nan, "mask": given_mask}
            check(array, kernel, fill_value=1.5, **options)
    assert nan.convolve(np.ma.array(x), kernel).shape == x.shape


def test_kernels_longer_than_the_array(rng):
    for boundary in set(BOUNDARIES) - {None}:
        check(holes(rng, (4, 5), 0.3), rng.random((9, 12)) + 0.1, boundary=boundary)
    with pytest.raises(ValueError, match="no longer than the array"):
        nan.convolve(np.ones(4), np.ones(5), boundary=None)


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("shape, taps", [((2000,), (7,)), ((40, 600), (4, 5)), ((20, 17, 260), (3, 1, 4))])
def test_compiled_blocks(rng, shape, taps, boundary, monkeypatch):
    """Many small ones of several shapes, against blocks of another kind."""
    monkeypatch.setattr(_means, "BLOCK_BYTES", 1 << 12)
    kernel = rng.random(taps) + 0.05
    some = ((1e-3, "f"), (0.1, "d"))
    for (share, dtype), treatment, fill in itertools.product(some, TREATMENTS, (0.0, 1.5, np.nan)):
        x = holes(rng, shape, share, dtype)
        mask = rng.random(shape) < share if fill == 1.5 else None
        if share == 0.1:  # other strides
            x = x[::-1]
            mask = None if mask is None else np.asfortranarray(mask)
        x.reshape(-1)[-1] = np.nan
        options = {
            "nan_treatment": treatment,
            "fill_value": fill,
            "mask": mask,
            "normalize_kernel": fill == 0,
        }
        y = nan.convolve(x, kernel, boundary, workers=3, **options)
        with monkeypatch.context() as other:
            other.setattr(_blocks, "MOST_TAPS", 0)
            want = nan.convolve(x, kernel, boundary, **options)
        near = {"rtol": 2e-5, "atol": 1e-5} if dtype == "f" else {"rtol": 1e-12, "atol": 1e-13}
        np.testing.assert_allclose(y, want, **near)


@pytest.mark.parametrize("share", [1e-3, 0.05, 0.6])
@pytest.mark.parametrize("dtype", ["f", "d"])
def test_all_ways_to_a_denominator(rng, share, dtype, monkeypatch):
    """Blocks of some rows, transforms, subtractions: each at some outputs."""
    monkeypatch.setattr(_blocks, "BLOCK_BYTES", 1 << 13)
    x, kernel = holes(rng, (70, 60), share, dtype), np.outer(np.hanning(23)[1:-1], np.hanning(27)[1:-1])
    x[20:55, 10:50] = np.nan  # a hole larger than the kernel
    x[30, 30] = 1e3
    few = nan.convolve(x, kernel, boundary="extend")
    for seconds in (0, np.inf):
        monkeypatch.setattr(_blocks, "SUBTRACT_SECONDS", seconds)
        monkeypatch.setattr(_blocks, "FIND_SECONDS", seconds)
        monkeypatch.setattr(_blocks, "ROW_SECONDS", seconds)
        y = nan.convolve(x, kernel, boundary="extend")
        assert np.array_equal(np.isnan(y), np.isnan(few))
        np.testing.assert_allclose(y, few, rtol=2e-3 if dtype == "f" else 1e-11)
    part = (slice(14, 26), slice(4, 16))
    there = ~np.isnan(x)
    for i, j in itertools.product(range(14, 26), range(4, 16)):
        rows, cols = np.clip(np.arange(i - 10, i + 11), 0, 69), np.clip(np.arange(j - 12, j + 13), 0, 59)
        window, ok = x[np.ix_(rows, cols)].astype(float), there[np.ix_(rows, cols)]
        if ok.any():
            want = (kernel * np.where(ok, window, 0)).sum() / kernel[ok].sum()
            scale = (kernel * np.where(ok, np.abs(window), 0)).sum() / kernel[ok].sum()
            assert abs(y[i, j] - want) < (3e-5 if dtype == "f" else 1e-12) * scale
    assert np.isfinite(y[part]).any()


def test_means_of_few_values_are_exact(rng):
    """A value in the tail of the kernel alone: a transform would leave nothing of it."""
    x = np.full(3000, np.nan)
    x[[100, 1500, 2990]] = 1.0, 2.0, 3.0
    kernel = np.exp(-0.5 * (np.arange(-400, 401) / 60.0) ** 2)
    y = nan.convolve(x, kernel)
    for at, value in ((500, 1.0), (1100, 2.0), (1900, 2.0), (2590, 3.0)):
        assert y[at] == value or abs(y[at] - value) < 1e-15
    assert np.isnan(y[[700, 2200]]).all()


def test_infinities_are_values(rng):
    x = holes(rng, (20, 20), 0.1)
    x[5, 5], x[12, 12] = np.inf, -np.inf
    y = check(x, rng.random((3, 3)) + 0.1)
    assert np.isinf(y).sum() == 18
    x[5, 6] = -np.inf
    check(x, rng.random((3, 3)) + 0.1)
    check(np.array([np.inf, -np.inf, 1.0, 2.0]), [1.0, 1.0, 1.0])


def test_zero_taps_have_no_weight():
    x = [np.nan, 2.0, np.nan, 1.0]
    np.testing.assert_array_equal(nan.convolve(x, [1, 0, 1], boundary="wrap"), [1.5, np.nan, 1.5, np.nan])
    np.testing.assert_array_equal(nan.convolve(x, [1, 0, 1]), [1.0, np.nan, 1.5, 0.0])


def test_kernels_of_either_sign(rng):
    check(holes(rng, 40, 0.2), -rng.random(5) - 0.1)
    check(holes(rng, 40, 0.0), [1.0, -2.0, 1.0], normalize_kernel=False)
    check(holes(rng, 40, 0.2), [1.0, -2.0, 1.0], normalize_kernel=False, nan_treatment="fill")
    check(np.array([np.inf, -np.inf]), [1.0, -2.0, 1.0], normalize_kernel=False)


def test_layouts(rng):
    x = holes(rng, (40, 50), 0.1)
    kernel = rng.random((4, 3))
    want = nan.convolve(x, kernel)
    apart = np.zeros((80, 100))[::2, ::2]
    apart[...] = x
    raw = np.zeros(x.nbytes + 1, np.uint8)[1:].view(float).reshape(x.shape)
    raw[...] = x
    fixed = x.copy()
    fixed.flags.writeable = False
    for view in (np.asfortranarray(x), apart, raw, fixed, x[::-1][::-1]):
        np.testing.assert_allclose(nan.convolve(view, kernel), want, rtol=1e-13)
    turned = nan.convolve(x.T, kernel.T)
    np.testing.assert_allclose(turned.T, want, rtol=1e-13)


def test_out(rng):
    x, kernel = holes(rng, (60, 70), 0.1), rng.random((5, 5))
    want = nan.convolve(x, kernel)
    out = np.empty((70, 60)).T
    assert nan.convolve(x, kernel, out=out) is out
    np.testing.assert_allclose(out, want, rtol=1e-13)
    assert nan.convolve(x, kernel, out=x) is x
    np.testing.assert_array_equal(x, want)


@pytest.mark.parametrize("taps", [(3, 3), (60, 60)])
def test_threads_change_nothing(rng, taps):
    x, kernel = holes(rng, (300, 400), 0.1), rng.random(taps)
    want = nan.convolve(x, kernel, workers=1)
    for workers in (2, 3):
        np.testing.assert_array_equal(nan.convolve(x, kernel, workers=workers), want)


def test_other_threads_run_meanwhile(rng):
    x, kernel, done, longest = holes(rng, (800, 800), 0.1), rng.random((31, 31)), threading.Event(), [0.0]

    def watch():
        last = time.perf_counter()
        while not done.is_set():
            time.sleep(0)
            now = time.perf_counter()
            longest[0], last = max(longest[0], now - last), now

    watcher = threading.Thread(target=watch)
    watcher.start()
    start = time.perf_counter()
    for _ in range(10):
        nan.convolve(x, kernel, workers=1)
    spent = time.perf_counter() - start
    done.set()
    watcher.join()
    assert longest[0] < spent / 2


BAD = [
    ({"boundary": "edge"}, ValueError, "boundary must be"),
    ({"boundary": 3}, TypeError, "boundary must be"),
    ({"nan_treatment": "omit"}, ValueError, "nan_treatment must be"),
    ({"fill_value": "0"}, TypeError, "fill_value must be"),
    ({"array": 3.0}, ValueError, "array must have at least one dimension"),
    ({"array": []}, ValueError, "array must not be empty"),
    ({"array": [1j]}, TypeError, "array must hold real numbers"),
    ({"array": ["a"]}, TypeError, "array must hold real numbers"),
    ({"kernel": [[1.0]]}, ValueError, "kernel must have the array's 1 dimensions"),
    ({"kernel": [1, -1.0]}, ValueError, "kernel must not have a sum near zero"),
    ({"kernel": [1, np.nan]}, ValueError, "kernel must not have a sum near zero"),
    ({"kernel": [1, -1.0], "normalize_kernel": False}, ValueError, "for nan_treatment 'interpolate'"),
    ({"kernel": np.ma.array([1, 2.0], mask=[0, 1])}, ValueError, "kernel must not have masked"),
    ({"kernel": [1e-9, 1e-9, 0]}, ValueError, "kernel must not have a sum near zero"),
    ({"mask": [True]}, ValueError, "mask must have the array's shape"),
    ({"mask": np.ma.array([0, 1, 0, 0], mask=[0, 1, 0, 0])}, ValueError, "mask must not have masked"),
    ({"mask": ["a", "b", "c", "d"]}, TypeError, "mask must hold"),
    ({"normalization_zero_tol": -1}, ValueError, "normalization_zero_tol must be"),
    ({"out": np.zeros(3)}, ValueError, "out must have"),
    ({"out": np.zeros(4, int)}, TypeError, "out must have"),
    ({"workers": "2"}, TypeError, "workers must be"),
]


@pytest.mark.parametrize("change, error, message", BAD, ids=[str(k) for k in range(len(BAD))])
def test_bad_arguments(change, error, message):
    arguments = {"array": [1.0, np.nan, 2.0, 4.0], "kernel": [1.0, 2.0, 1.0]} | change
    with pytest.raises(error, match=message):
        nan.convolve(**arguments)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_problem(data):
    ndim = data.draw(st.integers(1, 3))
    most = (60, 9, 5)[ndim - 1]
    shape = data.draw(st.tuples(*[st.integers(1, most)] * ndim))
    taps = data.draw(st.tuples(*[st.integers(1, most)] * ndim))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    options = {
        "boundary": data.draw(st.sampled_from(BOUNDARIES)),
        "fill_value": data.draw(st.sampled_from([0.0, -1.5, np.nan])),
        "nan_treatment": data.draw(st.sampled_from(TREATMENTS)),
        "normalize_kernel": data.draw(st.booleans()),
        "preserve_nan": data.draw(st.booleans()),
        "mask": rng.random(shape) < 0.2 if data.draw(st.booleans()) else None,
    }
    if options["boundary"] is None:
        taps = tuple(min(n, m) for n, m in zip(shape, taps))
    x = holes(rng, shape, data.draw(st.sampled_from([0, 0.02, 0.4, 1])), data.draw(st.sampled_from("fd")))
    check(x, (rng.random(taps) + 0.05).astype(float), **options)


def test_examples():
    failed, tried = doctest.testmod(nan)
    assert tried > 3 and failed == 0


def test_complete_data_are_convolved_as_they_are(rng):
    x, kernel = rng.standard_normal((50, 60)), rng.random((3, 5))
    want = fastconv.convolve(x, kernel / kernel.sum(), "same", boundary="reflect")
    np.testing.assert_array_equal(nan.convolve(x, kernel, "reflect"), want)
