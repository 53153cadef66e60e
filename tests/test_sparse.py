"""The method "sparse": the taps that are not zero, against the truth and the direct sum."""

import itertools
import tracemalloc

import numpy as np
import pytest
import reference as ref
from hypothesis import given, settings
from hypothesis import strategies as st

import fastconv as fc
from fastconv._kernel_values import taps

DTYPES = "fdFDhHiIlLqQ"
SHAPES = [
    ((60,), (20,), 4),
    ((9,), (30,), 3),
    ((12, 50), (7, 9), 6),
    ((5, 4), (9, 11), 3),
    ((6, 7, 9), (3, 2, 4), 5),
]


def kernel(rng, m, dtype, n_taps):
    v = np.zeros(m, dtype)
    v.flat[rng.choice(v.size, n_taps, replace=False)] = ref.numbers(rng, n_taps, dtype)
    return v


def check(a, v, mode="same", **options):
    """Against the direct sum, in units of eps max|a| sum|v|."""
    y = fc.convolve(a, v, mode, method="sparse", **options)
    want = fc.convolve(a, v, mode, method="direct", **options)
    scale = np.finfo(y.dtype).eps * np.abs(a).max() * np.abs(v).sum()
    assert np.abs(y - want).max() <= 4 * scale, f"{a.dtype} {a.shape} {v.shape} {mode} {options}"
    return y


@pytest.mark.parametrize("boundary", ref.BOUNDARIES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_modes_and_boundaries(rng, dtype, boundary):
    for (shape, m, n_taps), mode in itertools.product(SHAPES, ref.MODES):
        if mode != "valid" or all(n >= k for n, k in zip(shape, m)):
            a, v = ref.numbers(rng, shape, dtype), kernel(rng, m, dtype, n_taps)
            cval = {"cval": 3} if boundary == "constant" else {}
            for name in ("convolve", "correlate"):
                y = getattr(fc, name)(a, v, mode, boundary=boundary, method="sparse", **cval)
                ref.check(y, name, a, v, mode, boundary=boundary, **cval)


@pytest.mark.parametrize("dtype", "fD")
@pytest.mark.parametrize(
    "shape, m, n_taps",
    [
        ((100_000,), (30_001,), 3),
        ((20_000,), (5000,), 300),
        ((300, 700), (17, 17), 25),
        ((40, 9000), (3, 900), 7),
        ((2000, 30), (1500, 3), 9),
        ((20, 40, 120), (7, 7, 7), 20),
        ((60, 70), (40, 41), 500),
    ],
)
def test_more_than_one_unit(rng, dtype, shape, m, n_taps):
    for mode, boundary in (("full", "zero"), ("same", "mirror")):
        check(ref.numbers(rng, shape, dtype), kernel(rng, m, dtype, n_taps), mode, boundary=boundary)


@pytest.mark.parametrize("dtype", "fD")
def test_layouts(rng, dtype):
    v = kernel(rng, (9, 12), dtype, 8)
    big = ref.numbers(rng, (80, 90), dtype)
    for a in (big, big.T, big[::-1, ::-2], big[::3, ::2].T):
        y = check(a, v, boundary="reflect")
        wide = np.empty((y.shape[0], 2 * y.shape[1]), dtype)
        for out in (np.empty_like(y, order="C"), np.empty_like(y, order="F"), wide[:, ::2], wide[:, ::-2]):
            fc.convolve(a, v, "same", boundary="reflect", method="sparse", out=out)
            np.testing.assert_array_equal(out, y)
    many = kernel(rng, (30, 30), dtype, 600)  # more than one pass
    np.testing.assert_allclose(check(big, many), check(np.asfortranarray(big), many), atol=1e-3)
    raw = np.zeros(big.nbytes + 1, np.uint8)[1:].view(dtype).reshape(big.shape)
    raw[...] = big
    np.testing.assert_array_equal(fc.convolve(raw, v, method="sparse"), fc.convolve(big, v, method="sparse"))


@pytest.mark.parametrize("dtype", "fdFD")
def test_batches(rng, dtype):
    a = ref.numbers(rng, (3, 20, 24, 2), dtype)
    check(a, kernel(rng, (5, 4), dtype, 3), axes=(1, 2), boundary="nearest")
    check(ref.numbers(rng, (50, 20), dtype), kernel(rng, (30,), dtype, 3), axes=0, boundary="wrap")
    each = np.stack([kernel(rng, (5, 9), dtype, 4) for _ in range(3)])[..., None]
    for order in "CF":
        check(np.asarray(a, order=order), each, "full", axes=(1, 2))
    check(a[:1], each * ref.numbers(rng, 2, dtype), "full", axes=(1, 2))


def test_other_dtypes_are_cast_in_blocks(rng):
    a, v = rng.integers(0, 255, (700, 900), dtype=np.uint8), kernel(rng, (9, 9), "f", 5)
    tracemalloc.start()
    out = np.empty(a.shape, "f")
    fc.convolve(a, v, "same", boundary="reflect", method="sparse", out=out)
    assert tracemalloc.get_traced_memory()[1] < out.nbytes + 3e6
    tracemalloc.stop()
    np.testing.assert_array_equal(
        out, fc.convolve(a.astype("f"), v, "same", boundary="reflect", method="sparse")
    )


def test_threads_do_not_change_results(rng):
    for shape, m in [((200_000,), (1000,)), ((300, 400), (20, 30)), ((20, 50, 60), (5, 6, 7))]:
        a, v = rng.standard_normal(shape).astype("f"), kernel(rng, m, "f", 50)
        y = [fc.convolve(a, v, "same", method="sparse", workers=n) for n in (1, 2, 3, 8)]
        for other in y[1:]:
            np.testing.assert_array_equal(other, y[0])


@pytest.mark.parametrize("boundary", ref.BOUNDARIES)
@pytest.mark.parametrize("dtype", "fdFD")
def test_not_finite(rng, dtype, boundary):
    """A value that is not finite reaches all whose window holds it: zero times infinity is NaN."""
    for (shape, m, n_taps), mode in itertools.product(SHAPES, ("full", "same")):
        if boundary == "zero" and np.prod(m) > np.prod(shape):
            continue  # there the larger one is the signal
        v = kernel(rng, m, dtype, n_taps)
        a = ref.numbers(rng, shape, dtype)
        for value in (np.nan, np.inf, -np.inf):
            a.flat[rng.integers(a.size)] = value
            y = fc.convolve(a, v, mode, boundary=boundary, method="sparse")
            want = fc.convolve(a, v, mode, boundary=boundary, method="direct")
            np.testing.assert_array_equal(
                np.where(np.isfinite(y), 0, y), np.where(np.isfinite(want), 0, want)
            )
        a[...] = 1
        options = {"boundary": "constant", "cval": np.inf}
        y = fc.convolve(a, v, mode, method="sparse", **options)
        np.testing.assert_array_equal(y, fc.convolve(a, v, mode, method="direct", **options))


def test_not_finite_in_a_batch(rng):
    a = rng.standard_normal((3, 200))
    a[1, 100] = np.nan
    each = np.stack([kernel(rng, (30,), "d", 4) for _ in range(3)])
    y = fc.convolve(a, each, "same", axes=1, method="sparse")
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(y)), 200 + np.arange(86, 116))


