"""What is wrong with an argument is said: its name, what it was, what it must be; and no size crashes."""

import contextlib
import itertools
import warnings

import faults
import numpy as np
import public_calls
import pytest
from numpy.lib.stride_tricks import as_strided

import fastconv as fc

NAMES = ("convolve", "correlate")


class Unspeakable:
    """Its repr fails."""

    def __repr__(self):
        raise ZeroDivisionError


X, H = np.ones((6, 7)), np.ones((3, 3))

BAD = [
    # word in the message, value in the message, the error, arguments, options
    ("a", "", ValueError, ([], [1.0]), {}),
    ("v", "", ValueError, ([1.0], []), {}),
    ("a", "", ValueError, (np.zeros((0, 3)), H), {}),
    ("a", "", ValueError, (np.zeros((4, 0)), H), {}),
    ("v", "", ValueError, (X, np.zeros((0, 3))), {}),
    ("v", "", ValueError, (X, np.zeros((3, 0))), {}),
    ("a", "", ValueError, (np.zeros((5, 0)), [1.0]), {"axes": 1}),
    ("v", "", ValueError, (X, []), {"axes": 1}),
    ("mode", "'foo'", ValueError, (X, H, "foo"), {}),
    ("mode", "'SAME'", ValueError, (X, H, "SAME"), {}),
    ("mode", "3", ValueError, (X, H, 3), {}),
    ("mode", "None", TypeError, (X, H, None), {}),
    ("mode", "1.5", TypeError, (X, H, 1.5), {}),
    ("mode", "'foo'", ValueError, ([1.0], [1.0], "foo"), {}),
    ("mode", "7", ValueError, ([1.0], [1.0], 7), {}),
    ("mode", "None", TypeError, ([1.0], [1.0], None), {}),
    ("axes", "2", ValueError, (X, [1.0]), {"axes": 2}),
    ("axes", "-3", ValueError, (X, [1.0]), {"axes": -3}),
    ("axes", "", ValueError, (X, H), {"axes": (0, 0)}),
    ("axes", "", ValueError, (X, H), {"axes": (1, -1)}),
    ("axes", "", ValueError, (X, H), {"axes": ()}),
    ("axes", "", TypeError, (X, H), {"axes": 0.0}),
    ("axes", "", TypeError, (X, H), {"axes": "0"}),
    ("axes", "", TypeError, (X, H), {"axes": (0, 1.0)}),
    ("v", "", ValueError, (X, np.ones(3)), {}),
    ("v", "", ValueError, (np.ones(3), H), {}),
    ("v", "", ValueError, (X, np.ones((2, 2, 2))), {"axes": 1}),
    ("v", "", ValueError, (X, np.ones((4, 3))), {"axes": 1}),
    ("v", "", ValueError, (np.ones((2, 3, 4)), H), {"axes": 1}),
    ("boundary", "'foo'", ValueError, (X, H), {"boundary": "foo"}),
    ("boundary", "'Zero'", ValueError, ([1.0], [1.0]), {"boundary": "Zero"}),
    ("boundary", "None", (TypeError, ValueError), (X, H), {"boundary": None}),
    ("boundary", "4", (TypeError, ValueError), (X, H), {"boundary": 4}),
    ("boundary", "", (TypeError, ValueError), (X, H), {"boundary": ["wrap", "zero"]}),
    ("cval", "'1'", (TypeError, ValueError), (X, H), {"boundary": "constant", "cval": "1"}),
    ("cval", "1j", TypeError, (X, H), {"boundary": "constant", "cval": 1j}),
    ("method", "'foo'", ValueError, (X, H), {"method": "foo"}),
    ("method", "None", (TypeError, ValueError), (X, H), {"method": None}),
    ("method", "1", (TypeError, ValueError), ([1.0], [1.0]), {"method": 1}),
    ("out", "", (TypeError, ValueError), (X, H, "full"), {"out": np.zeros((8, 8))}),
    ("out", "float32", (TypeError, ValueError), (X, H, "full"), {"out": np.zeros((8, 9), np.float32)}),
    ("out", "", (TypeError, ValueError), (X, H, "full"), {"out": [[0.0] * 9] * 8}),
    ("workers", "0", ValueError, (X, H), {"workers": 0}),
    ("workers", "0", ValueError, ([1.0], [1.0]), {"workers": 0}),
    ("workers", "True", (TypeError, ValueError), (X, H), {"workers": True}),
    ("workers", "1.0", (TypeError, ValueError), (X, H), {"workers": 1.0}),
    ("workers", "'2'", (TypeError, ValueError), (X, H), {"workers": "2"}),
    ("workers", "-999999", ValueError, (X, H), {"workers": -999999}),
    ("a", "", TypeError, (np.zeros((3, 3), "U1"), H), {}),
    ("v", "", TypeError, (X, np.zeros((3, 3), "M8[s]")), {}),
    ("a", "", TypeError, (np.zeros((3, 3), "V3"), H), {}),
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("word", "value", "error", "arguments", "options"), BAD, ids=str)
def test_the_argument_is_named(name, word, value, error, arguments, options):
    with pytest.raises(error, match=rf"\b{word}\b") as caught:
        getattr(fc, name)(*arguments, **options)
    assert value in str(caught.value)


@pytest.mark.parametrize("name", NAMES)
def test_no_dimension_at_all(name):
    for a, v in [(np.array(1.0), H), (X, 2.0)]:
        with pytest.raises(ValueError, match=r"\b[av]\b"):
            getattr(fc, name)(a, v)
    for options in ({"axes": 0}, {"boundary": "wrap"}):
        if name == "correlate":
            with pytest.raises(ValueError, match=r"\ba\b"):
                fc.correlate(2.0, 3.0, **options)


