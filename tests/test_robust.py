"""What no method may stumble over: huge and tiny values, 2^31 elements, shared memory, Ctrl-C, many calls.

Every method is tried on a problem that suits it. The truth is the direct sum, which other files check.
"""

import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from test_threads import needs_sigint, run

import fastconv as fc
from fastconv import _methods
from fastconv._problem import Window

METHODS = [name for name in _methods.NAMES if name != "auto"]
FLOATS = [name for name in METHODS if name != "exact"]
ANY_SCALE = [name for name in FLOATS if name != "separable"]  # whose factors are sought from 1e-150 to 1e150
HUGE = os.environ.get("FASTCONV_TEST_HUGE", "") not in ("", "0")
N = 2**31


def operands(rng, method, dtype="d"):
    """A signal and a kernel that suit the method; the kernel is short beside the signal."""
    shape, taps = ((70, 60), (9, 8)) if method == "separable" else ((5000,), (90,))
    a, v = rng.standard_normal(shape), rng.standard_normal(taps)
    if method == "separable":
        v = np.outer(v[:, 0], v[0])
    if method == "sparse":
        v[np.arange(90) % 30 > 0] = 0
    kind = np.dtype(dtype).kind
    if kind == "c":
        a, v = a + 1j * a[::-1], v * (1 + 1j)
    scale = 100 if kind == "i" else 1
    return (scale * a).astype(dtype), (scale * v).astype(dtype)


def dtype_of(method):
    return "q" if method == "exact" else "d"


def compare(a, v, method, mode="same"):
    """Outputs that are finite in the direct sum differ by rounding, in units of the largest; others agree."""
    with np.errstate(all="ignore"):
        y, want = (fc.convolve(a, v, mode, method=m) for m in (method, "direct"))
    finite = np.isfinite(want)
    np.testing.assert_array_equal(np.isfinite(y), finite)
    np.testing.assert_array_equal(y[~finite], want[~finite])
    info = np.finfo(y.dtype)
    norms = [float(np.abs(x).max()) * x.size**0.5 for x in (a, v)]
    allowed = 20 * float(info.eps) * norms[0] * norms[1] + 4 * v.size * float(info.smallest_subnormal)
    assert np.abs(y[finite] / 4 - want[finite] / 4).max(initial=0) <= allowed / 4


# ---- huge and tiny ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", FLOATS)
@pytest.mark.parametrize(("dtype", "power"), [("d", 150), ("f", 18), ("D", 150), ("F", 18)])
def test_huge_values(rng, method, dtype, power):
    a, v = operands(rng, method, dtype)
    one = v.dtype.type
    for i, j in ((power, power), (2 * power, -power), (-power, 2 * power), (2 * power, 0), (0, 2 * power)):
        if method == "separable":  # factors are sought for kernels within 1e-150 ... 1e150
            j //= 3
        compare(a * one(10.0**i), v * one(10.0**j), method)


@pytest.mark.parametrize("method", FLOATS)
@pytest.mark.parametrize("dtype", "fdFD")
def test_sums_close_to_the_largest_number(rng, method, dtype):
    """A transform's intermediate sums are larger than the outputs."""
    a, v = operands(rng, method, dtype)
    top = np.abs(fc.convolve(a, v, method="direct")).max()
    one, most = v.dtype.type, np.finfo(dtype).max
    for share in (0.9, 0.1, 1e-3, 1e-5):
        scaled = [(a * one(most / top * share), v)]
        if method != "separable" or dtype in "fF":  # factors are sought for kernels within 1e-150 ... 1e150
            scaled.append((a, v * one(most / top * share)))
        for x, w in scaled:
            with np.errstate(all="ignore"):
                y, want = (fc.convolve(x, w, "same", method=m) for m in (method, "direct"))
            np.testing.assert_array_equal(np.isfinite(y), np.isfinite(want))
            np.testing.assert_allclose(y / most, want / most, atol=1e-3 if dtype in "fF" else 1e-12)


@pytest.mark.parametrize("method", ANY_SCALE)
@pytest.mark.parametrize("dtype", "fdFD")
def test_some_sums_beyond_the_largest_number(rng, method, dtype):
    """Those that are finite in the direct sum are so by every method.

    By sums in another order, those whose every partial sum is.
    """
    a, v = operands(rng, method, dtype)
    sizes = fc.convolve(*(np.abs(part.real) + np.abs(part.imag) for part in (a, v)), "same", method="direct")
    top, most = np.abs(fc.convolve(a, v, method="direct")).max(), np.finfo(dtype).max
    for share in (1.3, 1.7, 2.5):
        w = v * v.dtype.type(most / top * share)
        with np.errstate(all="ignore"):
            y, want = (fc.convolve(a, w, "same", method=m) for m in (method, "direct"))
        finite = np.isfinite(want)
        if method == "sparse":
            finite &= sizes * (share / top) < 1
        assert finite.any() and not finite.all()
        assert np.isfinite(y[finite]).all()
        atol = 1e-3 if dtype in "fF" else 1e-12
        np.testing.assert_allclose(y[finite] / most, want[finite] / most, atol=atol)


