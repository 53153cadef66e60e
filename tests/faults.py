"""Calls with arguments nobody should pass: any is answered by a result or by an error of the right class.

python tests/faults.py 100000 --seed 7      prints what was neither, and how many calls there were
"""

import argparse
import array
import collections
import decimal
import faulthandler
import fractions
import signal
import sys
import time
import traceback
import warnings

import numpy as np
import public_calls
from numpy.lib.stride_tricks import as_strided

ERRORS = (ValueError, TypeError, MemoryError, OverflowError)
SECONDS = 1.0  # what takes longer is interrupted then
LATE = 20.0  # and must have stopped so much later, on any machine


class Refused(ValueError):
    """What the objects below raise: an error of the caller's own passes through."""


class Interrupted(BaseException):
    """Raised by the alarm, as Ctrl-C would be."""


class Raises:
    """An object every use of which fails."""

    def fail(self, *arguments, **keywords):
        raise Refused

    __array__ = __len__ = __getitem__ = __iter__ = __index__ = __int__ = __float__ = __complex__ = fail
    __bool__ = __add__ = __radd__ = __mul__ = __rmul__ = __lt__ = __gt__ = __eq__ = fail
    __hash__ = None


class Liar:
    """Its length is not what it holds."""

    def __len__(self):
        return 5

    def __getitem__(self, i):
        if i > 2:
            raise IndexError
        return 1.0


class NoArray:
    def __array__(self, dtype=None, copy=None):
        return "not an array"


class Interface:
    @property
    def __array_interface__(self):
        return {"shape": (3,), "typestr": "<f8", "data": (0, True), "version": 2}


class NoIndex:
    def __index__(self):
        return "two"


class Word(str):
    pass


class Number(float):
    pass


class Sub(np.ndarray):
    def __array_finalize__(self, other):
        self.kept = other

    def __array_wrap__(self, array, context=None, return_scalar=False):
        raise Refused


def itself():
    x = [1.0]
    x.append(x)
    return x


def nested(depth):
    x = 1.0
    for _ in range(depth):
        x = [x]
    return x


def unaligned():
    return np.zeros(81, "u1")[1:].view("f8")


def huge(*shape, dtype="f8"):
    """An array of which memory holds one element."""
    return as_strided(np.ones(1, dtype), shape, (0,) * len(shape), writeable=False)


def fields():
    return np.zeros(4, [("x", "f8"), ("y", "i4", 2)])


def objects(*items):
    x = np.empty(len(items), object)
    for i, item in enumerate(items):
        x[i] = item
    return x


def read_only(*shape):
    x = np.ones(shape)
    x.flags.writeable = False
    return x


NUMBERS = [
    0, -1, 1, 2, 3, 7, 40, 2**31, -(2**31), 2**63 - 1, 2**63, 2**64, 10**30, -(10**30), 0.0, -0.0, 0.5,
    -2.5, 1e-320, 1e308, np.nan, np.inf, -np.inf, 1j, complex(np.nan, np.inf), True, False, None,
    np.int8(3), np.uint64(2**63), np.float16(1), np.float32(2.5), np.longdouble(1), np.complex64(1j),
    np.bool_(True), np.datetime64("2020-01-01"), np.timedelta64(3, "s"), fractions.Fraction(1, 3),
    decimal.Decimal("0.1"), decimal.Decimal("NaN"), Number(1.5), NoIndex(), Ellipsis, NotImplemented,
    slice(None), int, len, np,
]  # fmt: skip
WORDS = [
    "", "same", "valid", "full", "reflect", "wrap", "constant", "nearest", "mirror", "zero", "fill", "symm",
    "extend", "interpolate", "propagate", "fft", "auto", "direct", "exact", "separable", "overlap_save",
    "sparse", "winograd", "zeros", "circular", "replicate", "NHWC", "float32", "f8", "object", "raise",
    "saturate", "abc", "same\0", "naïve", "\ud800", "SAME", b"same", Word("same"), np.str_("same"), "1",
    "x" * 100_000,
]  # fmt: skip
MADE = [  # anew for each call
    list, tuple, dict, set, object, Raises, Liar, NoArray, Interface, itself, lambda: nested(40),
    lambda: nested(300), lambda: [1, 2], lambda: (1, 2, 3), lambda: [[1.0, 2.0], [3.0]], lambda: {"a": 1},
    lambda: {1.0, 2.0}, lambda: range(5), lambda: range(10**20), lambda: (i for i in range(3)),
    lambda: map(float, range(4)), lambda: [None], lambda: ["a", 1], lambda: [np.nan] * 3,
    lambda: [1, "same"], lambda: ["reflect", "wrap"], lambda: [1.0] * 70, lambda: (0, 0), lambda: (-1, 1),
    lambda: (0, 1.5), lambda: [Raises()], lambda: [10**30] * 3, lambda: collections.deque([1, 2]),
    lambda: array.array("d", [1, 2]), lambda: bytearray(b"12345678"), lambda: memoryview(b"123"),
    lambda: memoryview(np.ones((3, 4))), lambda: collections.OrderedDict(a=1), lambda: np.zeros(0),
    lambda: np.zeros((0, 3)), lambda: np.zeros((3, 0)), lambda: np.zeros((2, 0, 3)), lambda: np.array(1.0),
    lambda: np.array(None), lambda: np.ones(1), lambda: np.ones(5), lambda: np.ones((3, 3)),
    lambda: np.ones((2, 3, 4)), lambda: np.ones((1, 2, 3, 4)), lambda: np.ones((1,) * 33),
    lambda: np.ones((1,) * 64), lambda: np.full((3, 3), np.nan), lambda: np.full(5, np.inf),
    lambda: np.full((3, 4), -1e308), lambda: np.full(9, 5e-324), lambda: np.ones((12, 15))[::-1, ::-2],
    lambda: np.ones((15, 12)).T, lambda: np.ones((12, 15))[::-1],
    lambda: np.broadcast_to(np.ones(15), (12, 15)), unaligned, lambda: read_only(12, 15),
    lambda: read_only(144), lambda: np.ones(144, ">f4"), lambda: np.ones((12, 15), ">i2"),
    lambda: huge(2**59), lambda: huge(2**30, 2**29), lambda: huge(2**62, dtype="i1"),
    lambda: huge(2**20, 2**39), lambda: huge(10**6, 10**6), lambda: np.ones(4).view(Sub),
    lambda: np.ones((12, 15)).view(Sub), fields, lambda: fields().view(np.recarray),
    lambda: np.ma.masked_array(np.ones((12, 15)), np.eye(12, 15)), lambda: np.ma.masked,
    lambda: np.ma.masked_all(5), lambda: np.asmatrix(np.ones((3, 3))), lambda: np.array([None, 1]),
    lambda: np.array(["a", "bc"]), lambda: np.array([b"a"]), lambda: np.array([1, "a"], object),
    lambda: np.array([[], []], object), lambda: np.array([10**40, 1], object), lambda: objects(Raises()),
    lambda: np.array([fractions.Fraction(1, 2)] * 3), lambda: np.array([decimal.Decimal(1)] * 3),
    lambda: np.array([2**63, 1], "u8"), lambda: np.array(["2020-01-01"], "M8[D]"),
    lambda: np.zeros(3, "m8[s]"), lambda: np.zeros(3, "V5"), lambda: np.char.array(["a"]),
    lambda: np.memmap(__file__, "u1", "r")[:99],
    *(lambda c=c: np.ones((12, 15), c) for c in "?bBhHiIqQefdgFDGO"),
    *(lambda c=c: np.ones(9, c) for c in "?bBhHiIqQefdgFDGO"),
]  # fmt: skip


