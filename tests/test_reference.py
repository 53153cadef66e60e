"""The reference itself against NumPy and SciPy, where their definitions coincide with ours."""

import numpy as np
import pytest
import reference as ref
import scipy.ndimage
import scipy.signal


@pytest.mark.parametrize("name", ["convolve", "correlate"])
@pytest.mark.parametrize("dtype", ["?", "b", "H", "q", "e", "f", "d", "g", "F", "D", "G", "O"])
def test_numpy(rng, name, dtype):
    for n, m in [(1, 1), (5, 4), (4, 5), (4, 6), (2, 5), (9, 3)]:
        a, v = ref.small_integers(rng, n, dtype), ref.small_integers(rng, m, dtype)
        for mode in (*ref.MODES, 0, 1, 2):
            ref.check(getattr(np, name)(a, v, mode), name, a, v, mode, equal=True)


@pytest.mark.parametrize("dtype", ["e", "f", "d", "F", "D"])
def test_error_bound_holds_for_numpy(rng, dtype):
    for n, m in [(40, 7), (300, 250)]:
        a, v = ref.numbers(rng, n, dtype), ref.numbers(rng, m, dtype)
        ref.check(np.convolve(a, v), "convolve", a, v, "full")


def test_error_bound_is_sharp(rng):
    a, v = ref.numbers(rng, 50, "d"), ref.numbers(rng, 9, "d")
    y = np.convolve(a, v)
    y[17] += 40 * np.finfo("d").eps * np.sum(np.abs(v)) * np.max(np.abs(a))
    with pytest.raises(AssertionError, match="1 of 58 values are wrong"):
        ref.check(y, "convolve", a, v, "full")


@pytest.mark.parametrize("name", ["convolve", "correlate"])
@pytest.mark.parametrize("mode", ref.MODES)
@pytest.mark.parametrize(
    "shapes", [((5, 6), (3, 4)), ((5, 6), (7, 8)), ((3, 4, 5), (2, 3, 2)), ((4, 4), (4, 4))], ids=str
)
def test_scipy_signal(rng, name, mode, shapes):
    for dtype in "dDl":
        a, v = (ref.numbers(rng, shape, dtype) for shape in shapes)
        y = getattr(scipy.signal, name)(a, v, mode, method="direct")
        ref.check(y, name, a, v, mode)


@pytest.mark.parametrize("boundary", ref.BOUNDARIES[1:])
@pytest.mark.parametrize(
    "shapes", [((5,), (3,)), ((3,), (10,)), ((1,), (5,)), ((4, 5), (3, 3)), ((2, 3), (7, 6))], ids=str
)
def test_scipy_ndimage(rng, boundary, shapes):
    a, v = (ref.numbers(rng, shape, "d") for shape in shapes)
    origin = [m % 2 - 1 for m in v.shape]  # ndimage centres an even convolution kernel one further
    y = scipy.ndimage.correlate(a, v, mode=boundary, cval=2.5)
    z = scipy.ndimage.convolve(a, v, mode=boundary, cval=2.5, origin=origin)
    ref.check(y, "correlate", a, v, "same", boundary=boundary, cval=2.5)
    ref.check(z, "convolve", a, v, "same", boundary=boundary, cval=2.5)


@pytest.mark.parametrize("boundary", ref.BOUNDARIES[2:])
def test_numpy_pad(boundary):
    pad = {"reflect": "symmetric", "mirror": "reflect", "nearest": "edge", "wrap": "wrap"}[boundary]
    for n in range(1, 6):
        x = np.arange(n)
        got = [ref.inside(i, n, boundary) for i in range(-13, n + 13)]
        assert got == np.pad(x, 13, pad).tolist()
