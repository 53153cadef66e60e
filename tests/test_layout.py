"""Any memory layout in and out: strides, alignment, byte order, overlap; and the layout of new results."""

import itertools

import numpy as np
import pytest
import reference as ref
from numpy.lib.stride_tricks import as_strided

import fastconv as fc

NAMES = ("convolve", "correlate")


def plain(x):
    return np.ascontiguousarray(x)


def unaligned(x):
    raw = np.zeros(x.nbytes + 1, np.uint8)
    y = raw[1:].view(x.dtype).reshape(x.shape)
    y[...] = x
    return y


def swapped(x):
    return x.astype(x.dtype.newbyteorder())


def readonly(x):
    y = x.copy()
    y.flags.writeable = False
    return y


def negative(x):
    return x[(slice(None, None, -1),) * x.ndim].copy()[(slice(None, None, -1),) * x.ndim]


def every_third(x):
    y = np.zeros([3 * n for n in x.shape], x.dtype)[(slice(1, None, 3),) * x.ndim]
    y[...] = x
    return y


def padded_rows(x):
    y = np.zeros([n + 5 for n in x.shape], x.dtype)[tuple(slice(2, 2 + n) for n in x.shape)]
    y[...] = x
    return y


def fortran(x):
    return np.asfortranarray(x)


def field(x):
    y = np.zeros(x.shape, [("tag", "u1"), ("x", x.dtype), ("y", x.dtype)])["x"]
    y[...] = x
    return y


def real_part(x):
    """A view of every second number, as of a complex array's real part."""
    y = np.zeros((*x.shape, 2), x.dtype)[..., 0]
    y[...] = x
    return y


LAYOUTS = [plain, unaligned, swapped, readonly, negative, every_third, padded_rows, fortran, field, real_part]


PAIRS = [(x, plain) for x in LAYOUTS] + [(x, y) for x in (plain, swapped, negative) for y in LAYOUTS]


@pytest.mark.parametrize(("of_a", "of_v"), PAIRS)
def test_inputs(rng, of_a, of_v):
    for dtype, (shape, taps) in itertools.product(
        "fdDgeh", [((40,), (5,)), ((6, 23), (3, 4)), ((3, 4, 9), (2, 2, 3))]
    ):
        a, v = ref.small_integers(rng, shape, dtype), ref.small_integers(rng, taps, dtype)
        for name, mode in itertools.product(NAMES, ref.MODES):
            y = getattr(fc, name)(of_a(a), of_v(v), mode)
            ref.check(y, name, a, v, mode, equal=True)


@pytest.mark.parametrize("layout", [unaligned, swapped, negative, field])
@pytest.mark.parametrize("dtype", "bBHiIqQgGm")
def test_other_dtypes(rng, layout, dtype):
    dtype = "m8[s]" if dtype == "m" else dtype
    a, v = ref.numbers(rng, (5, 18), dtype), ref.numbers(rng, (3, 4), dtype)
    for name, boundary in itertools.product(NAMES, ref.BOUNDARIES):
        y = getattr(fc, name)(layout(a), layout(v), "same", boundary=boundary)
        ref.check(y, name, a, v, "same", boundary=boundary)


@pytest.mark.parametrize("dtype", "fdDhgB")
def test_zero_strides(rng, dtype):
    one, row = ref.small_integers(rng, (1, 1), dtype), ref.small_integers(rng, (1, 30), dtype)
    v = ref.small_integers(rng, (3, 5), dtype)
    for a in [np.broadcast_to(one, (9, 30)), np.broadcast_to(row, (9, 30)), np.broadcast_to(row.T, (30, 9))]:
        for kernel in [v, np.broadcast_to(v[:1, :1], (3, 5)), np.broadcast_to(v[:, :1], (3, 5))]:
            for boundary in ("zero", "mirror"):
                y = fc.convolve(a, kernel, "same", boundary=boundary)
                ref.check(y, "convolve", a, kernel, "same", boundary=boundary, equal=True)


