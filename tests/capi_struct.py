"""The C API as ctypes sees it: the struct of the capsule, and calls with NumPy arrays, without the GIL."""

import ctypes as ct

import numpy as np

from fastconv import _capi

DTYPES = {name: i for i, name in enumerate("f4 f8 c8 c16 i1 u1 i2 u2 i4 u4 i8 u8".split())}
MODES = {"full": 0, "same": 1, "valid": 2}
BOUNDARIES = {"zero": 0, "constant": 1, "reflect": 2, "mirror": 3, "nearest": 4, "wrap": 5}
METHODS = {"auto": 0, "direct": 1, "overlap_save": 2}
STATUS = (
    "OK NO_MEMORY BAD_POINTER BAD_OPERATION BAD_DTYPE BAD_NDIM BAD_SHAPE BAD_MODE BAD_BOUNDARY BAD_METHOD "
    "BAD_THREADS BAD_ALIGNMENT OVERLAP BAD_LAYER FAILED"
).split()

sizes = ct.POINTER(ct.c_ssize_t)


class Problem(ct.Structure):
    _fields_ = [
        *((name, ct.c_int) for name in "operation dtype ndim mode boundary method threads".split()),
        *((name, sizes) for name in "x_shape w_shape x_strides w_strides y_strides".split()),
        *((name, ct.c_void_p) for name in ("w", "cval")),
    ]


class Layer(ct.Structure):
    _fields_ = [
        *((name, ct.c_int) for name in "dtype groups threads".split()),
        *((name, ct.c_ssize_t) for name in "n c h w o kh kw".split()),
        ("stride", ct.c_ssize_t * 2),
        ("dilation", ct.c_ssize_t * 2),
        ("padding", ct.c_ssize_t * 4),
        *((name, sizes) for name in "x_strides weight_strides y_strides".split()),
    ]


def function(result, *arguments):
    return ct.CFUNCTYPE(result, *arguments)


problem_p, address, size = ct.POINTER(Problem), ct.c_void_p, ct.c_ssize_t
LINE = function(ct.c_int, ct.c_int, address, size, address, size, address, ct.c_int)


class Api(ct.Structure):
    _fields_ = [
        ("major", ct.c_uint32),
        ("minor", ct.c_uint32),
        ("size", ct.c_size_t),
        ("version", ct.c_char_p),
        ("strerror", function(ct.c_char_p, ct.c_int)),
        ("isa", function(ct.c_char_p)),
        ("set_num_threads", function(ct.c_int, ct.c_int)),
        ("get_num_threads", function(ct.c_int)),
        ("output_shape", function(ct.c_int, problem_p, sizes)),
        ("plan_create", function(ct.c_int, problem_p, ct.POINTER(address))),
        ("plan_work_bytes", function(size, address)),
        ("plan_execute", function(ct.c_int, address, address, address, address)),
        ("plan_destroy", function(None, address)),
        ("apply", function(ct.c_int, problem_p, address, address)),
        ("convolve1d", LINE),
        ("correlate1d", LINE),
        (
            "separable2d",
            function(
                ct.c_int, ct.c_int, address, sizes, sizes, address, size, address, size, address, sizes,
                ct.c_int, address, ct.c_int,
            ),
        ),
        ("conv2d", function(ct.c_int, ct.POINTER(Layer), address, address, address, address)),
    ]  # fmt: skip


def capsule(pointer, name=b"fastconv._capi._C_API"):
    new = ct.pythonapi.PyCapsule_New
    new.restype, new.argtypes = ct.py_object, [address, ct.c_char_p, address]
    return new(pointer, name, None)


def struct(of=_capi._C_API):
    get = ct.pythonapi.PyCapsule_GetPointer
    get.restype, get.argtypes = address, [ct.py_object, ct.c_char_p]
    return Api.from_address(get(of, b"fastconv._capi._C_API"))


api = struct()


def integers(values):
    return (ct.c_ssize_t * len(values))(*values)


def name(status):
    return STATUS[-status]


def problem(x, w, y, *, correlate=False, mode="full", boundary="zero", cval=None, method="auto", threads=0):
    """For arrays of any strides; what it points to stays with it."""
    p = Problem(
        int(correlate),
        DTYPES[x.dtype.str[1:]],
        x.ndim,
        MODES[mode],
        BOUNDARIES[boundary],
        METHODS[method],
        threads,
    )
    p.x_shape, p.w_shape = integers(x.shape), integers(w.shape)
    p.x_strides, p.w_strides = integers(x.strides), integers(w.strides)
    p.y_strides = None if y is None else integers(y.strides)
    p.w = w.ctypes.data
    p.cval = None if cval is None else cval.ctypes.data
    p.kept = x, w, y, cval
    return p


def output_shape(p):
    shape = integers([0] * p.ndim)
    status = api.output_shape(p, shape)
    assert status == 0, name(status)
    return tuple(shape)


class Plan:
    def __init__(self, p):
        self.address = address()
        self.status = api.plan_create(p, ct.byref(self.address))
        self.bytes = api.plan_work_bytes(self.address)

    def __call__(self, x, y, work=None):
        return api.plan_execute(self.address, x.ctypes.data, y.ctypes.data, work)

    def __del__(self):
        api.plan_destroy(self.address)


def empty(shape, dtype):
    """Noise, so that what is not written shows."""
    y = np.empty(shape, dtype)
    y.view(np.uint8)[...] = 0xA5
    return y
