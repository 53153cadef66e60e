"""How the array continues outside: every boundary, mode and dimension, also far beyond the array."""

import itertools

import numpy as np
import pytest
import reference as ref
import scipy.ndimage

import fastconv as fc

NAMES = ("convolve", "correlate")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("boundary", ref.BOUNDARIES)
@pytest.mark.parametrize("dtype", "fdh")
def test_lengths(rng, name, boundary, dtype):
    cval = 3 if boundary == "constant" else 0
    for n, m in itertools.product((1, 2, 3, 4, 7, 8, 9, 17, 33), (1, 2, 3, 4, 5, 8, 9, 17, 40)):
        a, v = ref.small_integers(rng, n, dtype), ref.small_integers(rng, m, dtype)
        for mode in ref.MODES:
            y = getattr(fc, name)(a, v, mode, boundary=boundary, cval=cval)
            ref.check(y, name, a, v, mode, boundary=boundary, cval=cval, equal=True)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("boundary", ref.BOUNDARIES)
@pytest.mark.parametrize(
    "shapes",
    [
        ((6, 35), (3, 5)),
        ((1, 7), (4, 4)),
        ((2, 3), (9, 14)),
        ((40, 3), (2, 7)),
        ((20, 70), (7, 1)),
        ((3, 4, 21), (3, 3, 3)),
        ((1, 2, 3), (4, 5, 9)),
        ((2, 2, 3, 5), (3, 1, 2, 4)),
    ],
    ids=str,
)
def test_dimensions(rng, name, boundary, shapes):
    cval = -2 if boundary == "constant" else 0
    fits = all(n >= m for n, m in zip(*shapes, strict=True))
    contains = all(n <= m for n, m in zip(*shapes, strict=True))
    for dtype in "fdDhO":
        a, v = (ref.small_integers(rng, shape, dtype) for shape in shapes)
        for mode in ref.MODES if fits or contains else ("full", "same"):
            y = getattr(fc, name)(a, v, mode, boundary=boundary, cval=cval)
            ref.check(y, name, a, v, mode, boundary=boundary, cval=cval, equal=True)


@pytest.mark.parametrize("boundary", ref.BOUNDARIES)
@pytest.mark.parametrize("dtype", "?bBHiIQegFDGO")
def test_dtypes(rng, boundary, dtype):
    cval = 1 if boundary == "constant" else 0
    for shape, taps in [((31,), (6,)), ((5, 19), (3, 4)), ((2,), (7,))]:
        a, v = ref.numbers(rng, shape, dtype), ref.numbers(rng, taps, dtype)
        for name in NAMES:
            y = getattr(fc, name)(a, v, "same", boundary=boundary, cval=cval)
            ref.check(y, name, a, v, "same", boundary=boundary, cval=cval)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("boundary", ref.BOUNDARIES)
def test_along_some_axes(rng, name, boundary):
    cval = 5 if boundary == "constant" else 0
    for axes, taps in [
        (0, (4,)),
        (1, (3,)),
        (2, (9,)),
        ((2, 0), (3, 5)),
        (1, (3, 2, 4)),
        ((0, 2), (3, 5, 7)),
    ]:
        for dtype in "fdhG":
            a, v = ref.small_integers(rng, (3, 5, 17), dtype), ref.small_integers(rng, taps, dtype)
            if len(taps) == 3:  # one kernel per row
                v = v[:, :, :1] if axes == 1 else v[:, :1]
                v = v[:1] if axes == 1 else v
            for mode in ("full", "same"):
                y = getattr(fc, name)(a, v, mode, axes=axes, boundary=boundary, cval=cval)
                ref.check(y, name, a, v, mode, axes=axes, boundary=boundary, cval=cval, equal=True)


@pytest.mark.parametrize("boundary", ref.BOUNDARIES[1:])
@pytest.mark.parametrize(
    "shapes", [((50,), (7,)), ((4,), (30,)), ((20, 30), (5, 4)), ((5, 6, 7), (3, 4, 5))], ids=str
)
def test_like_ndimage(rng, boundary, shapes):
    a, v = (ref.small_integers(rng, shape, "d") for shape in shapes)
    v[v == 0] = 1
    centre = [m % 2 - 1 for m in v.shape]  # ndimage centres an even convolution kernel one further
    cval = 1.5 if boundary == "constant" else 0.0
    y = fc.correlate(a, v, "same", boundary=boundary, cval=cval)
    np.testing.assert_array_equal(y, scipy.ndimage.correlate(a, v, mode=boundary, cval=1.5))
    y = fc.convolve(a, v, "same", boundary=boundary, cval=cval)
    np.testing.assert_array_equal(y, scipy.ndimage.convolve(a, v, mode=boundary, cval=1.5, origin=centre))


