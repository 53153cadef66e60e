"""The method "separable": kernels that are sums of outer products, against the truth and the direct sum."""

import functools
import itertools
import tracemalloc

import numpy as np
import pytest
import reference as ref
from hypothesis import given, settings
from hypothesis import strategies as st

import fastconv as fc
from fastconv import ndimage
from fastconv._kernel_values import factors

DTYPES = "fdFD"
SHAPES = [
    ((12, 40), (3, 5)),
    ((5, 4), (9, 11)),
    ((1, 30), (4, 2)),
    ((6, 7, 9), (3, 2, 4)),
    ((2, 3, 2), (5, 4, 3)),
]


def outer(vectors):
    return functools.reduce(np.multiply.outer, vectors)


def kernel(rng, m, dtype, terms=1):
    return sum(outer([ref.numbers(rng, size, dtype) for size in m]) for _ in range(terms)).astype(dtype)


def integers(rng, m, dtype):
    return outer([rng.integers(-9, 9, size) * 2 + 1 for size in m]).astype(dtype)


def gauss(size, sigma, dtype="d"):
    r = np.arange(size) - (size - 1) / 2
    g = np.exp(-r * r / (2 * sigma**2))
    return (g / g.sum()).astype(dtype)


def laplace(size, sigma, dtype="d"):
    """The Laplacian of a Gaussian: two terms."""
    r = (np.arange(size) - (size - 1) / 2) / sigma
    rr = np.add.outer(r * r, r * r)
    return ((rr - 2) * np.exp(-rr / 2)).astype(dtype)


def check(a, v, mode="same", tol=4.0, **options):
    """Against the direct sum in float64, in units of eps max|a| |v|."""
    y = fc.convolve(a, v, mode, method="separable", **options)
    wide = {"f": "d", "d": "d", "F": "D", "D": "D"}[y.dtype.char]
    want = fc.convolve(a.astype(wide), v.astype(wide), mode, method="direct", **options)
    axes = options.get("axes", range(v.ndim))
    size = np.sqrt(np.prod([v.shape[k - (a.ndim - v.ndim)] for k in axes]))
    scale = np.finfo(y.dtype).eps * np.abs(a).max() * np.linalg.norm(v) * size
    error = np.abs(y - want).max() / scale
    assert error < tol, f"{a.dtype} {a.shape} {v.shape} {mode} {options}: {error:.1f}"
    return y


