"""Arrays that end, or start, where the process may not read: one element too far and it is killed."""

import ctypes
import itertools
import mmap
import os

import numpy as np
import pytest
import reference as ref

import fastconv as fc

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs mprotect")


def walled(x, at_end):
    """A copy of x directly before a page without access, or directly behind one."""
    page = mmap.PAGESIZE
    pages = -(-x.nbytes // page)
    raw = np.frombuffer(mmap.mmap(-1, (pages + 2) * page), np.uint8)
    mprotect = ctypes.CDLL(None).mprotect
    mprotect.argtypes = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
    for wall in (0, pages + 1):
        assert mprotect(raw.ctypes.data + wall * page, page, 0) == 0
    start = (pages + 1) * page - x.nbytes if at_end else page
    y = raw[start : start + x.nbytes].view(x.dtype).reshape(x.shape)
    y[...] = x
    return y


@pytest.mark.parametrize("at_end", [True, False], ids=["before", "behind"])
@pytest.mark.parametrize("dtype", "fdgFDhiqBe")
def test_signals(rng, dtype, at_end):
    for n, m in itertools.product((1, 3, 8, 15, 16, 17, 33, 64, 100, 1000), (1, 2, 3, 5, 9, 17, 40)):
        a, v = (walled(ref.small_integers(rng, k, dtype), at_end) for k in (n, m))
        for mode in ref.MODES:
            want = ref.rounded("convolve", a, v, mode)
            out = walled(np.zeros_like(want), at_end)
            fc.convolve(a, v, mode, out=out)
            np.testing.assert_array_equal(out, want)
            np.testing.assert_array_equal(fc.convolve(a, v, mode), want)


@pytest.mark.parametrize("at_end", [True, False], ids=["before", "behind"])
@pytest.mark.parametrize("dtype", "fdgFDhiqBe")
def test_images(rng, dtype, at_end):
    shapes = ((1, 1), (3, 17), (8, 8), (9, 65), (40, 33))
    for shape, taps in itertools.product(shapes, ((3, 3), (1, 5), (5, 1), (7, 6))):
        a, v = (walled(ref.small_integers(rng, s, dtype), at_end) for s in (shape, taps))
        out = walled(np.zeros_like(a), at_end)
        for boundary in ("zero", "mirror"):
            fc.convolve(a, v, "same", boundary=boundary, out=out)
            ref.check(np.array(out), "convolve", a, v, "same", boundary=boundary, equal=True)


@pytest.mark.parametrize("at_end", [True, False], ids=["before", "behind"])
@pytest.mark.parametrize("dtype", "fdh")
def test_rows_and_columns(rng, dtype, at_end):
    for axis, shape in itertools.product((0, 1), ((5, 70), (70, 5), (33, 33))):
        a, v = walled(ref.small_integers(rng, shape, dtype), at_end), ref.small_integers(rng, 4, dtype)
        ref.check(fc.convolve(a, v, "same", axes=axis), "convolve", a, v, "same", axes=axis, equal=True)
