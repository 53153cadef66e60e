"""Every edge of every tile: all small widths, heights and kernel lengths, where a wrong index shows.

Integer-valued data makes each result exact, so that any wrong term shows. Arrays lie in the middle of
buffers full of NaN (floats) or noise (integers), results in buffers whose surroundings must not change.
One large 'valid' result is the truth for all smaller ones: its first rows and columns are theirs.
"""

import itertools

import numpy as np
import pytest
import reference as ref

import fastconv as fc

WORK = "fdgFDhiq"
GUARD = 19  # elements around each array; odd, so that nothing is aligned by chance


def noise(shape, dtype):
    dtype = np.dtype(dtype)
    return np.full(shape, np.nan if dtype.kind in "fc" else 0x5A5A % (1 << (8 * dtype.itemsize - 1)), dtype)


def guarded(x):
    """A copy of x with noise on all sides."""
    y = noise([n + 2 * GUARD for n in x.shape], x.dtype)[tuple(slice(GUARD, GUARD + n) for n in x.shape)]
    y[...] = x
    return y


class Target:
    """An output array within noise; `check` tells whether the right values, and only those, were written."""

    def __init__(self, shape, dtype):
        self.noise = noise((), dtype)[()]
        self.buffer = noise([n + 2 * GUARD for n in shape], dtype)
        self.inner = tuple(slice(GUARD, GUARD + n) for n in shape)
        self.out = self.buffer[self.inner]

    def check(self, want, what):
        ref.assert_equal(self.out, want, what)
        self.out[...] = self.noise
        untouched = np.isnan(self.buffer) if self.out.dtype.kind in "fc" else self.buffer == self.noise
        assert untouched.all(), f"outside: {what}"


@pytest.mark.parametrize("dtype", WORK)
def test_rows(rng, dtype):
    for m in range(1, 41):
        x, v = ref.small_integers(rng, 80 + m - 1, dtype), ref.small_integers(rng, m, dtype)
        want = ref.rounded("correlate", x, v, "valid")
        v = guarded(v)
        for n in range(1, 81):
            target = Target((n,), dtype)
            fc.correlate(guarded(x[: n + m - 1]), v, "valid", out=target.out)
            target.check(want[:n], f"{n} outputs, {m} taps")
            ref.assert_equal(fc.correlate(guarded(x[: n + m - 1]), v, "valid"), want[:n])


@pytest.mark.parametrize("dtype", WORK)
@pytest.mark.parametrize("taps", [64, 65, 96, 127, 128, 200, 255, 256, 300])
def test_rows_with_many_taps(rng, dtype, taps):
    x, v = ref.small_integers(rng, 300 + taps - 1, dtype), ref.small_integers(rng, taps, dtype)
    want = ref.rounded("correlate", x, v, "valid")
    v = guarded(v)
    for n in [*range(1, 40), 63, 64, 65, 100, 127, 128, 129, 255, 256, 257, 300]:
        target = Target((n,), dtype)
        fc.correlate(guarded(x[: n + taps - 1]), v, "valid", out=target.out)
        target.check(want[:n], f"{n} outputs, {taps} taps")


@pytest.mark.parametrize("name", ["convolve", "correlate"])
@pytest.mark.parametrize("dtype", "fdFh")
def test_rows_with_their_ends(rng, name, dtype):
    for n, m in itertools.product(
        [*range(1, 36), 47, 48, 63, 64, 65, 80], [*range(1, 18), 24, 31, 32, 33, 40]
    ):
        a, v = ref.small_integers(rng, n, dtype), ref.small_integers(rng, m, dtype)
        for mode in ("full", "same"):
            want = getattr(np, name)(a, v, mode)
            target = Target(want.shape, dtype)
            getattr(fc, name)(guarded(a), guarded(v), mode, out=target.out)
            target.check(want, f"{mode} {n} {m}")


@pytest.mark.parametrize("dtype", "fdDhiq")
def test_rows_around_powers_of_two(rng, dtype):
    a = ref.small_integers(rng, 2**16 + 70, dtype)
    for m in (1, 2, 3, 9, 33, 65):
        v = ref.small_integers(rng, m, dtype)
        want = ref.rounded("correlate", a, v, "valid")
        for n in [2**k + d for k in range(7, 17) for d in (-1, 0, 1)]:
            y = fc.correlate(a[: n + m - 1], v, "valid", method="direct")
            ref.assert_equal(y, want[:n], f"{n} outputs, {m} taps")


TAPS_2D = [
    (1, 1),
    (1, 4),
    (4, 1),
    (2, 2),
    (3, 3),
    (2, 7),
    (5, 5),
    (4, 6),
    (7, 7),
    (9, 2),
    (11, 11),
    (1, 40),
    (13, 1),
]


@pytest.mark.parametrize("dtype", WORK)
@pytest.mark.parametrize("taps", TAPS_2D, ids=str)
def test_images(rng, dtype, taps):
    height, width = 20, 80
    x = ref.small_integers(rng, (height + taps[0] - 1, width + taps[1] - 1), dtype)
    v = ref.small_integers(rng, taps, dtype)
    want = ref.rounded("correlate", x, v, "valid")
    v = guarded(v)
    sizes = itertools.product(range(1, height + 1), (1, 4, 8, 9, 15, 16, 17, 31, 33, 50, 65, 80))
    for h, w in sorted({*sizes, *itertools.product((1, 3, 8, 13), range(1, width + 1))}):
        target = Target((h, w), dtype)
        fc.correlate(guarded(x[: h + taps[0] - 1, : w + taps[1] - 1]), v, "valid", out=target.out)
        target.check(want[:h, :w], f"{h} by {w} outputs, {taps} taps")