@pytest.mark.parametrize("boundary", ref.BOUNDARIES)
@pytest.mark.parametrize("n", [1, 2, 5])
def test_a_kernel_a_hundred_times_the_array(rng, boundary, n):
    a, v = ref.small_integers(rng, n, "f"), ref.small_integers(rng, 100 * n + 1, "f")
    for name, mode in itertools.product(NAMES, ("full", "same")):
        y = getattr(fc, name)(a, v, mode, boundary=boundary)
        ref.check(y, name, a, v, mode, boundary=boundary, equal=True)


def test_with_a_boundary_the_first_is_the_signal():
    a, v = [1, 2], [1, 1, 1]
    assert fc.convolve(a, v, "same").tolist() == [1, 3, 3]
    assert fc.convolve(a, v, "same", boundary="constant").tolist() == [3, 3]
    assert fc.convolve(a, v, "same", boundary="wrap").tolist() == [5, 4]


def test_the_examples_of_the_documentation():
    a, three = [1, 2, 3, 4], [1, 0, 0, 0, 0, 0, 0]  # three elements beyond the low end
    outside = {
        "constant": [9, 9, 9],
        "reflect": [3, 2, 1],
        "mirror": [4, 3, 2],
        "nearest": [1, 1, 1],
        "wrap": [2, 3, 4],
    }
    for boundary, want in outside.items():
        cval = 9 if boundary == "constant" else 0
        y = fc.correlate(a, three, "same", boundary=boundary, cval=cval)
        assert y.tolist() == [*want, 1], boundary


CVALS = [
    *[("f", c) for c in (2, 2.5, 0.1, -1e30, np.float32(3), np.inf, np.array(4.0))],
    *[("d", c) for c in (0.1, 1e300, 7, True)],
    *[("e", c) for c in (0.1, 6.0e4)],
    *[("D", c) for c in (1, 2.5, 3 - 4j)],
    *[("B", c) for c in (0, 255, 7.0, np.uint8(9))],
    *[("b", c) for c in (-128, 127)],
    *[("q", c) for c in (2**62 + 1, -(2**63))],
    ("Q", 2**64 - 1),
    *[("?", c) for c in (True, 0, 1.0)],
]


@pytest.mark.parametrize(("dtype", "cval"), CVALS, ids=str)
def test_constants(rng, dtype, cval):
    a, v = ref.numbers(rng, (3, 18), dtype), ref.numbers(rng, (2, 5), dtype)
    if cval == np.inf:
        v = np.abs(v) + 1
    y = fc.convolve(a, v, boundary="constant", cval=cval)
    ref.check(y, "convolve", a, v, "full", boundary="constant", cval=cval)


@pytest.mark.parametrize(
    ("dtype", "cval", "error"),
    [
        *[("B", c, ValueError) for c in (256, -1, 2.5, np.nan, np.inf, 1e30)],
        *[("b", c, ValueError) for c in (128, -129, 0.1)],
        *[("q", c, ValueError) for c in (2**63, -(2**63) - 1)],
        *[("?", c, ValueError) for c in (2, 0.5)],
        *[(t, 1j, TypeError) for t in "fdBe"],
        *[("f", c, (TypeError, ValueError)) for c in ("1", None, [1.0, 2.0], np.zeros(2), [])],
    ],
    ids=str,
)
def test_bad_constants(dtype, cval, error):
    for shape, taps in [((5,), (3,)), ((4, 5), (3, 3))]:
        with pytest.raises(error, match="cval"):
            fc.convolve(np.ones(shape, dtype), np.ones(taps, dtype), boundary="constant", cval=cval)


def test_cval_is_for_constant_only(rng):
    for dtype, shapes in itertools.product("fdBeO", [((9,), (4,)), ((5, 6), (3, 3))]):
        a, v = ref.small_integers(rng, shapes[0], dtype), ref.small_integers(rng, shapes[1], dtype)
        for boundary in set(ref.BOUNDARIES) - {"constant"}:
            y = fc.convolve(a, v, boundary=boundary, cval=3)
            ref.check(y, "convolve", a, v, "full", boundary=boundary, equal=True)


def test_large_images_keep_their_edges(rng):
    for boundary in ref.BOUNDARIES:
        a, v = ref.small_integers(rng, (301, 517), "f"), ref.small_integers(rng, (5, 9), "f")
        for workers in (1, 2):
            y = fc.convolve(a, v, "same", boundary=boundary, workers=workers)
            ref.check(y, "convolve", a, v, "same", boundary=boundary, equal=True)
