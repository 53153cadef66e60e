"""The C API's functions, called through ctypes, against the Python functions and the reference."""

import ctypes as ct
import gc
import itertools
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import reference as ref
from capi_struct import (
    BOUNDARIES,
    DTYPES,
    MODES,
    STATUS,
    Layer,
    Plan,
    Problem,
    api,
    empty,
    integers,
    name,
    output_shape,
    problem,
)

import fastconv as fc
from fastconv import _threads, nn

OK = 0


def values(rng, shape, dtype):
    dtype = np.dtype(dtype)
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        return rng.integers(info.min, info.max, shape, dtype, endpoint=True)
    x = rng.standard_normal(shape)
    return (x + 1j * rng.standard_normal(shape) if dtype.kind == "c" else x).astype(dtype)


def close(y, want, dtype):
    if np.dtype(dtype).kind in "iu":
        np.testing.assert_array_equal(y, want)
    else:
        eps = np.finfo(dtype).eps
        np.testing.assert_allclose(
            y, want, rtol=0, atol=300 * eps * max(1, np.abs(want[np.isfinite(want)]).max(initial=0))
        )


def test_what_the_struct_says():
    assert (api.major, api.minor) == (1, 0)
    assert api.version.decode() == fc.__version__
    assert api.isa().decode() == fc.show_config("dicts")["instruction sets"]["chosen"]
    texts = {api.strerror(-i) for i in range(len(STATUS))}
    assert len(texts) == len(STATUS) and all(texts)
    assert api.strerror(1) == api.strerror(-len(STATUS)) == b"unknown status"


def test_threads():
    before, most = fc.get_num_threads(), 3 if _threads.openmp_version() else 1
    try:
        assert api.set_num_threads(3) == OK
        assert api.get_num_threads() == fc.get_num_threads() == most
        assert name(api.set_num_threads(0)) == "BAD_THREADS"
    finally:
        fc.set_num_threads(before)


# ---- lines ----------------------------------------------------------------------------------------------