@pytest.mark.parametrize("boundary", ref.BOUNDARIES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_modes_and_boundaries(rng, dtype, boundary):
    for (shape, m), mode, name in itertools.product(SHAPES, ("full", "same"), ("convolve", "correlate")):
        if boundary == "zero" and np.prod(m) > np.prod(shape):
            continue  # there the larger one is the signal
        a, v = ref.numbers(rng, shape, dtype), kernel(rng, m, dtype)
        cval = {"cval": 2.5} if boundary == "constant" else {}
        y = getattr(fc, name)(a, v, mode, boundary=boundary, method="separable", **cval)
        ref.check(y, name, a, v, mode, boundary=boundary, **cval)


@pytest.mark.parametrize("dtype", DTYPES)
def test_valid(rng, dtype):
    for shape, m in [((12, 40), (3, 5)), ((9, 9), (9, 9)), ((6, 7, 9), (3, 1, 4))]:
        a, v = ref.numbers(rng, shape, dtype), kernel(rng, m, dtype)
        for name in ("convolve", "correlate"):
            y = getattr(fc, name)(a, v, "valid", method="separable")
            ref.check(y, name, a, v, "valid")


@pytest.mark.parametrize("dtype", "fD")
@pytest.mark.parametrize(
    "shape, m",
    [
        ((300, 700), (3, 3)),
        ((300, 333), (21, 5)),
        ((30, 20000), (5, 10)),
        ((700, 3), (9, 2)),
        ((1000, 30), (700, 3)),
        ((40, 50, 60), (5, 5, 5)),
        ((20, 100, 300), (7, 3, 2)),
        ((9, 10, 11, 40), (3, 4, 2, 6)),
    ],
)
def test_more_than_one_box(rng, dtype, shape, m):
    check(ref.numbers(rng, shape, dtype), kernel(rng, m, dtype), boundary="mirror")


@pytest.mark.parametrize("dtype", DTYPES)
def test_terms(rng, dtype):
    for terms, (shape, m) in itertools.product(
        (2, 3, 4), [((50, 60), (15, 17)), ((300, 200), (31, 25)), ((20, 21, 22), (9, 9, 9))]
    ):
        if len(m) == 2 or terms == 2:
            v = kernel(rng, m, dtype, terms)
            if len(m) == 3:  # a vector times a matrix
                v = np.multiply.outer(ref.numbers(rng, 9, dtype), kernel(rng, m[1:], dtype, terms))
            assert factors(v, 0).shape == (terms * sum(m),)
            check(ref.numbers(rng, shape, dtype), v, "full", boundary="wrap")


@pytest.mark.parametrize("dtype", "fD")
def test_layouts(rng, dtype):
    v = kernel(rng, (4, 7), dtype)
    big = ref.numbers(rng, (80, 90), dtype)
    for a in (big, big.T, big[::-1, ::-2], np.asfortranarray(big), big[::3, ::2].T):
        y = check(a, v, boundary="reflect")
        wide = np.empty((y.shape[0], 2 * y.shape[1]), dtype)
        for out in (np.empty_like(y, order="C"), np.empty_like(y, order="F"), wide[:, ::2], wide[:, ::-2]):
            fc.convolve(a, v, "same", boundary="reflect", method="separable", out=out)
            np.testing.assert_array_equal(out, y)
    b = big.copy()
    fc.convolve(b, v, "same", boundary="wrap", method="separable", out=b)
    np.testing.assert_array_equal(b, fc.convolve(big, v, "same", boundary="wrap", method="separable"))
    raw = np.zeros(big.nbytes + 1, np.uint8)[1:].view(dtype).reshape(big.shape)
    raw[...] = big
    np.testing.assert_array_equal(
        fc.convolve(raw, v, method="separable"), fc.convolve(big, v, method="separable")
    )


@pytest.mark.parametrize("dtype", DTYPES)
def test_batches(rng, dtype):
    a = ref.numbers(rng, (3, 20, 24, 2), dtype)
    v = kernel(rng, (5, 4), dtype)
    check(a, v, axes=(1, 2), boundary="nearest")
    check(np.asfortranarray(a), v, axes=(1, 2))
    pixels = ref.numbers(rng, (30, 20, 19), dtype)  # channels last: vectors run across them
    check(pixels, v, axes=(0, 1), boundary="mirror")
    each = np.stack([kernel(rng, (5, 4), dtype, terms) for terms in (1, 1, 1)])[..., None]
    y = fc.convolve(a, each, axes=(1, 2), method="separable")
    for i in range(3):
        np.testing.assert_array_equal(
            y[i], fc.convolve(a[i], each[i, ..., 0], axes=(0, 1), method="separable")
        )
    both = each * ref.numbers(rng, 2, dtype)
    check(a[:1], both, "full", axes=(1, 2))


def test_kernels_of_different_rank(rng):
    a = rng.standard_normal((2, 40, 50))
    each = np.stack([kernel(rng, (15, 15), "d", terms) for terms in (1, 3)])
    y = fc.convolve(a, each, axes=(1, 2), method="separable")
    for i in range(2):
        want = fc.convolve(a[i], each[i], method="direct")
        np.testing.assert_allclose(y[i], want, rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", "hHiIlLqQ")
def test_integers(rng, dtype):
    """Exact modulo 2^bits, of every layout that the driver meets."""
    for shape, m in [((30, 41), (3, 5)), ((6, 7), (5, 8)), ((8, 9, 10), (3, 2, 4))]:
        a, v = ref.numbers(rng, shape, dtype), integers(rng, m, dtype)
        for mode, boundary in itertools.product(("full", "same"), ("zero", "constant", "mirror")):
            options = {"boundary": boundary, **({"cval": 7} if boundary == "constant" else {})}
            y = fc.convolve(a, v, mode, method="separable", **options)
            ref.check(y, "convolve", a, v, mode, **options)
    least = np.iinfo(dtype).min
    v = np.array([[least, 3], [0, 0]]).astype(dtype)
    ref.check(fc.convolve(a[0], v, method="separable"), "convolve", a[0], v, "full")


def test_other_dtypes_are_cast_in_blocks(rng):
    v = kernel(rng, (5, 7), "f")
    a = rng.integers(0, 255, (400, 700), dtype=np.uint8)
    tracemalloc.start()
    out = np.empty(a.shape, "f")
    y = fc.convolve(a, v, "same", boundary="reflect", method="separable", out=out)
    assert tracemalloc.get_traced_memory()[1] < out.nbytes + 3e6
    tracemalloc.stop()
    np.testing.assert_allclose(
        y, fc.convolve(a.astype("f"), v, "same", boundary="reflect", method="separable"), rtol=0, atol=2e-3
    )
    integer = rng.integers(-9, 9, (3, 90, 91)).astype("i2")
    each = np.stack([kernel(rng, (5, 4), "d") for _ in range(3)])
    ref.check(
        fc.correlate(integer, each, "same", axes=(1, 2), method="separable"),
        "correlate",
        integer,
        each,
        "same",
        axes=(1, 2),
    )


def test_a_kernel_for_each_row_of_another_dtype(rng):
    a = np.asfortranarray(rng.integers(-9, 9, (3, 5, 100, 101)).astype("i2"))
    each = np.stack([kernel(rng, (5, 4), "d") for _ in range(15)]).reshape(3, 5, 5, 4)
    for x, v in ((a, each), (np.ascontiguousarray(a), each), (a[:1], each), (a, each[:, :1])):
        y = fc.correlate(x, v, "same", axes=(2, 3), method="separable")
        want = fc.correlate(x.astype("d"), v, "same", axes=(2, 3), method="separable")
        np.testing.assert_allclose(y, want, rtol=0, atol=1e-12)


def test_working_memory_is_bounded(rng):
    a, out = np.ones((1500, 1500), "f"), np.empty((1500, 1500), "f")
    v = np.ones((101, 101), "f")
    tracemalloc.start()
    fc.convolve(a, v, "same", method="separable", out=out, workers=1)
    assert tracemalloc.get_traced_memory()[1] < 2e6
    tracemalloc.stop()


@pytest.mark.parametrize(
    "shape, m", [((900, 500), (15, 15)), ((64, 60, 70), (9, 5, 7)), ((4, 300, 300), (25, 25))]
)
def test_threads_do_not_change_results(rng, shape, m):
    a, v = rng.standard_normal(shape).astype("f"), kernel(rng, m, "f", 2 if len(m) == 2 else 1)
    axes = tuple(range(len(shape) - len(m), len(shape)))
    y = [fc.convolve(a, v, "same", axes=axes, method="separable", workers=n) for n in (1, 2, 3, 8)]
    for other in y[1:]:
        np.testing.assert_array_equal(other, y[0])


# ---- values that are not finite, and signs -----------------------------------------------------------------


def pattern(y):
    return np.where(np.isfinite(y), 0, y)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("terms", [1, 2])
def test_not_finite(rng, dtype, terms):
    """What the direct sum makes of them, also where taps are zero; the other outputs stay as they are."""
    values = np.array([np.nan, np.inf, -np.inf])
    for (shape, m), boundary in itertools.product(
        [((60, 70), (9, 9)), ((300, 40), (7, 9)), ((30, 20, 40), (9, 7, 8))], ref.BOUNDARIES
    ):
        v = kernel(rng, m, dtype, terms if len(m) == 2 else 1)
        v[1:2] = 0
        v[..., 2] = 0
        a = ref.numbers(rng, shape, dtype)
        clean = fc.convolve(a, v, "same", boundary=boundary, method="separable")
        for n in (1, 4):
            for at in rng.integers(a.size, size=n):
                a.flat[at] = rng.choice(values)
            y = fc.convolve(a, v, "same", boundary=boundary, method="separable")
            want = fc.convolve(a, v, "same", boundary=boundary, method="direct")
            np.testing.assert_array_equal(pattern(y), pattern(want))
            finite = np.isfinite(y)
            error = np.abs(y[finite] - clean[finite]).max(initial=0)
            assert error <= 64 * np.finfo(dtype).eps * np.linalg.norm(v)


@pytest.mark.parametrize("mode", ref.MODES)
def test_not_finite_at_the_corners(rng, mode):
    """A value that one window alone holds is seen."""
    v = kernel(rng, (5, 6), "d")
    for corner in itertools.product((0, -1), repeat=2):
        a = rng.standard_normal((31, 47))
        a[corner] = np.inf
        y = fc.convolve(a, v, mode, method="separable")
        np.testing.assert_array_equal(pattern(y), pattern(fc.convolve(a, v, mode, method="direct")))
        assert not np.isfinite(y).all()


def test_an_infinite_value_at_taps_that_underflow():
    """Where a product of factors is no number of the dtype, the tap is zero, and 0 · inf is NaN."""
    g = np.array([1e-30, 1, 1e-30], "f")
    v = np.outer(g, g)
    assert v[0, 0] == 0
    a = np.ones((20, 20), "f")
    a[8, 9] = np.inf
    y = fc.convolve(a, v, "same", method="separable")
    np.testing.assert_array_equal(pattern(y), pattern(fc.convolve(a, v, "same", method="direct")))


def test_an_infinite_constant(rng):
    a, v = rng.standard_normal((20, 30)), kernel(rng, (5, 6), "d")
    options = {"boundary": "constant", "cval": np.inf}
    y = fc.convolve(a, v, "same", method="separable", **options)
    want = fc.convolve(a, v, "same", method="direct", **options)
    np.testing.assert_array_equal(pattern(y), pattern(want))


@pytest.mark.parametrize("dtype", DTYPES)
def test_scales(rng, dtype):
    """Large and small kernels and signals: factors of like size neither overflow nor vanish."""
    unit = 1e15 if dtype in "fF" else 1e70
    a, v = ref.numbers(rng, (40, 50), dtype), kernel(rng, (9, 9), dtype)
    want = fc.convolve(a, v, method="separable")
    for p, q in [(1, 1), (-1, -1), (1, -2), (-2, 1)]:
        y = fc.convolve(a * a.dtype.type(unit**p), v * v.dtype.type(unit**q), method="separable")
        np.testing.assert_allclose(y / unit**p / unit**q, want, rtol=1e-2, atol=1e-4 * np.abs(want).max())
    a = np.full((30, 30), np.finfo(dtype).max / 8, dtype)
    for v in (np.outer([1, 2, 1], [1, 0, -1]), np.outer([1, 2, 1], [1, 2, 1])):  # the second overflows
        y = fc.convolve(a, v.astype(dtype), "valid", method="separable")
        want = fc.convolve(a, v.astype(dtype), "valid", method="direct")
        np.testing.assert_array_equal(pattern(y), pattern(want))


def test_no_negative_sums_of_non_negative_terms(rng):
    u = np.abs(rng.standard_normal((2, 15)))
    v = np.outer(u[0], u[0]) + np.outer(u[1], u[1][::-1])
    a = np.zeros((80, 80))
    a[10:20, 10:20] = np.exp(-rng.exponential(30, (10, 10)))
    for dtype in "fd":
        assert factors(v.astype(dtype), 0).shape == (60,)
        y = fc.convolve(a.astype(dtype), v.astype(dtype), method="separable")
        assert y.min() == 0
        a[0, 0] = np.nan
        assert np.nanmin(fc.convolve(a.astype(dtype), v.astype(dtype), method="separable")) == 0
        a[0, 0] = 0


# ---- which kernels -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", "fd")
def test_found(dtype):
    for size, sigma in [(5, 0.7), (9, 1.5), (25, 4.0), (61, 10.0)]:
        g, wider = gauss(size, sigma, dtype), gauss(size, 1.6 * sigma, dtype)
        rr = np.add.outer(*[((np.arange(size) - size // 2) / sigma).astype(dtype) ** 2] * 2)
        normal = np.exp(-rr / 2)
        assert factors(np.outer(g, g), 0).shape == (2 * size,)
        assert factors(normal / normal.sum(), 0).shape == (2 * size,)
        assert factors(np.ones((size, size + 2), dtype) / dtype_of(dtype, 7), 0).shape == (2 * size + 2,)
        if size > 5:
            assert factors(laplace(size, sigma, dtype), 0).shape == (4 * size,)
            assert factors(np.outer(g, g) - np.outer(wider, wider), 0).shape == (4 * size,)
        assert factors(outer([g, wider, g]), 0).shape == (3 * size,)


def dtype_of(dtype, value):
    return np.dtype(dtype).type(value)


@pytest.mark.parametrize("dtype", DTYPES)
def test_exact_factors(dtype):
    """Of small integers the factors are exact, and so are the sums."""
    sobel = np.outer([1, 2, 1], [1, 0, -1]).astype(dtype)
    a = (np.arange(120).reshape(10, 12) % 17).astype(dtype)
    ref.check(fc.convolve(a, sobel, method="separable"), "convolve", a, sobel, "full", equal=True)
    box = np.ones((4, 6, 5), dtype)
    a = (np.arange(1000).reshape(10, 10, 10) % 13).astype(dtype)
    ref.check(fc.convolve(a, box, "same", method="separable"), "convolve", a, box, "same", equal=True)


@pytest.mark.parametrize("m", [(3, 3), (15, 15), (200, 300), (9, 9, 9)])
def test_rejected(rng, m):
    for v in (
        rng.standard_normal(m),
        kernel(rng, m, "f", 1) + 1e-4 * rng.standard_normal(m).astype("f"),
        np.zeros(m),
        np.full(m, np.nan),
        np.full(m, 1e-200),
        rng.integers(1, 9, m) * 2 - 1,
    ):
        assert factors(v, 0) is None
        a = np.ones(np.add(m, 2), v.dtype)
        with pytest.raises(ValueError, match="does not suit this kernel"):
            fc.convolve(a, v, method="separable")
    unlike = np.stack([kernel(rng, m, "d"), rng.standard_normal(m)])
    assert factors(unlike, 1) is None


def test_one_axis_is_not_separable():
    with pytest.raises(TypeError, match="separable"):
        fc.convolve(np.ones(9), np.ones(3), method="separable")
    with pytest.raises(TypeError, match="separable"):
        fc.convolve(np.ones((9, 9), object), np.ones((3, 3), object), method="separable")


@settings(max_examples=60)
@given(st.data())
def test_any(data):
    ndim = data.draw(st.integers(2, 3))
    sizes = st.integers(2, 9)
    m = tuple(data.draw(sizes) for _ in range(ndim))
    shape = tuple(data.draw(st.integers(1, 40)) for _ in range(ndim))
    dtype = data.draw(st.sampled_from("fdFDhl"))
    mode, boundary = data.draw(st.sampled_from(("full", "same"))), data.draw(st.sampled_from(ref.BOUNDARIES))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    a = ref.numbers(rng, shape, dtype)
    a = np.asarray(a, order=data.draw(st.sampled_from("CF")))[
        tuple(slice(None, None, s) for s in (1, -1, 1)[:ndim])
    ]
    if boundary == "zero" and np.prod(m) > np.prod(a.shape):
        boundary = "mirror"
    v = integers(rng, m, dtype) if dtype in "hl" else kernel(rng, m, dtype)
    y = fc.convolve(a, v, mode, boundary=boundary, method="separable", workers=data.draw(st.integers(1, 2)))
    ref.check(y, "convolve", a, v, mode, boundary=boundary)


@pytest.mark.parametrize("dtype", "hiqd")
def test_axes_of_a_single_tap(rng, dtype):
    a = rng.integers(-50, 50, (9, 8, 7)).astype(dtype)
    for m in ((3, 2, 1), (3, 1, 2), (1, 3, 2), (3, 4, 2)):
        first, second, third = (rng.integers(1, 9, k) for k in m)
        v = -np.multiply.outer(np.outer(first, second), third).astype(dtype)
        for x, w in ((a, v), (a, -v), (a.T, v.T)):
            y, want = (fc.convolve(x, w, method=method) for method in ("separable", "direct"))
            np.testing.assert_allclose(y, want, rtol=0, atol=0 if dtype != "d" else 1e-9)


@pytest.mark.parametrize("boundary", ["zero", "constant", "reflect", "mirror", "nearest", "wrap"])
@pytest.mark.parametrize("shape", [(13, 80), (21, 67), (12, 7000), (70, 130)], ids=str)
def test_columns_first(rng, shape, boundary):
    """One term along two axes, in whole lines and in panels, with little or much beyond their ends."""
    options = {"boundary": boundary, "cval": 3 if boundary == "constant" else 0}
    for m, mode in itertools.product([(2, 3), (9, 2), (5, 24), (12, 60)], ["same", "full"]):
        for dtype in DTYPES:
            check(ref.numbers(rng, shape, dtype), kernel(rng, m, dtype), mode, **options)
        x, w = ref.small_integers(rng, shape, "i"), integers(rng, m, "i")
        want = fc.convolve(x, w, mode, method="direct", **options)
        every_other = np.empty((want.shape[0], 2 * want.shape[1]), "i")[:, ::-2]
        for out in (np.empty_like(want), every_other):
            fc.convolve(x, w, mode, method="separable", out=out, **options)
            np.testing.assert_array_equal(out, want)


def test_outputs_past_the_caches(rng):
    x = rng.random((2900, 2901), np.float32)
    w = rng.random((3, 3), np.float32)
    used = np.ones_like(x)
    for filtered in (
        lambda **to: ndimage.sobel(x, mode="mirror", **to),
        lambda **to: ndimage.correlate(x, w, mode="constant", cval=2.0, **to),
    ):
        want = filtered()
        assert filtered(output=used) is used
        np.testing.assert_array_equal(used, want)