def draw(rng, function, options):
    """Its arguments, of which some are others; what they are in words."""
    options = dict(options)
    names = list(options)
    rng.shuffle(names)
    for name in names[: rng.choice((0, 0, 1, 3))]:
        del options[name]
    said = {}
    for name in names[-rng.choice((1, 1, 1, 2, 2, 3, len(names))) :]:
        kind = rng.integers(10)
        pool = NUMBERS if kind < 3 else WORDS if kind < 4 else MADE
        i = rng.integers(len(pool))
        options[name] = pool[i]() if pool is MADE else pool[i]
        said[name] = ("NUMBERS", "WORDS", "MADE")[(NUMBERS, WORDS, MADE).index(pool)] + f"[{i}]"
    if rng.integers(50) == 0:
        options["nonsense"] = 1
    return options, said


def allowed(name, error):
    """Is this how the function may refuse? SciPy's raise two classes more."""
    model = {"ndimage": RuntimeError, "signal": NotImplementedError}.get(name.partition(".")[0])
    own = "sub-views are not implemented" in str(error)  # of a memoryview that is iterated over
    return isinstance(error, ERRORS) or type(error) is model or own


def held(options):
    """The bytes of small arrays that a call may not change."""
    return {
        name: value.tobytes()
        for name, value in options.items()
        if type(value) is np.ndarray and value.size < 10**4 and value.dtype != object
        if name not in ("out", "output") or not value.flags.writeable
    }


def alarm(*_):
    raise Interrupted


def run(count, seed, only="", first=0, say=print, verbose=False):
    """Makes the calls; the numbers of results, errors and interrupts, and of what should not be."""
    table = {name: call for name, call in public_calls.calls().items() if name.startswith(only)}
    names = sorted(table)
    counts = collections.Counter()
    signal.signal(signal.SIGALRM, alarm)
    for i in range(first, first + count):
        rng = np.random.default_rng((seed, i))
        name = names[rng.integers(len(names))]
        options, said = draw(rng, *table[name])
        before = held(options)
        outcome, begun = "results", time.monotonic()
        try:
            signal.setitimer(signal.ITIMER_REAL, SECONDS, 1.0)
            try:
                table[name][0](**options)
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
        except Interrupted:
            outcome = "interrupts"
            if verbose:
                say(f"{i}: {name} {said}: interrupted")
            if time.monotonic() - begun > SECONDS + LATE:
                outcome = "wrong"
                say(f"{i}: {name} {said}: stopped {time.monotonic() - begun - SECONDS:.1f} s after it should")
        except BaseException as error:
            outcome = "errors"
            if not allowed(name, error):
                outcome = "wrong"
                place = traceback.extract_tb(error.__traceback__)[-1]
                text = "".join(traceback.format_exception_only(error)).strip()[:200]
                say(f"{i}: {name} {said}: {text!a} at {place.filename}:{place.lineno}")
        if held({key: options[key] for key in before}) != before:
            outcome = "wrong"
            say(f"{i}: {name} {said}: an argument has changed")
        counts[outcome] += 1
    return counts


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("count", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--only", default="", help="beginning of the functions' names")
    parser.add_argument("--verbose", action="store_true", help="print what was interrupted, too")
    args = parser.parse_args()
    import resource

    faulthandler.enable()
    resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")

    def say(text):
        print(text, flush=True)

    print(dict(run(args.count, args.seed, args.only, args.first, say, args.verbose)))


if __name__ == "__main__":
    sys.exit(main())