@pytest.mark.parametrize("dtype", "fdh")
def test_overlapping_windows_as_input(rng, dtype):
    x = ref.small_integers(rng, 60, dtype)
    windows = as_strided(x, (20, 30), (x.strides[0], x.strides[0]))
    v = ref.small_integers(rng, (2, 3), dtype)
    ref.check(fc.convolve(windows, v), "convolve", windows.copy(), v, "full", equal=True)


@pytest.mark.parametrize("axes", list(itertools.permutations(range(3))), ids=str)
def test_transposed(rng, axes):
    for dtype in "fdFi":
        a = ref.small_integers(rng, (7, 18, 11), dtype).transpose(axes)
        v = ref.small_integers(rng, (3, 2, 5), dtype)
        ref.check(fc.correlate(a, v, "same"), "correlate", a, v, "same", equal=True)
        ref.check(
            fc.correlate(a, v[0, 0], "full", axes=1), "correlate", a, v[0, 0], "full", axes=1, equal=True
        )


def test_new_results_have_the_memory_order_of_a(rng):
    for dtype, kernel_dtype in [("f", "f"), ("h", "d"), ("e", "e")]:
        for order in itertools.permutations(range(3)):
            a = np.ones((4, 5, 6), dtype).transpose(order)
            for mode, axes in [("same", None), ("full", None), ("valid", None), ("full", (0, 1, 2))]:
                y = fc.convolve(a, np.ones((2, 3, 2), kernel_dtype), mode, axes=axes)
                want = np.empty_like(a, dtype=y.dtype, shape=y.shape, order="K")
                assert y.strides == want.strides
    assert fc.convolve(np.ones(20)[::-2], np.ones(3)).strides == (8,)


@pytest.mark.parametrize(
    "layout", [plain, unaligned, swapped, negative, every_third, padded_rows, fortran, field]
)
def test_out(rng, layout):
    for dtype, (shape, taps) in itertools.product(
        "fdDgehBq?O", [((40,), (5,)), ((6, 23), (3, 4)), ((3, 4, 9), (2, 2, 3))]
    ):
        if dtype == "O" and layout in (unaligned, swapped):
            continue
        a, v = ref.small_integers(rng, shape, dtype), ref.small_integers(rng, taps, dtype)
        for name, mode in itertools.product(NAMES, ref.MODES):
            want = ref.rounded(name, a, v, mode)
            out = layout(np.zeros(want.shape, want.dtype))
            if layout is swapped and out.dtype != want.dtype:
                with pytest.raises((TypeError, ValueError), match="out"):
                    getattr(fc, name)(a, v, mode, out=out)
                continue
            assert getattr(fc, name)(a, v, mode, out=out) is out
            np.testing.assert_array_equal(out, want)


def test_out_leaves_its_gaps_alone(rng):
    for dtype in "fdhD":
        a, v = ref.small_integers(rng, (12, 30), dtype), ref.small_integers(rng, (3, 3), dtype)
        around = np.full((40, 100), 77, dtype)
        out = around[5:29:2, 7:97:3]
        fc.convolve(a, v, "same", out=out)
        ref.check(plain(out), "convolve", a, v, "same", equal=True)
        out[...] = 77
        assert (around == 77).all()


class Duck(np.ndarray):
    pass


@pytest.mark.parametrize(
    "out",
    [
        np.zeros(11, np.float32),
        np.zeros(13, np.float32),
        np.zeros((1, 12), np.float32),
        np.zeros(12, np.float64),
        np.zeros(12, np.int32),
        readonly(np.zeros(12, np.float32)),
        [0.0] * 12,
        "full",
        1.0,
    ],
    ids=["short", "long", "2-D", "wide", "integer", "readonly", "list", "string", "number"],
)
def test_bad_out(out):
    before = np.array(out)
    for name in NAMES:
        with pytest.raises((TypeError, ValueError), match="out"):
            getattr(fc, name)(np.ones(10, np.float32), np.ones(3, np.float32), "full", out=out)
    np.testing.assert_array_equal(out, before)


