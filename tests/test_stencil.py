"""The driver for 3 x 3 taps against sums over padded copies, and where the filters use it."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastconv import _stencil, ndimage
from fastconv._problem import BOUNDARIES

PAD = {"reflect": "symmetric", "mirror": "reflect", "nearest": "edge", "wrap": "wrap", "constant": "constant"}
CROSS = np.array([[0, 2, 0], [3, -5, 7], [0, 11, 0]], float)
DENSE = np.arange(1, 10).reshape(3, 3) / 7
LINE = np.zeros((3, 99))
needs_vectors = pytest.mark.skipif(
    not _stencil.taken(LINE, LINE, (1, 1), (3, 3)), reason="kernels without vectors: nothing is taken"
)
SIZES = [(1, 70), (2, 33), (3, 18), (5, 19), (63, 34), (64, 35), (65, 40), (130, 67), (7, 8192 + 3)]


def expected(x, w, shape, lo, boundaries, cval=0.0):
    """Every tap times a slice of the continued array, summed in double precision."""
    x = x.astype(float)
    for axis, (n, low, boundary) in enumerate(zip(shape, lo, boundaries), start=x.ndim - 2):
        widths = [(0, 0)] * x.ndim
        widths[axis] = (low, max(0, n + 2 - low - x.shape[axis]))
        options = {"constant_values": cval} if boundary in ("constant", "zero") else {}
        x = np.pad(x, widths, PAD.get(boundary, "constant"), **options)
    y = np.zeros((*x.shape[:-2], *shape))
    for i, j in itertools.product(range(3), range(3)):
        if w[i, j]:
            y += w[i, j] * x[..., i : i + shape[0], j : j + shape[1]]
    return y


def check(x, w, y, lo, boundaries, cval=0.0, workers=1, factors=None):
    codes = tuple(BOUNDARIES[boundary] for boundary in boundaries)
    assert _stencil.taken(x, y, lo, (3, 3))
    _stencil.correlate(x, (w if factors is None else factors).astype(x.dtype), y, lo, codes, cval, workers)
    want = expected(x, w, y.shape[-2:], lo, boundaries, cval)
    np.testing.assert_allclose(y, want, rtol=0, atol=100 * np.finfo(x.dtype).eps * (1 + np.abs(want).max()))


@needs_vectors
@pytest.mark.parametrize("kind", ["separable", "cross", "dense"])
@pytest.mark.parametrize("dtype", ["f", "d"])
@pytest.mark.parametrize("shape", SIZES, ids=str)
def test_all(rng, kind, dtype, shape):
    factors = np.array([[1, 2, 3], [5, -7, 11]]) if kind == "separable" else None
    w = np.outer(*factors) if factors is not None else CROSS if kind == "cross" else DENSE
    x = rng.standard_normal(shape).astype(dtype)
    for rows, columns in itertools.product(["constant", *PAD], [*PAD]):
        cval = 1.5
        y = np.full(shape, np.nan, dtype)
        check(x, w, y, (1, 1), (rows, columns), cval, factors=factors)
    for lo in itertools.product(range(3), range(3)):
        check(x, w, np.empty(shape, dtype), lo, ("mirror", "nearest"), factors=factors)
    full = np.empty((shape[0] + 2, shape[1] + 2), dtype)
    check(x, w, full, (2, 2), ("zero", "zero"), factors=factors)
    if shape[0] > 2:
        check(x, w, np.empty((shape[0] - 2, shape[1] - 2), dtype), (0, 0), ("zero", "zero"), factors=factors)


@needs_vectors
@given(st.data())
def test_layouts(data):
    """Batches, strides of any kind and sign, addresses between vectors."""
    dtype = data.draw(st.sampled_from("fd"))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    batch = data.draw(st.sampled_from([(), (2,), (2, 3)]))
    n, m = data.draw(st.integers(1, 70)), data.draw(st.integers(18, 80))
    begin = data.draw(st.integers(0, 17))
    x = rng.standard_normal((*batch, 2 * n, m + begin)).astype(dtype)[..., begin:]
    x = x[..., :: data.draw(st.sampled_from([2, -2])), :]
    before = x.copy()
    whole = np.full((*batch, 3 * n, 2 * m + 2), 7, dtype)
    rows, columns = data.draw(st.sampled_from([1, -2, 3])), data.draw(st.sampled_from([1, -1, 2, -2]))
    y = whole[..., ::rows, ::columns][..., :n, :m]
    boundaries = data.draw(st.tuples(*[st.sampled_from([*PAD])] * 2))
    w, workers = data.draw(st.sampled_from([CROSS, DENSE])), data.draw(st.integers(1, 2))
    check(x, w, y, (1, 1), boundaries, 0.5, workers)
    np.testing.assert_array_equal(x, before)
    y[...] = 7
    assert (whole == 7).all()


@needs_vectors
def test_outputs_past_the_caches(rng):
    x = rng.standard_normal((2900, 2999)).astype("f")
    y = np.zeros_like(x)
    check(x, DENSE, y, (1, 1), ("mirror", "mirror"))


@needs_vectors
def test_threads_do_not_change_results(rng):
    x = rng.standard_normal((2, 300, 9000)).astype("f")
    one, two = np.empty_like(x), np.empty_like(x)
    for y, workers in ((one, 1), (two, 2)):
        check(x, CROSS, y, (1, 1), ("reflect", "wrap"), workers=workers)
    np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("dtype", ["f", "d"])
def test_not_finite(rng, dtype):
    """A value reaches the outputs whose windows have it as a term, and no other."""
    for w, (r, c) in itertools.product((CROSS, DENSE), [(0, 0), (5, 17), (3, 0), (9, 39), (0, 20)]):
        x = rng.standard_normal((10, 40)).astype(dtype)
        x[r, c] = np.nan
        hit = np.isnan(ndimage.correlate(x, w, mode="constant"))
        want = np.zeros((12, 42), bool)
        want[r : r + 3, c : c + 3] = w[::-1, ::-1] != 0
        np.testing.assert_array_equal(hit, want[1:-1, 1:-1])


@needs_vectors
def test_not_taken():
    x = np.zeros((20, 40), "f")
    assert _stencil.taken(x, x, (1, 1), (3, 3))
    assert not _stencil.taken(x, x, (1, 1), (3, 5))
    assert not _stencil.taken(x[:, ::2], x[:, ::2], (1, 1), (3, 3))
    assert not _stencil.taken(x[:, :3], x[:, :3], (1, 1), (3, 3))  # narrower than a vector
    assert not _stencil.taken(x.astype(int), x.astype(int), (1, 1), (3, 3))
    assert not _stencil.taken(x[:0], x[:0], (1, 1), (3, 3))
