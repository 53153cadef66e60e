"""Two to five dimensions: all axes or some, one kernel for all rows or one each."""

import itertools

import numpy as np
import pytest
import reference as ref
import scipy.signal

import fastconv as fc
from fastconv import _blocks

NAMES = ("convolve", "correlate")
SHAPES = [
    ((5, 6), (3, 4)),
    ((1, 40), (1, 3)),
    ((40, 1), (3, 1)),
    ((30, 37), (5, 5)),
    ((17, 70), (4, 11)),
    ((4, 4), (4, 4)),
    ((9, 20), (3, 35)),
    ((3, 4), (7, 9)),
    ((6, 7, 20), (3, 2, 5)),
    ((2, 9, 9), (4, 3, 3)),
    ((3, 4, 5, 10), (2, 3, 1, 4)),
    ((2, 3, 2, 3, 9), (2, 2, 1, 3, 3)),
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", "fdgFDGe")
@pytest.mark.parametrize("shapes", SHAPES, ids=str)
def test_floats(rng, name, dtype, shapes):
    a, v = (ref.numbers(rng, shape, dtype) for shape in shapes)
    for mode in modes_for(*shapes):
        ref.check(getattr(fc, name)(a, v, mode), name, a, v, mode)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", "?bBhHiIqQO")
@pytest.mark.parametrize("shapes", SHAPES, ids=str)
def test_exact_types(rng, name, dtype, shapes):
    if dtype == "O":
        shapes = [tuple(min(n, 9) for n in shape) for shape in shapes]
    a, v = (ref.numbers(rng, shape, dtype) for shape in shapes)
    for mode in modes_for(*shapes):
        ref.check(getattr(fc, name)(a, v, mode), name, a, v, mode)


def modes_for(shape, taps):
    """All modes, without 'valid' where neither array fits into the other."""
    fits = [n >= m for n, m in zip(shape, taps, strict=True)]
    contains = [m >= n for n, m in zip(shape, taps, strict=True)]
    return ref.MODES if all(fits) or all(contains) else ("full", "same")


@pytest.mark.parametrize("name", NAMES)
def test_dtypes_of_both_arguments(rng, name):
    for one, other in itertools.product("?bBhHiIqQefdgFDGO", repeat=2):
        a, v = ref.small_integers(rng, (5, 18), one), ref.small_integers(rng, (3, 4), other)
        for mode in ref.MODES:
            ref.check(getattr(fc, name)(a, v, mode), name, a, v, mode, equal=True)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("mode", ref.MODES)
@pytest.mark.parametrize("shapes", [s for s in SHAPES if len(modes_for(*s)) == 3], ids=str)
def test_like_scipy(rng, name, mode, shapes):
    for dtype in "dDq":
        a, v = (ref.small_integers(rng, shape, dtype) for shape in shapes)
        y = getattr(fc, name)(a, v, mode)
        z = getattr(scipy.signal, name)(a, v, mode, method="direct")
        np.testing.assert_array_equal(y, z, strict=True)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "shapes", [((2, 3, 9), (4, 5, 9)), ((5, 3), (5, 9)), ((1, 1, 1), (3, 4, 20))], ids=str
)
def test_valid_exchanges_when_the_second_is_larger(rng, name, shapes):
    for dtype in "fDh":
        a, v = (ref.numbers(rng, shape, dtype) for shape in shapes)
        for boundary in ref.BOUNDARIES:
            y = getattr(fc, name)(a, v, "valid", boundary=boundary)
            ref.check(y, name, a, v, "valid", boundary=boundary)


@pytest.mark.parametrize("name", NAMES)
def test_valid_refuses_when_neither_fits(name):
    with pytest.raises(ValueError, match="valid"):
        getattr(fc, name)(np.zeros((5, 3)), np.zeros((3, 5)), "valid")


AXES = [
    (shape, axes)
    for shape in [(7, 40), (40, 7), (4, 5, 18), (2, 3, 4, 9)]
    for k in range(1, len(shape) + 1)
    for axes in itertools.permutations(range(len(shape)), k)
    if k < 3
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("shape", "axes"), AXES, ids=str)
def test_one_kernel_for_all_rows(rng, name, shape, axes):
    taps = (3, 4)[: len(axes)]
    for dtype in "fdFhO":
        a, v = ref.small_integers(rng, shape, dtype), ref.small_integers(rng, taps, dtype)
        for mode in modes_for([shape[axis] for axis in axes], taps):
            y = getattr(fc, name)(a, v, mode, axes=axes)
            ref.check(y, name, a, v, mode, axes=axes, equal=True)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("shape", "axes"), AXES, ids=str)