@pytest.mark.parametrize("dtype", "fdFh")
@pytest.mark.parametrize("taps", [(3, 3), (2, 5), (5, 4), (7, 7), (1, 9), (9, 1), (6, 12)], ids=str)
def test_images_with_their_edges(rng, dtype, taps):
    v = ref.small_integers(rng, taps, dtype)
    for h, w in itertools.product(
        [1, 2, 3, 4, 5, 7, 8, 9, 17], [1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 50, 66]
    ):
        a = ref.small_integers(rng, (h, w), dtype)
        for boundary in ("zero", "mirror"):
            want = ref.rounded("convolve", a, v, "same", boundary=boundary)
            target = Target((h, w), dtype)
            fc.convolve(guarded(a), guarded(v), "same", boundary=boundary, method="direct", out=target.out)
            target.check(want, f"{boundary} {h} by {w}, {taps} taps")


@pytest.mark.parametrize("dtype", "fdDhi")
@pytest.mark.parametrize("taps", [(31, 31), (17, 20), (1, 300), (300, 1), (64, 3), (3, 64)], ids=str)
def test_large_kernels(rng, dtype, taps):
    x = ref.small_integers(rng, (40 + taps[0] - 1, 70 + taps[1] - 1), dtype)
    v = ref.small_integers(rng, taps, dtype)
    want = ref.rounded("correlate", x, v, "valid")
    for h, w in [(1, 1), (1, 70), (40, 1), (3, 17), (7, 33), (40, 70), (12, 64)]:
        target = Target((h, w), dtype)
        a = guarded(x[: h + taps[0] - 1, : w + taps[1] - 1])
        fc.correlate(a, guarded(v), "valid", method="direct", out=target.out)
        target.check(want[:h, :w], f"{h} by {w} outputs, {taps} taps")


@pytest.mark.parametrize("dtype", "fdFhq")
@pytest.mark.parametrize("taps", [(3, 3, 3), (5, 5, 5), (2, 1, 4), (1, 3, 3), (4, 4, 1)], ids=str)
def test_volumes(rng, dtype, taps):
    sizes = (5, 9, 40)
    x = ref.small_integers(rng, [n + m - 1 for n, m in zip(sizes, taps, strict=True)], dtype)
    v = ref.small_integers(rng, taps, dtype)
    want = ref.rounded("correlate", x, v, "valid")
    for shape in itertools.product((1, 2, 5), (1, 2, 4, 5, 9), (1, 3, 7, 8, 9, 16, 17, 31, 32, 33, 40)):
        used = tuple(slice(0, n + m - 1) for n, m in zip(shape, taps, strict=True))
        target = Target(shape, dtype)
        fc.correlate(guarded(x[used]), guarded(v), "valid", method="direct", out=target.out)
        target.check(want[tuple(slice(0, n) for n in shape)], f"{shape} outputs")


@pytest.mark.parametrize("dtype", WORK)
@pytest.mark.parametrize("axis", [0, 1])
def test_batches(rng, dtype, axis):
    for m in (1, 2, 3, 5, 9, 16, 33):
        x, v = ref.small_integers(rng, (80, 80), dtype), ref.small_integers(rng, m, dtype)
        want = ref.rounded("convolve", x, v, "full", axes=axis)[(slice(None),) * axis + (slice(m - 1, 80),)]
        for rows, n in itertools.product([1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 40], [1, 4, 8, 17, 40]):
            shape, used = ((n, rows), (n + m - 1, rows)) if axis == 0 else ((rows, n), (rows, n + m - 1))
            target = Target(shape, dtype)
            a = guarded(x[: used[0], : used[1]])
            fc.convolve(a, v, "valid", axes=axis, method="direct", out=target.out)
            target.check(want[: shape[0], : shape[1]], f"{rows} rows of {n}, {m} taps")


@pytest.mark.parametrize("dtype", "fdDhiqBe")
@pytest.mark.parametrize("workers", [1, 2])
def test_long_signals_and_large_images(rng, dtype, workers):
    for shape, taps in [((300_007,), (9,)), ((70_001,), (101,)), ((613, 709), (3, 3)), ((311, 257), (7, 12))]:
        a, v = ref.small_integers(rng, shape, dtype), ref.small_integers(rng, taps, dtype)
        if dtype == "e":
            v //= 4  # whole numbers up to 2048 only
        y = fc.convolve(a, v, "same", method="direct", workers=workers)
        ref.assert_equal(y, sums_over_taps(a, v))


def sums_over_taps(a, v):
    """'same' convolution by whole-array sums, fast enough for large arrays of small integers."""
    padded = np.pad(a, [(m // 2, (m - 1) // 2) for m in v.shape])
    wide = np.result_type(a.dtype, "i4") if a.dtype.kind != "f" else np.dtype("d")
    y = np.zeros(a.shape, wide)
    for tap in np.ndindex(v.shape):
        window = tuple(slice(m - 1 - t, m - 1 - t + n) for t, m, n in zip(tap, v.shape, a.shape, strict=True))
        y += padded[window].astype(wide) * wide.type(v[tap])
    return y.astype(a.dtype)


@pytest.mark.parametrize("dtype", "fdgFDe")
def test_rounding(rng, dtype):
    for shape, taps in [((5000,), (300,)), ((999,), (17,)), ((40, 90), (15, 15)), ((9, 12, 40), (5, 5, 5))]:
        a, v = ref.numbers(rng, shape, dtype), ref.numbers(rng, taps, dtype)
        ref.check(fc.convolve(a, v, "same", method="direct"), "convolve", a, v, "same")