def line(correlate, x, w, mode):
    n, m = len(x), len(w)
    y = empty({"full": n + m - 1, "same": max(n, m), "valid": abs(n - m) + 1}[mode], x.dtype)
    function = api.correlate1d if correlate else api.convolve1d
    code = DTYPES[x.dtype.str[1:]]
    assert function(code, x.ctypes.data, n, w.ctypes.data, m, y.ctypes.data, MODES[mode]) == OK
    return y


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("mode", MODES)
def test_lines_are_those_of_numpy(rng, dtype, mode):
    for n, m in itertools.product([1, 2, 3, 5, 16, 17, 100], repeat=2):
        x, w = values(rng, n, dtype), values(rng, m, dtype)
        close(line(False, x, w, mode), np.convolve(x, w, mode), dtype)
        close(line(True, x, w, mode), np.correlate(x, w, mode), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_long_lines(rng, dtype):
    for n, m in [(5000, 40), (40, 5000), (3000, 1000), (1, 4000)]:
        x, w = values(rng, n, dtype), values(rng, m, dtype)
        for mode in MODES:
            close(line(False, x, w, mode), np.convolve(x, w, mode), dtype)


@pytest.mark.parametrize("dtype", ["f4", "f8", "c8", "c16"])
def test_lines_with_values_that_are_not_finite(rng, dtype):
    for bad in (np.inf, -np.inf, np.nan):
        x, w = values(rng, 30, dtype), values(rng, 7, dtype)
        x[11] = bad
        w[2] = bad
        with np.errstate(all="ignore"):
            for mode in MODES:
                want = ref.rounded("convolve", x, w, mode)
                y = line(False, x, w, mode)
                np.testing.assert_array_equal(np.isfinite(y), np.isfinite(want))


# ---- plans ----------------------------------------------------------------------------------------------


def run(x, w, y, **options):
    plan = Plan(problem(x, w, y, **options))
    assert plan.status == OK, name(plan.status)
    assert plan(x, y) == OK
    return y


CASES = [
    ((50,), (7,)),
    ((7,), (50,)),
    ((9, 14), (3, 4)),
    ((3, 4), (9, 14)),
    ((6, 7, 8), (2, 3, 1)),
    ((2, 3, 4, 5), (2, 2, 2, 2)),
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("correlate", [False, True])
def test_plans_compute_what_the_python_functions_do(rng, dtype, correlate):
    function = fc.correlate if correlate else fc.convolve
    cval = values(rng, 1, dtype)
    for (n, m), mode, boundary in itertools.product(CASES, MODES, BOUNDARIES):
        x, w = values(rng, n, dtype), values(rng, m, dtype)
        options = (
            {"boundary": boundary, "cval": cval[0]} if boundary == "constant" else {"boundary": boundary}
        )
        want = function(x, w, mode, **options)
        p = problem(x, w, None, correlate=correlate, mode=mode, boundary=boundary, cval=cval)
        assert output_shape(p) == want.shape
        close(
            run(x, w, empty(want.shape, dtype), correlate=correlate, mode=mode, boundary=boundary, cval=cval),
            want,
            dtype,
        )


@pytest.mark.parametrize("dtype", DTYPES)
def test_plans_for_any_strides(rng, dtype):
    x, w = values(rng, (20, 15, 2), dtype), values(rng, (5, 3), dtype)
    want = fc.convolve(x[::-2, ::-1, 1], w[::-1, ::2], "same", boundary="mirror")
    for order in "CF":
        room = empty((10, 2 * 15), dtype) if order == "C" else empty((2 * 15, 10), dtype).T
        before = room.copy()
        y = room[::-1, 1::2]
        run(x[::-2, ::-1, 1], w[::-1, ::2], y, mode="same", boundary="mirror")
        close(y, want, dtype)
        assert (room[:, ::2].copy().view(np.uint8) == before[:, ::2].copy().view(np.uint8)).all()


@pytest.mark.parametrize("dtype", ["f4", "f8", "c8", "c16"])
@pytest.mark.parametrize(("n", "m"), [((3000,), (400,)), ((90, 100), (20, 30)), ((30, 31, 32), (9, 8, 7))])
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_overlap_save(rng, dtype, n, m, boundary):
    x, w = values(rng, n, dtype), values(rng, m, dtype)
    want = fc.convolve(x, w, "same", boundary=boundary, method="direct")
    y = run(x, w, empty(want.shape, dtype), mode="same", boundary=boundary, method="overlap_save")
    np.testing.assert_allclose(y, want, rtol=0, atol=1e3 * np.finfo(dtype).eps * np.abs(want).max())
    x[tuple(size // 2 for size in n)] = np.nan
    want = fc.convolve(x, w, "same", boundary=boundary, method="direct")
    y = run(x, w, empty(want.shape, dtype), mode="same", boundary=boundary, method="overlap_save")
    np.testing.assert_array_equal(np.isnan(y), np.isnan(want))
    np.testing.assert_allclose(y, want, rtol=0, atol=1e3 * np.finfo(dtype).eps * np.nanmax(np.abs(want)))


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_sums_of_what_is_not_negative_are_not_negative(rng, dtype):
    x, w = np.zeros((60, 70), dtype), np.zeros((20, 21), dtype)
    x[:20, :20], w[3:6, 2:8] = rng.random((20, 20)), rng.random((3, 6))
    y = run(x, w, empty((79, 90), dtype), method="overlap_save")
    assert y.min() == 0
    x *= -1
    assert run(x, w, empty((79, 90), dtype), method="overlap_save").max() > 0  # rounding, left as it is


@pytest.mark.parametrize("dtype", ["f4", "c16"])
def test_infinite_taps_do_not_meet_the_zeros_outside(rng, dtype):
    for n, m in CASES[:4]:
        x, w = values(rng, n, dtype), values(rng, m, dtype)
        w[(0,) * w.ndim] = np.inf
        with np.errstate(all="ignore"):
            want = fc.convolve(x, w, "full", method="direct")
            y = run(x, w, empty(want.shape, dtype))
        np.testing.assert_array_equal(np.isnan(y), np.isnan(want))


def test_threads_and_work_buffers_change_nothing(rng):
    x, w = values(rng, (700, 800), "f4"), values(rng, (9, 9), "f4")
    x_long, w_long = values(rng, 300_000, "f8"), values(rng, 3000, "f8")
    for a, v in [(x, w), (x_long, w_long)]:
        results = []
        for threads in (1, 2, 3, 8):
            plan = Plan(problem(a, v, None, mode="same", threads=threads))
            work = ct.create_string_buffer(plan.bytes + 64)
            for start in (0, 1, 63):
                y = empty(a.shape, a.dtype)
                assert plan(a, y, ct.addressof(work) + start if start < 64 else None) == OK
                results.append(y)
            y = empty(a.shape, a.dtype)
            assert plan(a, y) == OK
            results.append(y)
        for y in results[1:]:
            np.testing.assert_array_equal(y, results[0])


def test_no_byte_beyond_the_work_buffer_is_written(rng):
    for dtype, n, m, method in [
        ("i1", (40, 50), (5, 5), "auto"),
        ("f4", (5000,), (500,), "overlap_save"),
        ("f8", (40, 50), (5, 5), "auto"),
    ]:
        x, w = values(rng, n, dtype), values(rng, m, dtype)
        plan = Plan(problem(x, w, None, mode="same", method=method, threads=2))
        for start in (0, 8, 33):
            work = np.full(plan.bytes + 256, 0x5A, np.uint8)
            y = empty(n, dtype)
            assert plan(x, y, work.ctypes.data + start) == OK
            assert (work[:start] == 0x5A).all() and (work[start + plan.bytes :] == 0x5A).all()


def test_many_threads_execute_one_plan(rng):
    w = values(rng, (25, 25), "f4")
    images = [values(rng, (200, 300), "f4") for _ in range(16)]
    want = [fc.convolve(image, w, "same") for image in images]
    plan = Plan(problem(images[0], w, None, mode="same"))
    barrier = threading.Barrier(8)

    def work(first):
        barrier.wait()
        results = []
        for image in images[first::8]:
            y = empty(image.shape, "f4")
            assert plan(image, y) == OK
            results.append(y)
        return results

    with ThreadPoolExecutor(8) as pool:
        for first, results in enumerate(pool.map(work, range(8))):
            for y, right in zip(results, want[first::8]):
                np.testing.assert_allclose(y, right, rtol=0, atol=1e-4)


def test_apply(rng):
    x, w = values(rng, (30, 40), "f8"), values(rng, (3, 3), "f8")
    y = empty((30, 40), "f8")
    assert api.apply(problem(x, w, y, mode="same", boundary="wrap"), x.ctypes.data, y.ctypes.data) == OK
    close(y, fc.convolve(x, w, "same", boundary="wrap"), "f8")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_separable2d(rng, dtype, boundary):
    x = values(rng, (40, 31), dtype)[:, ::-1]
    for m, n in [(5, 7), (4, 1), (1, 1), (50, 9)]:
        column, row, cval = values(rng, m, dtype), values(rng, n, dtype), values(rng, 1, dtype)
        y = empty((31, 40), dtype).T
        status = api.separable2d(
            DTYPES[dtype], x.ctypes.data, integers(x.shape), integers(x.strides), column.ctypes.data, m,
            row.ctypes.data, n, y.ctypes.data, integers(y.strides), BOUNDARIES[boundary], cval.ctypes.data, 0,
        )  # fmt: skip
        assert status == OK
        options = {"cval": cval[0]} if boundary == "constant" else {}
        taps = np.multiply.outer(column, row)
        want = fc.correlate(x, taps.conj(), "same", boundary=boundary, **options)
        scale = np.abs(want).max() if np.dtype(dtype).kind in "fc" else 1
        close(
            y / scale if np.dtype(dtype).kind in "fc" else y,
            want / scale if np.dtype(dtype).kind in "fc" else want,
            dtype,
        )


# ---- bad input ------------------------------------------------------------------------------------------


def good(rng):
    x, w = values(rng, (6, 7), "f8"), values(rng, (3, 3), "f8")
    return x, w, problem(x, w, None, mode="same", threads=1)


BAD = {
    "operation": (2, -1),
    "dtype": (12, -1),
    "ndim": (0, -1, 33),
    "mode": (3, -1),
    "boundary": (6, -1),
    "method": (3, -1),
    "threads": (-1,),
}


@pytest.mark.parametrize("field", BAD)
def test_fields_that_are_wrong(rng, field):
    for value in BAD[field]:
        _, _, p = good(rng)
        setattr(p, field, value)
        plan = Plan(p)
        assert name(plan.status) == f"BAD_{field.upper()}"
        assert not plan.address.value
        assert name(api.output_shape(p, integers([0, 0]))) == f"BAD_{field.upper()}"


def test_shapes_that_are_wrong(rng):
    for shape in [(0, 7), (6, -1), (2**62, 2), (2**40, 2**40)]:
        for field in ("x_shape", "w_shape"):
            _, _, p = good(rng)
            setattr(p, field, integers(shape))
            assert name(Plan(p).status) == "BAD_SHAPE"
    _x, _w, p = good(rng)
    p.mode, p.w_shape = MODES["valid"], integers((9, 2))
    assert name(Plan(p).status) == "BAD_MODE"


def test_strides_beyond_any_memory(rng):
    for field in ("x_strides", "w_strides", "y_strides"):
        for stride in (-(2**63), 2**63 - 8, 2**60):
            _, _, p = good(rng)
            setattr(p, field, integers((stride, 8)))
            assert name(Plan(p).status) == "BAD_SHAPE"


def test_a_method_that_does_not_suit(rng):
    x, w = values(rng, 100, "i4"), values(rng, 40, "i4")
    assert name(Plan(problem(x, w, None, method="overlap_save")).status) == "BAD_METHOD"


def test_pointers_that_are_null(rng):
    for field in ("x_shape", "w_shape", "w"):
        _, _, p = good(rng)
        setattr(p, field, None)
        assert name(Plan(p).status) == "BAD_POINTER"
    x, _w, p = good(rng)
    assert name(api.plan_create(None, ct.byref(ct.c_void_p()))) == "BAD_POINTER"
    assert name(api.plan_create(p, None)) == "BAD_POINTER"
    assert name(api.output_shape(p, None)) == "BAD_POINTER"
    plan = Plan(p)
    y = empty((6, 7), "f8")
    for arguments in [(None, x, y), (plan.address, None, y), (plan.address, x, None)]:
        places = [a.ctypes.data if isinstance(a, np.ndarray) else a for a in arguments]
        assert name(api.plan_execute(*places, None)) == "BAD_POINTER"
    assert api.plan_work_bytes(None) == 0
    api.plan_destroy(None)
    for i in range(3):
        places = [x.ctypes.data, x.ctypes.data, y.ctypes.data]
        places[i] = None
        assert name(api.convolve1d(1, places[0], 3, places[1], 3, places[2], 0)) == "BAD_POINTER"


def test_addresses_and_strides_that_are_not_aligned(rng):
    x, w, p = good(rng)
    plan = Plan(p)
    y = empty((6, 7), "f8")
    assert name(api.plan_execute(plan.address, x.ctypes.data + 4, y.ctypes.data, None)) == "BAD_ALIGNMENT"
    assert name(api.plan_execute(plan.address, x.ctypes.data, y.ctypes.data + 1, None)) == "BAD_ALIGNMENT"
    for field in ("x_strides", "y_strides"):
        _, _, p = good(rng)
        setattr(p, field, integers((60, 8)))
        assert name(Plan(p).status) == "BAD_ALIGNMENT"
    assert (
        name(api.convolve1d(1, x.ctypes.data + 2, 3, w.ctypes.data, 3, y.ctypes.data, 0)) == "BAD_ALIGNMENT"
    )


def test_outputs_that_overlap_the_input(rng):
    _x, w, p = good(rng)
    room = values(rng, 200, "f8")
    plan = Plan(p)
    assert (
        name(api.plan_execute(plan.address, room.ctypes.data, room.ctypes.data + 8 * 41, None)) == "OVERLAP"
    )
    assert api.plan_execute(plan.address, room.ctypes.data, room.ctypes.data + 8 * 42, None) == OK
    assert (
        name(api.convolve1d(1, room.ctypes.data, 9, w.ctypes.data, 3, room.ctypes.data + 8, 1)) == "OVERLAP"
    )


def test_memory_that_is_not_there():
    p = Problem(0, DTYPES["f4"], 1, 0, 0, METHOD_DIRECT, 1)
    tap = np.ones(1, np.float32)
    p.x_shape, p.w_shape, p.w = integers([1 << 50]), integers([1]), tap.ctypes.data
    plan = Plan(p)
    assert plan.status == OK  # no memory is needed for x
    p.dtype = DTYPES["i1"]
    x = np.zeros(1, np.int8)
    plan = Plan(p)
    assert name(api.plan_execute(plan.address, x.ctypes.data, x.ctypes.data + (1 << 51), None)) == "NO_MEMORY"


METHOD_DIRECT = 1


def test_memory_does_not_grow(rng):
    _, _, p = good(rng)
    tracemalloc.start()
    try:
        held = []
        for _ in range(2):
            for _ in range(2000):
                Plan(p)
            gc.collect()
            held.append(tracemalloc.get_traced_memory()[0])
        assert held[1] - held[0] < 20_000
    finally:
        tracemalloc.stop()


# ---- layers ------------------------------------------------------------------------------------------------


def layer_of(x, w, y, **options):
    layer = Layer(DTYPES[x.dtype.str[1:]], options.pop("groups", 0), options.pop("threads", 0))
    layer.n, layer.c, layer.h, layer.w = x.shape
    layer.o, _, layer.kh, layer.kw = w.shape
    layer.x_strides, layer.weight_strides = integers(x.strides), integers(w.strides)
    layer.y_strides = None if y is None else integers(y.strides)
    for field, numbers in options.items():
        getattr(layer, field)[:] = numbers
    return layer


@pytest.mark.parametrize("dtype", DTYPES)
def test_conv2d(rng, dtype):
    bias = values(rng, 6, dtype)
    for options in [
        {},
        {"stride": (2, 1), "padding": (1, 0, 2, 3)},
        {"dilation": (1, 2), "groups": 2, "padding": (2, 2, 0, 0)},
    ]:
        groups = options.get("groups", 1)
        x, w = (
            values(rng, (2, 9, 4, 11), dtype).transpose(0, 2, 1, 3),
            values(rng, (6, 4 // groups, 3, 3), dtype),
        )
        top, bottom, left, right = options.get("padding", (0, 0, 0, 0))
        arguments = {key: options[key] for key in ("stride", "dilation", "groups") if key in options}
        want = nn.conv2d(x, w, bias, padding=((top, bottom), (left, right)), **arguments)
        y = empty(want.shape, dtype)
        layer = layer_of(x, w, y, **options)
        assert api.conv2d(layer, x.ctypes.data, w.ctypes.data, bias.ctypes.data, y.ctypes.data) == OK
        np.testing.assert_array_equal(y, want)
        plain = nn.conv2d(x, w, padding=((top, bottom), (left, right)), **arguments)
        assert api.conv2d(layer, x.ctypes.data, w.ctypes.data, None, y.ctypes.data) == OK
        np.testing.assert_array_equal(y, plain)


def test_layers_that_are_wrong(rng):
    x, w, y = values(rng, (1, 4, 9, 9), "f4"), values(rng, (6, 4, 3, 3), "f4"), empty((1, 6, 7, 7), "f4")

    def status(**fields):
        layer = layer_of(x, w, y)
        for field, value in fields.items():
            if isinstance(value, tuple):
                getattr(layer, field)[:] = value
            else:
                setattr(layer, field, value)
        return name(api.conv2d(layer, x.ctypes.data, w.ctypes.data, None, y.ctypes.data))

    assert status() == "OK"
    assert status(dtype=12) == "BAD_DTYPE"
    assert status(threads=-1) == "BAD_THREADS"
    assert {status(**{field: 0}) for field in ("n", "c", "h", "w", "o", "kh", "kw")} == {"BAD_SHAPE"}
    assert status(n=1 << 40, h=1 << 40) == "BAD_SHAPE"
    wrong = {
        "groups": (-1, 3),
        "stride": ((-1, 1),),
        "dilation": ((1, -2), (9, 1)),
        "padding": ((-1, 0, 0, 0),),
    }
    assert {status(**{field: value}) for field in wrong for value in wrong[field]} == {"BAD_LAYER"}
    assert status(kh=10) == "BAD_LAYER"
    assert status(x_strides=integers((1296, 324, 36, 3))) == "BAD_ALIGNMENT"
    layer = layer_of(x, w, y)
    assert name(api.conv2d(None, x.ctypes.data, w.ctypes.data, None, y.ctypes.data)) == "BAD_POINTER"
    assert name(api.conv2d(layer, x.ctypes.data, None, None, y.ctypes.data)) == "BAD_POINTER"
    assert name(api.conv2d(layer, x.ctypes.data, w.ctypes.data, None, x.ctypes.data)) == "OVERLAP"