OFFSETS = [-9, -2, -1, 0, 1, 2, 9]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", "fdDhB?g")
def test_out_over_the_signal(rng, name, dtype):
    for (n, m), offset, step in itertools.product([(30, 5), (200, 9), (5000, 3)], OFFSETS, (1, -1)):
        buffer = ref.small_integers(rng, n + 20, dtype)
        v = ref.small_integers(rng, m, dtype)
        a, out = buffer[10 : 10 + n], buffer[10 + offset : 10 + offset + n][::step]
        want = ref.rounded(name, a.copy(), v, "same")
        getattr(fc, name)(a, v, "same", out=out)
        np.testing.assert_array_equal(out, want)


@pytest.mark.parametrize("dtype", "fDhe")
def test_out_over_an_image(rng, dtype):
    moves = [(0, 0), (1, 0), (-1, 0), (0, 1), (0, -1), (3, -2), (-3, 2)]
    for (down, right), boundary in itertools.product(moves, ref.BOUNDARIES):
        buffer = ref.small_integers(rng, (40, 50), dtype)
        v = ref.small_integers(rng, (3, 5), dtype)
        a, out = buffer[5:35, 5:45], buffer[5 + down : 35 + down, 5 + right : 45 + right]
        want = ref.rounded("correlate", a.copy(), v, "same", boundary=boundary)
        fc.correlate(a, v, "same", boundary=boundary, out=out)
        np.testing.assert_array_equal(out, want)


@pytest.mark.parametrize("dtype", "fdh")
def test_out_over_its_transpose_and_its_mirror(rng, dtype):
    v = ref.small_integers(rng, (3, 3), dtype)
    for view in (np.transpose, np.flipud, np.fliplr, np.rot90):
        a = ref.small_integers(rng, (25, 25), dtype)
        want = ref.rounded("convolve", a.copy(), v, "same")
        out = fc.convolve(a, v, "same", out=view(a))
        np.testing.assert_array_equal(out, want)


@pytest.mark.parametrize("dtype", "fdh")
def test_out_over_the_kernel(rng, dtype):
    for mode in ("full", "same"):
        a, buffer = ref.small_integers(rng, 20, dtype), ref.small_integers(rng, 60, dtype)
        v = buffer[10:17]
        want = ref.rounded("convolve", a, v.copy(), mode)
        out = fc.convolve(a, v, mode, out=buffer[8 : 8 + len(want)])
        np.testing.assert_array_equal(out, want)
    v = ref.small_integers(rng, (4, 30), dtype)  # one kernel per row, and the result as large
    a = ref.small_integers(rng, (4, 30), dtype)
    want = ref.rounded("correlate", a, v.copy(), "same", axes=1)
    np.testing.assert_array_equal(fc.correlate(a, v, "same", axes=1, out=v), want)


def test_both_arguments_and_out_are_one_array(rng):
    x = ref.small_integers(rng, 33, "d")
    want = ref.rounded("convolve", x.copy(), x.copy(), "same")
    np.testing.assert_array_equal(fc.convolve(x, x, "same", out=x), want)


def test_real_and_imaginary_parts_side_by_side(rng):
    z = ref.small_integers(rng, 50, "D")
    v = ref.small_integers(rng, 5, "d")
    want = ref.rounded("convolve", z.real.copy(), v, "same")
    fc.convolve(z.real, v, "same", out=z.imag)
    np.testing.assert_array_equal(z.imag, want)


def test_memory_maps(rng, tmp_path):
    a, v = ref.small_integers(rng, (50, 60), "f"), ref.small_integers(rng, (3, 3), "f")
    np.save(tmp_path / "a.npy", a)
    out = np.lib.format.open_memmap(tmp_path / "y.npy", "w+", np.float32, (50, 60))
    y = fc.convolve(np.load(tmp_path / "a.npy", mmap_mode="r"), v, "same", out=out)
    assert y is out
    ref.check(np.array(np.load(tmp_path / "y.npy")), "convolve", a, v, "same", equal=True)