def test_which_kernels(rng):
    where, values = taps(np.array([[0, 2.0], [3, 0]]), 0)
    assert where.tolist() == [[0, 1], [1, 0]] and values.tolist() == [2, 3]
    where, values = taps(np.array([[0, 2.0, 0], [3, 0, 0]]), 1)
    assert where.tolist() == [[0], [1]] and values.tolist() == [[0, 2], [3, 0]]
    assert not fc.convolve(np.ones((9, 9)), np.zeros((3, 3)), method="sparse").any()
    for bad in (np.inf, np.nan):
        with pytest.raises(ValueError, match="does not suit this kernel"):
            fc.convolve(np.ones(9), np.array([0, bad, 1]), method="sparse")
    with pytest.raises(TypeError, match="sparse"):
        fc.convolve(np.ones(9, np.longdouble), np.ones(3), method="sparse")


@settings(max_examples=60)
@given(st.data())
def test_any(data):
    ndim = data.draw(st.integers(1, 3))
    m = tuple(data.draw(st.integers(1, 9)) for _ in range(ndim))
    shape = tuple(data.draw(st.integers(1, 60)) for _ in range(ndim))
    dtype = data.draw(st.sampled_from(DTYPES))
    mode, boundary = data.draw(st.sampled_from(("full", "same"))), data.draw(st.sampled_from(ref.BOUNDARIES))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    a = np.asarray(ref.numbers(rng, shape, dtype), order=data.draw(st.sampled_from("CF")))
    v = kernel(rng, m, dtype, data.draw(st.integers(1, int(np.prod(m)))))
    y = fc.convolve(a, v, mode, boundary=boundary, method="sparse", workers=data.draw(st.integers(1, 2)))
    ref.check(y, "convolve", a, v, mode, boundary=boundary)
