"""If only one file of tests is run, then this: everything once, small and fast, with NumPy alone."""

import numpy as np
import pytest
import reference as ref

import fastconv as fc

DTYPES = ["?", "b", "B", "h", "H", "i", "I", "q", "Q", "e", "f", "d", "g", "F", "D", "G", "O"]


@pytest.mark.parametrize("name", ["convolve", "correlate"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_one_dimension(rng, name, dtype):
    for n, m in [(1, 1), (16, 5), (5, 16), (100, 9), (33, 33)]:
        a, v = ref.numbers(rng, n, dtype), ref.numbers(rng, m, dtype)
        for mode in ref.MODES:
            ref.check(getattr(fc, name)(a, v, mode), name, a, v, mode)


@pytest.mark.parametrize("name", ["convolve", "correlate"])
@pytest.mark.parametrize("boundary", ref.BOUNDARIES)
@pytest.mark.parametrize("dtype", ["f", "d", "h", "B"])
def test_images(rng, name, boundary, dtype):
    a, v = ref.numbers(rng, (19, 45), dtype), ref.numbers(rng, (3, 5), dtype)
    for mode in ref.MODES:
        y = getattr(fc, name)(a, v, mode, boundary=boundary)
        ref.check(y, name, a, v, mode, boundary=boundary)


@pytest.mark.parametrize("dtype", ["f", "D"])
def test_three_dimensions(rng, dtype):
    a, v = ref.numbers(rng, (5, 6, 20), dtype), ref.numbers(rng, (3, 2, 4), dtype)
    ref.check(fc.convolve(a, v, "same", boundary="mirror"), "convolve", a, v, "same", boundary="mirror")


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_along_an_axis(rng, axis):
    a, v = ref.numbers(rng, (12, 7, 17), "f"), ref.numbers(rng, 5, "f")
    ref.check(fc.convolve(a, v, axes=axis), "convolve", a, v, "full", axes=axis)


def test_out_and_strides(rng):
    a, v = ref.numbers(rng, (20, 60), "f")[::2, ::-3], ref.numbers(rng, (3, 3), "f")[::-1].T
    out = np.zeros((30, 40), "f")[::3, 1::2]
    assert fc.convolve(a, v, "same", out=out) is out
    ref.check(out, "convolve", a, v, "same")


def test_in_place(rng):
    a, v = ref.numbers(rng, 1000, "d"), ref.numbers(rng, 7, "d")
    y = a.copy()
    fc.convolve(y, v, "same", out=y)
    ref.check(y, "convolve", a, v, "same")


def test_threads_give_the_same_bits(rng):
    a, v = ref.numbers(rng, (300, 400), "f"), ref.numbers(rng, (5, 5), "f")
    one, two = (fc.convolve(a, v, workers=workers) for workers in (1, 2))
    assert one.tobytes() == two.tobytes()


@pytest.mark.parametrize(
    ("arguments", "options", "word"),
    [
        (([], [1.0]), {}, "a"),
        (([1.0], []), {}, "v"),
        (([1.0], [1.0], "foo"), {}, "mode"),
        (([1.0], [1.0]), {"axes": 1}, "axes"),
        (([1.0], [1.0]), {"boundary": "foo"}, "boundary"),
        (([1.0], [1.0]), {"method": "foo"}, "method"),
        (([1.0], [1.0]), {"out": np.zeros(2)}, "out"),
        (([1.0], [1.0]), {"workers": 0}, "workers"),
    ],
)
def test_bad_input(arguments, options, word):
    with pytest.raises(ValueError, match=rf"\b{word}\b"):
        fc.convolve(*arguments, **options)


def test_the_dropped_ball():
    die = np.full(6, 1 / 6)
    assert np.allclose(fc.convolve(die, die) * 36, [1, 2, 3, 4, 5, 6, 5, 4, 3, 2, 1])
