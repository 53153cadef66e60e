"""In one dimension fastconv is NumPy: results, dtypes, lengths, modes, conversions and kinds of errors."""

import decimal
import itertools
import warnings
from fractions import Fraction

import numpy as np
import pytest
import reference as ref

import fastconv as fc

NAMES = ("convolve", "correlate")
DTYPES = "?bBhHiIqQefdgFDGO"
LENGTHS = [(1, 1), (5, 4), (4, 5), (4, 6), (2, 5), (37, 9), (9, 70)]


def outcome(function, *arguments, **options):
    """What a call does: its result, or the kind of its error."""
    try:
        return function(*arguments, **options)
    except (TypeError, ValueError) as error:
        return type(error)


def assert_like_numpy(name, *arguments, **options):
    want = outcome(getattr(np, name), *arguments, **options)
    got = outcome(getattr(fc, name), *arguments, **options)
    if isinstance(want, type):
        assert got is want, f"NumPy raises {want.__name__}"
    else:
        assert type(got) is np.ndarray
        ref.assert_equal(got, want)


PAIRS = ["".join(pair) for pair in itertools.product(DTYPES, DTYPES)]


@pytest.mark.parametrize("dtypes", PAIRS)
def test_every_pair_of_dtypes(rng, dtypes):
    for n, m in LENGTHS:
        a, v = (ref.small_integers(rng, k, dtype) for k, dtype in zip((n, m), dtypes, strict=True))
        for name, mode in itertools.product(NAMES, ref.MODES):
            assert_like_numpy(name, a, v, mode)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", "fdFDhiq?")
def test_every_length(rng, name, dtype):
    for n, m in itertools.product(range(1, 41), range(1, 25)):
        a, v = ref.small_integers(rng, n, dtype), ref.small_integers(rng, m, dtype)
        for mode in ref.MODES:
            assert_like_numpy(name, a, v, mode)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", "efdgFDG")
def test_rounding(rng, name, dtype):
    for n, m in [*LENGTHS, (100, 3), (1000, 64), (50, 300)]:
        a, v = ref.numbers(rng, n, dtype), ref.numbers(rng, m, dtype)
        for mode in ref.MODES:
            ref.check(getattr(fc, name)(a, v, mode), name, a, v, mode)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", "bBhHiIqQ")
def test_integers_wrap(rng, name, dtype):
    for n, m in [*LENGTHS, (300, 100), (900, 800)]:
        a, v = ref.numbers(rng, n, dtype), ref.numbers(rng, m, dtype)
        for mode in ref.MODES:
            assert_like_numpy(name, a, v, mode)


@pytest.mark.parametrize("name", NAMES)
def test_mixed_integers(rng, name):
    for one, other in itertools.product("?bBhHiIqQ", repeat=2):
        a, v = ref.numbers(rng, 31, one), ref.numbers(rng, 6, other)
        if np.result_type(a, v).kind == "f":  # int64 with uint64
            ref.check(getattr(fc, name)(a, v), name, a, v, {"convolve": "full", "correlate": "valid"}[name])
        else:
            assert_like_numpy(name, a, v)


def test_wrapping_example():
    y = fc.convolve(np.array([100, 100], np.int8), np.array([2, 2], np.int8))
    np.testing.assert_array_equal(y, np.array([-56, -112, -56], np.int8), strict=True)


