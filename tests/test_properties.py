"""Random arrays, layouts and options against the reference, and the laws of convolution (hypothesis)."""

import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import reference as ref
from hypothesis import given, settings

import fastconv as fc

DTYPES = "?bBhHiIqQefdgFDG"


def steps(draw, shape):
    """A view in place of an array: each axis may be reversed or have gaps."""
    return tuple(slice(None, None, draw(st.sampled_from([1, 1, 1, 2, 3, -1, -2]))) for _ in shape)


@st.composite
def array(draw, shape, dtype, whole=False):
    """Random numbers in a random layout; whole ones are small integers."""
    make = ref.small_integers if whole else ref.numbers
    index = steps(draw, shape)
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    x = make(rng, [n * abs(s.step) for n, s in zip(shape, index, strict=True)], dtype)[index]
    order = draw(st.permutations(range(len(shape))))
    return np.ascontiguousarray(x.transpose(order)).transpose(np.argsort(order)) if draw(st.booleans()) else x


def lengths(most):
    return st.integers(1, most) | st.sampled_from([1, 2, most])


@st.composite
def problem(draw):
    """name, a, v, mode and options of one valid call."""
    ndim = draw(st.integers(1, 4))
    shape = tuple(draw(lengths([200, 24, 9, 5][ndim - 1])) for _ in range(ndim))
    axes = draw(
        st.none() | st.lists(st.integers(0, ndim - 1), min_size=1, max_size=ndim, unique=True).map(tuple)
    )
    used = range(ndim) if axes is None else axes
    all_axes = axes is None or draw(st.booleans())
    most = [60, 9, 5, 3][len(used) - 1]
    if all_axes:
        taps = tuple(
            draw(lengths(most)) if k in used else draw(st.sampled_from([1, shape[k]])) for k in range(ndim)
        )
        pairs = [(shape[k], taps[k]) for k in used]
    else:
        taps = tuple(draw(lengths(most)) for _ in used)
        listed = sorted(used) if len(used) == ndim else used
        pairs = [(shape[k], m) for k, m in zip(listed, taps, strict=True)]
    fits = all(n >= m for n, m in pairs) or all(n <= m for n, m in pairs)
    mode = draw(st.sampled_from(ref.MODES if fits else ("full", "same")))
    dtypes = draw(st.sampled_from(DTYPES)), draw(st.sampled_from(DTYPES))
    if draw(st.booleans()):
        dtypes = dtypes[:1] * 2
    a, v = draw(array(shape, dtypes[0])), draw(array(taps, dtypes[1]))
    options = {"axes": axes, "boundary": draw(st.sampled_from(ref.BOUNDARIES))}
    if options["boundary"] == "constant":
        options["cval"] = draw(st.sampled_from([0, 1]))
    return draw(st.sampled_from(["convolve", "correlate"])), a, v, mode, options


@settings(max_examples=1000)
@given(problem(), st.sampled_from([None, 1, 2]), st.sampled_from(["auto", "direct"]))
def test_any_problem(problem, workers, method):
    name, a, v, mode, options = problem
    y = getattr(fc, name)(a, v, mode, workers=workers, method=method, **options)
    ref.check(y, name, a, v, mode, **options)


@settings(max_examples=200)
@given(problem(), st.data())
def test_any_out(problem, data):
    name, a, v, mode, options = problem
    want = getattr(fc, name)(a, v, mode, **options)
    index = steps(data.draw, want.shape)
    room = np.zeros([n * abs(s.step) for n, s in zip(want.shape, index, strict=True)], want.dtype)
    out = room[index]
    assert getattr(fc, name)(a, v, mode, out=out, **options) is out
    np.testing.assert_array_equal(out, want)


SMALL_SHAPES = hnp.array_shapes(min_dims=1, max_dims=3, max_side=12)
EXACT = st.sampled_from("bHiqfdFO")  # with small integers nothing is rounded


@settings(max_examples=150)
@given(SMALL_SHAPES, EXACT, st.data())
def test_arguments_commute(shape, dtype, data):
    taps = data.draw(hnp.array_shapes(min_dims=len(shape), max_dims=len(shape), max_side=6))
    a, v = data.draw(array(shape, dtype, whole=True)), data.draw(array(taps, dtype, whole=True))
    np.testing.assert_array_equal(fc.convolve(a, v), fc.convolve(v, a), strict=True)