def test_one_kernel_per_row(rng, name, shape, axes):
    taps = [3 if axis in axes else n for axis, n in enumerate(shape)]
    for dtype in "dFq":
        a, v = ref.small_integers(rng, shape, dtype), ref.small_integers(rng, taps, dtype)
        for mode in modes_for([shape[axis] for axis in axes], [3] * len(axes)):
            y = getattr(fc, name)(a, v, mode, axes=axes)
            ref.check(y, name, a, v, mode, axes=axes, equal=True)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "shapes",
    [
        ((4, 1, 20), (1, 3, 5)),
        ((1, 20), (6, 5)),
        ((6, 20), (1, 5)),
        ((1, 1, 5), (2, 3, 9)),
        ((3, 2, 9), (3, 1, 4)),
    ],
    ids=str,
)
def test_batches_broadcast_both_ways(rng, name, shapes):
    for dtype in "fdh?":
        a, v = (ref.small_integers(rng, shape, dtype) for shape in shapes)
        for mode, boundary in itertools.product(ref.MODES, ("zero", "mirror")):
            y = getattr(fc, name)(a, v, mode, axes=-1, boundary=boundary)
            ref.check(y, name, a, v, mode, axes=-1, boundary=boundary, equal=True)


def test_a_list_of_axes_is_a_set_where_the_kernel_has_all_axes(rng):
    a, v = ref.numbers(rng, (8, 9), "d"), ref.numbers(rng, (2, 3), "d")
    for axes in [(0, 1), (1, 0), (-1, -2), (0, -1), None]:
        ref.check(fc.convolve(a, v, axes=axes), "convolve", a, v, "full")


def test_axes_as_numbers(rng):
    a, v = ref.numbers(rng, (4, 9), "d"), ref.numbers(rng, 3, "d")
    for axes in (1, -1, np.int64(1), (1,), (-1,)):
        ref.check(fc.convolve(a, v, axes=axes), "convolve", a, v, "full", axes=1)


@pytest.mark.parametrize("name", NAMES)
def test_one_dimension_along_its_only_axis_is_numpys(rng, name):
    for n, m in [(9, 4), (4, 9)]:
        a, v = ref.numbers(rng, n, "q"), ref.numbers(rng, m, "q")
        for mode in ref.MODES:
            np.testing.assert_array_equal(
                getattr(fc, name)(a, v, mode, axes=0), getattr(np, name)(a, v, mode)
            )


@pytest.mark.parametrize("dtype", "fhO")
def test_empty_batches_give_empty_results(dtype):
    for shape, taps, axes, want in [
        ((0, 9), (3,), 1, (0, 11)),
        ((9, 0), (3,), 0, (11, 0)),
        ((0, 9), (1, 3), 1, (0, 11)),
        ((1, 9), (0, 3), 1, (0, 11)),
        ((2, 0, 5, 6), (3, 3), (2, 3), (2, 0, 7, 8)),
    ]:
        y = fc.convolve(np.ones(shape, dtype), np.ones(taps, dtype), axes=axes)
        assert y.shape == want
        assert y.dtype == dtype


def test_many_short_rows_and_few_long_ones(rng):
    for shape, axes in [((500, 13), 1), ((13, 500), 0), ((2, 30_000), 1), ((30_000, 2), 0), ((9, 100, 9), 1)]:
        a, v = ref.small_integers(rng, shape, "f"), ref.small_integers(rng, 7, "f")
        for workers in (1, 2):
            y = fc.convolve(a, v, "same", axes=axes, workers=workers)
            ref.check(y, "convolve", a, v, "same", axes=axes, equal=True)


def test_thirty_dimensions():
    shape = (1,) * 20 + (2, 3)
    a = np.arange(6.0).reshape(shape)
    np.testing.assert_array_equal(fc.convolve(a, np.full((1,) * 22, 2.0)), 2 * a)
    np.testing.assert_array_equal(
        fc.convolve(a, np.array([1.0, 1.0]), "valid", axes=-1), a[..., 1:] + a[..., :-1]
    )


@pytest.mark.parametrize("dtype", ["?", "h", "e", "d", ">d", "g", "O"])
@pytest.mark.parametrize("boundary", ["zero", "constant", "wrap"])
def test_as_many_dimensions_as_numpy_has(rng, dtype, boundary, monkeypatch):
    monkeypatch.setattr(_blocks, "BLOCK_BYTES", 1000)
    a, v = ref.small_integers(rng, (8, 300), dtype), ref.small_integers(rng, (3, 5), dtype)
    y = fc.convolve(a, v, boundary=boundary)
    deep = fc.convolve(a.reshape(8, *(1,) * 62, 300), v.reshape(3, *(1,) * 62, 5), boundary=boundary)
    np.testing.assert_array_equal(deep.reshape(y.shape), y)


def test_complex_long_doubles_have_fewer_dimensions(rng):
    a, v = ref.small_integers(rng, (8, 9), "G"), ref.small_integers(rng, (3, 5), "G")
    y = fc.convolve(a.reshape(8, *(1,) * 60, 9), v.reshape(3, *(1,) * 60, 5))
    np.testing.assert_array_equal(y.squeeze(), fc.convolve(a, v))
    with pytest.raises(ValueError, match=r"at most 62 dimensions .* got 63"):
        fc.convolve(a.reshape(8, *(1,) * 61, 9), v.reshape(3, *(1,) * 61, 5))