MODES_TO_TRY = [
    *(0, 1, 2, 3, -1, np.int64(1), np.uint8(2), True, 1.0, np.float64(1), [1]),
    *("full", np.str_("full"), "", b"full", ("full",), None),
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("mode", MODES_TO_TRY, ids=repr)
def test_modes(name, mode):
    assert_like_numpy(name, np.arange(5.0), np.array([1.0, 2.0]), mode)
    assert_like_numpy(name, [1, 2, 3], [4, 5, 6, 7], mode)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("mode", ["FULL", "Valid", "f", "v", "same ", "foo"])
def test_modes_are_spelt_in_full(name, mode):
    """As in newer versions of NumPy; older ones only warned."""
    with pytest.raises(ValueError, match="mode"):
        getattr(fc, name)(np.arange(5.0), np.array([1.0, 2.0]), mode)


def test_defaults_and_keywords():
    a, v = [1.0, 2.0, 3.0], [0.0, 1.0]
    for name in NAMES:
        assert_like_numpy(name, a, v)
        assert_like_numpy(name, a=a, v=v, mode="same")
        assert_like_numpy(name, a, mode="full", v=v)
        assert_like_numpy(name, a)
        assert_like_numpy(name)
        assert_like_numpy(name, a, v, "full", None)
        assert_like_numpy(name, a, v, foo=1)


CONVERTED = [
    *(2, 2.5, True, 3 - 1j, np.float32(3), np.array(5), [], (), np.array([], np.float32)),
    *([1, 2, 3], (1.5, 2), range(3), [True, False], memoryview(b"ab"), [1, 2.5, 1j], [10**30, 1]),
    *([2**63], [-(2**63) - 1], [None], [Fraction(1, 3)], np.array([np.inf]), [np.nan, 1.0], [[1, 2], [3]]),
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("a", CONVERTED, ids=lambda a: repr(a).partition(" at ")[0])
def test_conversions(name, a):
    assert_like_numpy(name, a, [1, 2])
    assert_like_numpy(name, [1, 2], a)
    assert_like_numpy(name, a, a)


NO_ARRAYS = {"str": "abc", "list": ["a", "b"], "bytes": [b"a"], "None": None, "dict": {}, "object": object()}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("a", NO_ARRAYS.values(), ids=NO_ARRAYS)
def test_what_is_no_array_is_refused(name, a):
    for arguments in [(a, [1, 2]), ([1, 2], a)]:
        with pytest.raises((TypeError, ValueError)):
            getattr(fc, name)(*arguments)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", ["M8[D]", "V4", "S3", "U3", [("x", "f4")]], ids=str)
def test_what_is_no_number_is_refused(name, dtype):
    for arguments in [(np.zeros(2, dtype), [1, 2]), ([1, 2], np.zeros(2, dtype))]:
        with pytest.raises(TypeError, match="dtype"):
            getattr(fc, name)(*arguments)


def test_conjugation():
    y = fc.correlate([1j], [1 + 1j, 2, 3 - 1j], "full")
    np.testing.assert_array_equal(y, [-1 + 3j, 2j, 1 + 1j])
    real, imaginary = np.array([1.0, 2.0, 3.0]), np.array([1j, 2 + 1j])
    for a, v in itertools.permutations([real, imaginary]):
        for mode in ref.MODES:
            assert_like_numpy("correlate", a, v, mode)
            assert_like_numpy("convolve", a, v, mode)


def test_the_arguments_stay_as_they_are(rng):
    for dtype in DTYPES:
        a, v = ref.small_integers(rng, 30, dtype), ref.small_integers(rng, 7, dtype)
        before = a.copy(), v.copy()
        for name in NAMES:
            getattr(fc, name)(a, v)
        np.testing.assert_array_equal(a, before[0])
        np.testing.assert_array_equal(v, before[1])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("mode", ref.MODES)
def test_timedelta(name, mode):
    time = np.array([1, -2, 3, 2**40], "m8[s]")
    for other in [
        np.array([1, 2]),
        np.array([3, 4, 5], "u1"),
        np.array([1, 2, 3, 4, 5], "m8[ms]"),
        np.array([True]),
    ]:
        ref.check(getattr(fc, name)(time, other, mode), name, time, other, mode)
        ref.check(getattr(fc, name)(other, time, mode), name, other, time, mode)
    np.testing.assert_array_equal(fc.convolve(time[:2], [1, 2]), np.array([1, 0, -4], "m8[s]"), strict=True)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("mode", ref.MODES)
def test_objects(name, mode):
    fractions = np.array([Fraction(1, k) for k in range(1, 6)], object)
    for other in [
        np.array([Fraction(2, 3), Fraction(-1, 7)], object),
        np.array([10**40, 3, -(10**20)], object),
        np.array([1, 2, 3, 4, 5, 6, 7]),
        np.array([decimal.Decimal(3), 4], object)[1:],
        np.array([0.5, 0.25]),
        np.array([1j, 2.0], object),
    ]:
        assert_like_numpy(name, fractions, other, mode)
        assert_like_numpy(name, other, fractions, mode)
        assert_like_numpy(name, other, other, mode)


def test_objects_multiply_in_numpys_order():
    letters = np.array(["a", "b"], object)
    for numbers in (np.array([2, 3], object), np.array([2, 3, 4], object)):
        for name, mode in itertools.product(NAMES, ref.MODES):
            assert_like_numpy(name, letters, numbers, mode)
            assert_like_numpy(name, numbers, letters, mode)


def test_an_error_in_an_object_comes_through():
    with pytest.raises(TypeError):
        fc.convolve(np.array([None, 1], object), [1, 2])
    with pytest.raises(decimal.Overflow):
        fc.convolve(np.array([decimal.Decimal("1e999999")], object), np.array([decimal.Decimal("1e999999")]))


def test_booleans():
    y = fc.convolve([True, False, False, True], [True, True])
    np.testing.assert_array_equal(y, [True, True, False, True, True], strict=True)
    many = np.ones(300, bool)  # 256 agreements are True, not 0
    assert fc.convolve(many, many, "valid").item() is True
    odd = np.frombuffer(b"\x01\x00\x01", np.bool_)
    assert fc.correlate(odd, odd).dtype == bool


def test_float16_sums_are_wider():
    ones = np.ones(4096, np.float16)
    y = fc.convolve(ones, ones, "valid")
    assert y.dtype == np.float16
    assert y[0] == 4096
    assert fc.convolve(np.float16([300, 300]), np.float16([300, -300]))[1] == 0
    assert fc.convolve(np.float16([300]), np.float16([300]))[0] == np.inf


def test_long_double_keeps_its_digits():
    eps = np.finfo(np.longdouble).eps
    y = fc.correlate(np.array([1 + eps, 1]), np.array([1, -1], np.longdouble))
    assert y[0] == eps


def test_negative_zero():
    for arguments in [([-0.0], [1.0]), ([-0.0, -0.0], [1.0, 1.0]), ([-0.0] * 20, [1.0] * 3)]:
        for dtype in "efdFD":
            for name in NAMES:
                y = getattr(fc, name)(*(np.array(x, dtype) for x in arguments))
                assert not np.signbit(y.real).any(), (name, dtype)


@pytest.mark.parametrize("dtype", "fd")
def test_not_a_number_and_infinity(dtype):
    nan, inf = np.nan, np.inf
    for a, v in [
        ([1, nan, 3, 4, 5], [1, 2]),
        ([1, inf, 3, 4, 5], [1, 0, 2]),
        ([1, inf, -inf, 4, 5], [1, 1]),
        ([1, 2, 3], [inf, 1]),
        ([1, 2, 3], [nan, 1, -inf]),
        ([0, 0, 0, 0, 0], [1, inf]),
    ]:
        a, v = np.array(a, dtype), np.array(v, dtype)
        for name, mode in itertools.product(NAMES, ref.MODES):
            assert_like_numpy(name, a, v, mode)
            assert_like_numpy(name, v, a, mode)


class Marked(np.ndarray):
    pass


def test_subclasses_give_plain_arrays():
    plain = np.array([1.0, 2.0, 3.0])
    masked = np.ma.array(plain, mask=[False, True, False])
    for name in NAMES:
        for a in (plain.view(Marked), masked, plain.view(np.recarray)):
            assert_like_numpy(name, a, [1.0, 1.0])
            assert_like_numpy(name, [1.0, 1.0], a)


def test_a_matrix_is_a_plain_array_of_two_dimensions():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        a, v = np.matrix([[1.0, 2.0], [3.0, 4.0]]), np.matrix([[1.0, 1.0]])
        y = fc.convolve(a, v)
    ref.check(y, "convolve", np.array(a), np.array(v), "full")


class Wrapped:
    """An array type of its own: takes part through __array_function__ only."""

    def __init__(self, data):
        self.data = np.asarray(data)

    def __array_function__(self, function, types, arguments, options):
        if function not in (np.convolve, np.correlate):
            return NotImplemented
        arguments = [x.data if isinstance(x, Wrapped) else x for x in arguments]
        return Wrapped(function(*arguments, **options))


@pytest.mark.parametrize("name", NAMES)
def test_array_function_types_answer_for_numpys_arguments(name):
    plain, other = np.array([1.0, 2.0, 3.0]), np.array([1.0, -1.0])
    for a, v in [(Wrapped(plain), other), (plain, Wrapped(other)), (Wrapped(plain), Wrapped(other))]:
        for mode in ref.MODES:
            y = getattr(fc, name)(a, v, mode)
            assert type(y) is Wrapped
            np.testing.assert_array_equal(y.data, getattr(np, name)(plain, other, mode))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("options", [{"boundary": "wrap"}, {"axes": 0}, {"out": np.zeros(4)}], ids=str)
def test_array_function_types_are_asked_for_more(name, options):
    with pytest.raises(TypeError, match=name):
        getattr(fc, name)(Wrapped([1.0, 2.0, 3.0]), [1.0, -1.0], "full", **options)


def test_array_function_types_may_answer_for_fastconv():
    asked = []

    class Curious:
        def __array_function__(self, function, types, arguments, options):
            asked.append((function, types, options))
            return "answer"

    assert fc.convolve(Curious(), [1.0], "same", boundary="wrap") == "answer"
    function, types, options = asked[0]
    assert function is fc.convolve
    assert list(types) == [Curious]
    assert options.get("boundary") == "wrap"