@pytest.mark.parametrize("method", FLOATS)
@pytest.mark.parametrize("dtype", "fdFD")
def test_one_huge_value_among_others(rng, method, dtype):
    a, v = operands(rng, method, dtype)
    a[a.shape[0] // 2] *= np.finfo(dtype).max / 1e4
    compare(a, v, method)
    if method != "separable":  # whose partial sums are others: where a direct one overflows, it may be finite
        v[3] *= 1e3
        compare(a, v, method)


@pytest.mark.parametrize("method", ANY_SCALE)
@pytest.mark.parametrize("dtype", "fdFD")
def test_subnormal_values(rng, method, dtype):
    a, v = operands(rng, method, dtype)
    one, tiny = v.dtype.type, np.finfo(dtype).smallest_normal
    for scale in (1, 2.0**-5, 2.0**-15):
        compare(a * one(tiny * scale), v, method)
        compare(a, v * one(tiny * scale), method)
        compare(a * one(tiny**0.5 * scale), v * one(tiny**0.5), method)
    with np.errstate(all="ignore"):
        none = fc.convolve(a * one(tiny), v * one(tiny), method=method)
    assert not none.any()


# ---- 2^31 elements ----------------------------------------------------------------------------------------
# Zeros from the allocator are pages that take no memory before they are written. A window of the output is
# enough to see that no index was cut to 32 bits.


def far_signal(dtype, size):
    """Zeros but for the places next to element 2^31, and the last ones."""
    try:
        a = np.zeros(size, dtype)
    except MemoryError:
        pytest.skip("no address space")
    a[N - 8 : N + 8] = np.arange(1, 17)
    a[-8:] = np.arange(1, 9)
    return a


@pytest.mark.parametrize("dtype", ["i1", "?", "i2", "f4"])
def test_windows_beyond_2_31(dtype):
    v = np.array([1, 0, 2, 1, 1], dtype)
    for step in (1, -1):
        a = far_signal(dtype, N + 100)[::step]
        for start in (0, 90, N - 20, N + 60):
            y = fc.convolve(a, v, Window((start,), (40,)))
            part = a[max(0, start - 4) : start + 40]
            np.testing.assert_array_equal(y, np.convolve(part, v)[min(start, 4) :][:40])


@pytest.mark.parametrize("method", [name for name in ("overlap_save", "sparse") if name in METHODS])
def test_transformed_windows_beyond_2_31(rng, method):
    a, v = far_signal("f4", N + 1000), rng.standard_normal(100).astype("f4")
    v[np.arange(100) % 20 > 0] = 0
    for start in (N - 200, N + 500):
        y = fc.convolve(a, v, Window((start,), (400,)), method=method)
        np.testing.assert_allclose(y, np.convolve(a[start - 99 : start + 400], v, "valid"), atol=1e-3)


@pytest.mark.parametrize("method", [name for name in FLOATS if name != "separable"])
def test_more_than_2_31_elements_in_rows(rng, method):
    """One row in memory, seen 2^16 times; one output of each."""
    row, v = (x.astype("f4") for x in operands(rng, method))
    row = np.resize(row, N // 2**12 + 1)
    a = np.broadcast_to(row, (2**12, row.size))
    y = fc.convolve(a, v, Window((row.size - 5,), (2,)), axes=1, method=method)
    want = np.convolve(row[-200:], v)[195:197]
    np.testing.assert_allclose(y, np.broadcast_to(want, y.shape), atol=1e-3)


if HUGE:  # 5 GB, and minutes

    @pytest.mark.parametrize("shape", [(N + 100,), (2, N // 2 + 50), (N // 2 + 50, 2)], ids=str)
    def test_more_than_2_31_outputs(shape):
        a, v = np.zeros(shape, "i1"), np.array([1, -2, 3], "i1")
        spots = [np.unravel_index(i, shape) for i in (5, 1000, N - 9, N, N + 90)]
        for spot in spots:
            a[spot] = 7
        axis = int(np.argmax(shape))
        y = fc.convolve(a, v, "same", axes=axis)
        assert np.count_nonzero(y) == 3 * len(spots)
        for spot in spots:
            around = tuple(slice(i - 1, i + 2) if k == axis else i for k, i in enumerate(spot))
            assert y[around].tolist() == [7, -14, 21]


# ---- memory that is shared --------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_out_overlaps_the_signal(rng, method):
    a, v = operands(rng, method, dtype_of(method))
    want = fc.convolve(a, v, "same", method=method)

    def check(y):
        np.testing.assert_allclose(y, want, rtol=0, atol=1e-11 * np.abs(want).max())

    itself = a.copy()
    assert fc.convolve(itself, v, "same", method=method, out=itself) is itself
    check(itself)
    for shift in (1, 7, 40):
        for first, second in ((0, shift), (shift, 0)):
            memory = np.zeros((len(a) + shift, *a.shape[1:]), a.dtype)
            x, y = (memory[start : start + len(a)] for start in (first, second))
            x[...] = a
            fc.convolve(x, v, "same", method=method, out=y)
            check(y)
    memory = a.copy()
    fc.convolve(memory, v, "same", method=method, out=memory[::-1])
    check(memory[::-1])


@pytest.mark.parametrize("method", METHODS)
def test_out_overlaps_the_kernel(rng, method):
    a, v = operands(rng, method, dtype_of(method))
    want = fc.convolve(a, v, "same", method=method)
    memory = np.zeros_like(a)
    kernel = memory[tuple(map(slice, v.shape))]
    kernel[...] = v
    fc.convolve(a, kernel, "same", method=method, out=memory)
    np.testing.assert_array_equal(memory, want)


@pytest.mark.parametrize("method", METHODS)
def test_the_operands_stay_as_they_were(rng, method):
    a, v = operands(rng, method, dtype_of(method))
    before = a.tobytes(), v.tobytes()
    a.flags.writeable = v.flags.writeable = False
    for name, boundary in (("convolve", "zero"), ("correlate", "mirror"), ("convolve", "wrap")):
        getattr(fc, name)(a, v, "same", boundary=boundary, axes=None, method=method)
    assert (a.tobytes(), v.tobytes()) == before


# ---- words ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", "FFT", "direct ", "Direct", "overlap-save", "auto\0", "naïve"])
def test_unknown_methods(name):
    for function in (fc.convolve, fc.correlate):
        with pytest.raises(ValueError, match=r"method must be .*direct"):
            function(np.ones(5), np.ones(3), method=name)


@pytest.mark.parametrize("name", [b"fft", 1, True, None, ["fft"], ("fft",), {}, np.array("fft"), 1.5])
def test_methods_that_are_no_words(name):
    for n in (5, 5000):
        with pytest.raises(TypeError, match="method must be"):
            fc.convolve(np.ones(n), np.ones(3), method=name)


# ---- Ctrl-C -----------------------------------------------------------------------------------------------

LONG = {  # each takes many seconds where it is not stopped
    "direct": "np.ones(20_000_000), np.ones(20_000)",
    "overlap_save": "np.broadcast_to(np.ones(1 << 20), (500, 1 << 20)), np.ones(200_000), 'valid', axes=1,"
    " out=np.empty((500, (1 << 20) - 199_999))",
    "fft": "np.broadcast_to(np.ones(1 << 20), (500, 1 << 20)), np.ones(1 << 20), 'valid', axes=1",
    "separable": "np.broadcast_to(np.ones(20_000), (20_000, 20_000)), np.ones((301, 301)), 'valid'",
    "sparse": "np.ones(20_000_000), np.tile(np.eye(1, 10).ravel(), 4000)",
    "exact": "np.broadcast_to(np.ones(100_000, int), (3000, 100_000)), np.ones(50_000, int), 'same', axes=1",
}


@needs_sigint
@pytest.mark.parametrize("method", METHODS)
def test_ctrl_c_stops_every_method(method, rng):
    program = f"""
        import os, signal, threading, time
        import numpy as np
        import fastconv as fc

        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores it in the background
        pressed = None

        def interrupt():
            global pressed
            time.sleep(0.4)
            pressed = time.monotonic()
            os.kill(os.getpid(), signal.SIGINT)

        x, h = np.arange(5000.0) % 7, np.arange(900.0)
        before = fc.convolve(x, h, workers=2)
        threading.Thread(target=interrupt).start()
        try:
            fc.convolve({LONG[method]}, method={method!r}, workers=2)
        except KeyboardInterrupt:
            print(time.monotonic() - pressed)
        assert np.array_equal(fc.convolve(x, h, workers=2), before)
    """
    assert float(run(program)) < 3


# ---- many calls -------------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc/self/status")
@pytest.mark.parametrize("method", METHODS)
def test_memory_is_steady(method):
    """Neither a thousand calls of one size nor calls of many sizes let the process grow."""
    program = f"""
        import sys
        import numpy as np
        import fastconv as fc
        sys.path.insert(0, {os.path.dirname(__file__)!r})
        from test_robust import operands

        def resident():
            with open("/proc/self/status") as status:
                return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))

        a, v = operands(np.random.default_rng(1), {method!r}, {dtype_of(method)!r})

        def calls(count):
            for i in range(count):
                fc.convolve(a, v, method={method!r}, workers=1 + i % 2)
                n = 200 + 37 * i % 4000
                fc.convolve(a[:n], v, method={method!r}, workers=1)

        calls(200)
        before = resident()
        calls(800)
        print(resident() - before)
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout) < 4096