@settings(max_examples=100)
@given(SMALL_SHAPES, EXACT, st.sampled_from(ref.BOUNDARIES), st.data())
def test_sums_and_multiples_come_through(shape, dtype, boundary, data):
    taps = data.draw(hnp.array_shapes(min_dims=len(shape), max_dims=len(shape), max_side=6))
    a, b = (data.draw(array(shape, dtype, whole=True)) for _ in "ab")
    v = data.draw(array(taps, dtype, whole=True))
    three = np.array(3).astype(dtype)
    y = fc.correlate((a + three * b).astype(dtype), v, "same", boundary=boundary)
    z = fc.correlate(a, v, "same", boundary=boundary) + three * fc.correlate(b, v, "same", boundary=boundary)
    np.testing.assert_array_equal(y, z)


@settings(max_examples=100)
@given(SMALL_SHAPES, st.sampled_from(DTYPES), st.data())
def test_an_impulse_moves_the_array(shape, dtype, data):
    a = data.draw(array(shape, dtype))
    taps = data.draw(hnp.array_shapes(min_dims=len(shape), max_dims=len(shape), max_side=5))
    where = tuple(data.draw(st.integers(0, m - 1)) for m in taps)
    v = np.zeros(taps, dtype)
    v[where] = 1
    want = np.zeros([n + m - 1 for n, m in zip(shape, taps, strict=True)], dtype)
    want[tuple(slice(k, k + n) for k, n in zip(where, shape, strict=True))] = a
    np.testing.assert_array_equal(fc.convolve(a, v), want, strict=True)


@settings(max_examples=100)
@given(SMALL_SHAPES, EXACT, st.integers(-20, 20), st.data())
def test_a_periodic_array_may_be_rolled_before_or_after(shape, dtype, shift, data):
    taps = data.draw(hnp.array_shapes(min_dims=len(shape), max_dims=len(shape), max_side=15))
    a, v = data.draw(array(shape, dtype, whole=True)), data.draw(array(taps, dtype, whole=True))
    before = fc.convolve(np.roll(a, shift, axis=0), v, "same", boundary="wrap")
    after = np.roll(fc.convolve(a, v, "same", boundary="wrap"), shift, axis=0)
    if dtype in "fdFD":  # by transforms, perhaps
        largest = np.abs(a).max() * np.abs(v).sum()
        np.testing.assert_allclose(before, after, rtol=0, atol=20 * np.finfo(dtype).eps * largest)
    else:
        np.testing.assert_array_equal(before, after)


@settings(max_examples=100)
@given(SMALL_SHAPES, st.sampled_from("bHiqfdFDO"), st.sampled_from(ref.BOUNDARIES), st.data())
def test_correlation_is_convolution_with_the_reversed_conjugate(shape, dtype, boundary, data):
    taps = data.draw(hnp.array_shapes(min_dims=len(shape), max_dims=len(shape), max_side=6))
    a, v = data.draw(array(shape, dtype, whole=True)), data.draw(array(taps, dtype, whole=True))
    reverse = (slice(None, None, -1),) * len(shape)
    reversed_conjugate = v[reverse] if dtype == "O" else v[reverse].conj()
    y = fc.correlate(a, v, "full", boundary=boundary)
    np.testing.assert_array_equal(
        y, fc.convolve(a, reversed_conjugate, "full", boundary=boundary), strict=True
    )


@settings(max_examples=60)
@given(hnp.array_shapes(min_dims=2, max_dims=3, max_side=14), st.sampled_from("fdhFq"), st.data())
def test_rows_are_independent(shape, dtype, data):
    axis = data.draw(st.integers(0, len(shape) - 1))
    a, v = data.draw(array(shape, dtype)), data.draw(array((data.draw(lengths(20)),), dtype))
    y = fc.convolve(a, v, "full", axes=axis)
    for row in np.ndindex(*(n for k, n in enumerate(shape) if k != axis)):
        index = (*row[:axis], slice(None), *row[axis:])
        ref.check(np.array(y[index]), "convolve", a[index], v, "full")