def test_options_are_by_keyword_only():
    for name in NAMES:
        with pytest.raises(TypeError):
            getattr(fc, name)(X, H, "full", None)
        with pytest.raises(TypeError, match="axis"):
            getattr(fc, name)(X, H, axis=0)


def test_options_are_checked_on_the_short_way_too():
    a, v = np.ones(16), np.ones(5)
    for options in [
        {"axes": 1},
        {"boundary": "foo"},
        {"method": "foo"},
        {"out": np.zeros(3)},
        {"workers": 0},
        {"workers": 2.5},
        {"boundary": "constant", "cval": 1j},
    ]:
        for name in NAMES:
            with pytest.raises((TypeError, ValueError), match=list(options)[-1]):
                getattr(fc, name)(a, v, **options)


def test_methods_are_listed():
    with pytest.raises(ValueError, match=r"auto.*direct"):
        fc.convolve(X, H, method="foo")


LONG = {
    "a list of lists": lambda: faults.nested(10_000),
    "a wide list": lambda: [[["x" * 99] * 99] * 99] * 9,
    "a word": lambda: "x" * 1_000_000,
    "bytes": lambda: b"x" * 1_000_000,
    "an array": lambda: np.full(999, "x" * 1000),
    "an int": lambda: 10**5000,  # Python writes 4300 digits
    "a negative int": lambda: -(10**5000),
    "an object": Unspeakable,
}


@pytest.mark.parametrize("what", ["a list of lists", "a word", "an array", "an int", "an object"])
@pytest.mark.parametrize("space", public_calls.NAMESPACES)
def test_messages_are_short_whatever_the_arguments(space, what):
    if public_calls.space_of(space) is None:
        pytest.skip("not there")
    for name, (function, options) in public_calls.calls().items():
        if name.rpartition(".")[0] == space:
            for argument in options:
                with contextlib.suppress(MemoryError), warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    try:
                        function(**{**options, argument: LONG[what]()})
                    except Exception as error:
                        assert faults.allowed(name, error), (name, argument, error)
                        assert len(str(error)) < 500, (name, argument)


def test_messages_name_the_argument_whatever_it_is():
    x, w = np.ones((2, 4, 9, 9)), np.ones((4, 4, 3, 3))
    for what, make in LONG.items():
        for word, call in {
            "mode": lambda value: fc.convolve(X, H, value),
            "method": lambda value: fc.convolve(X, H, method=value),
            "boundary": lambda value: fc.convolve(X, H, boundary=value),
            "axes": lambda value: fc.convolve(X, H, axes=value),
            "workers": lambda value: fc.convolve(X, H, workers=value),
            "rtol": lambda value: fc.convolve(X, H, rtol=value),
            "cval": lambda value: fc.convolve(
                X.astype("i8"), H.astype("i8"), boundary="constant", cval=value
            ),
            "stride": lambda value: fc.nn.conv2d(x, w, stride=value),
            "padding": lambda value: fc.nn.conv2d(x, w, padding=value),
            "sigma": lambda value: fc.ndimage.gaussian_filter1d(X, value),
            "maxlag": lambda value: fc.signal.correlate(X[0], H[0], maxlag=value),
        }.items():
            if what == "an int" and word in ("workers", "stride", "padding", "maxlag"):
                continue  # it is a number of them
            with pytest.raises((TypeError, ValueError), match=rf"\b{word}\b") as caught:
                call(make())
            assert len(str(caught.value)) < 500, (what, word)


def test_a_refused_call_writes_nothing():
    out = np.full((8, 9), 7.0)
    for options in [{"boundary": "foo"}, {"method": "foo"}, {"workers": 0}, {"axes": 5}]:
        with pytest.raises((TypeError, ValueError)):
            fc.convolve(X, H, out=out, **options)
    assert (out == 7).all()


def huge(n, dtype=np.float64):
    """n equal elements, of which memory holds one."""
    return as_strided(
        np.ones(1, dtype), (n,) if np.ndim(n) == 0 else n, (0,) * max(np.ndim(n), 1), writeable=False
    )


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", ["f4", "f8", "i1", "c16", "?"])
def test_sizes_that_overflow_or_cannot_be_had(name, dtype):
    itemsize = np.dtype(dtype).itemsize
    most = (2**63 - 1) // itemsize
    for n, m in [
        (most, most),
        (most, 2),
        (2, most),
        (2**55 // itemsize, 3),
        (2**55 // itemsize, 2**54 // itemsize),
    ]:
        for boundary in ("zero", "wrap"):
            with pytest.raises((MemoryError, ValueError, OverflowError)):
                getattr(fc, name)(huge(n, dtype), huge(m, dtype), "full", boundary=boundary)


def test_sizes_of_images_that_cannot_be_had():
    for shape, taps in itertools.product(
        [(2**31, 2**28), (2, 2**56), (2**56, 2)], [(3, 3), (1, 1), (2**20, 2**20)]
    ):
        with pytest.raises((MemoryError, ValueError, OverflowError)):
            fc.convolve(huge(shape), huge(taps))
    with pytest.raises((MemoryError, ValueError, OverflowError)):
        fc.convolve(huge((2**30, 1, 4)), huge((1, 2**30, 3)), axes=-1)


def test_a_kernel_as_long_as_the_signal():
    n = 2**24
    assert fc.correlate(huge(n), huge(n - 1), "valid").tolist() == [n - 1, n - 1]
