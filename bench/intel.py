"""Intel IPP and MKL by ctypes: their convolutions, and MKL's transforms.

Found where pip puts the wheels `ipp` and `mkl`, or by the linker, and held to one thread. `vsl_ways` and
`ipp_ways` yield the ways to compute a `Problem` in the mode "full", each ready to be called.
"""

from __future__ import annotations

import ctypes
import math
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from machine import Machine

if TYPE_CHECKING:
    from peers import Problem

Call = Callable[[], Any]

LIBRARIES = Path(sys.prefix, "lib")
DIRECT_PRODUCTS = 5e9  # more would take seconds
IPP_TYPES = {"f": (13, "32f"), "d": (19, "64f"), "F": (14, "32fc"), "D": (20, "64fc")}


def load(name: str) -> ctypes.CDLL:
    """A library of a wheel in this environment, or one that the linker finds."""
    path = LIBRARIES / name
    return ctypes.CDLL(str(path) if path.exists() else name, ctypes.RTLD_GLOBAL)


@cache
def load_mkl() -> ctypes.CDLL:
    mkl = load("libmkl_rt.so.3")
    mkl.MKL_Set_Num_Threads(1)
    return mkl


@cache
def load_ipp(domain: str) -> ctypes.CDLL:
    """The library for this instruction set: IPP's dispatcher ends the process where it does not find one."""
    load("libippcore.so.12")
    if domain == "i":
        load_ipp("s")
    isa = {"x86_v4": "k0", "x86_v3": "l9"}.get(Machine().isa, "y8")
    return load(f"libipp{domain}{isa}.so.12")


def address(a: np.ndarray) -> ctypes.c_void_p:
    return ctypes.c_void_p(a.ctypes.data)


DFTI_TYPES = {"f": (35, 33), "d": (36, 33), "F": (35, 32), "D": (36, 32)}  # precision, domain
TRANSFORMS, STORAGE, PLACEMENT, IN_STRIDES, OUT_STRIDES, IN_DISTANCE, OUT_DISTANCE = 7, 10, 11, 12, 13, 14, 15
COMPLEX_COMPLEX, NOT_INPLACE = 39, 44


def dfti_pair(block: np.ndarray, spectrum: np.ndarray) -> tuple[Call, Call]:
    """MKL's DFTI without the overhead of mkl_fft."""
    mkl = load_mkl()
    precision, domain = DFTI_TYPES[block.dtype.char]

    def check(status: int) -> None:
        if status:
            raise RuntimeError(f"DFTI status {status}")

    def descriptor(source: np.ndarray, target: np.ndarray) -> ctypes.c_void_p:
        handle, n_axes = ctypes.c_void_p(), block.ndim - 1
        lengths = (ctypes.c_long * n_axes)(*block.shape[1:])
        size = ctypes.c_long(lengths[0]) if n_axes == 1 else lengths
        check(mkl.DftiCreateDescriptor(ctypes.byref(handle), precision, domain, ctypes.c_long(n_axes), size))
        settings = {TRANSFORMS: len(block), STORAGE: COMPLEX_COMPLEX, PLACEMENT: NOT_INPLACE}
        for a, distance, strides in ((source, IN_DISTANCE, IN_STRIDES), (target, OUT_DISTANCE, OUT_STRIDES)):
            first, *others = (stride // a.itemsize for stride in a.strides)
            settings[distance] = first
            check(mkl.DftiSetValue(handle, strides, (ctypes.c_long * block.ndim)(0, *others)))
        for name, value in settings.items():
            check(mkl.DftiSetValue(handle, name, ctypes.c_long(value)))
        check(mkl.DftiCommitDescriptor(handle))
        return handle

    there, back = descriptor(block, spectrum), descriptor(spectrum, block)
    of, to = (ctypes.c_void_p(a.ctypes.data) for a in (block, spectrum))
    return lambda: mkl.DftiComputeForward(there, of, to), lambda: mkl.DftiComputeBackward(back, to, of)


def vsl_ways(p: Problem) -> Iterator[tuple[str, Call]]:
    """MKL's VSL convolution of lines, planes and volumes."""
    if p.x.dtype.char not in "fdFD" or p.boundary != "zero" or p.axis is not None:
        return
    mkl, kind, n_axes = load_mkl(), {"f": "s", "d": "d", "F": "c", "D": "z"}[p.x.dtype.char], p.x.ndim
    new_task, execute = getattr(mkl, f"vsl{kind}ConvNewTask"), getattr(mkl, f"vsl{kind}ConvExec")
    sizes = ctypes.c_int * n_axes
    n_out = tuple(n + k - 1 for n, k in zip(p.x.shape, p.h.shape))
    shapes = [sizes(*reversed(shape)) for shape in (p.h.shape, p.x.shape, n_out)]
    strides = [
        sizes(*(math.prod(shape[i + 1 :]) for i in reversed(range(n_axes))))
        for shape in (p.h.shape, p.x.shape, n_out)
    ]
    for name, mode in {"direct": 1, "fft": 2}.items():
        if mode == 1 and p.n_products > DIRECT_PRODUCTS:
            continue
        task = ctypes.c_void_p()
        if new_task(ctypes.byref(task), mode, n_axes, *shapes):
            continue

        def run(task: ctypes.c_void_p = task) -> np.ndarray:
            y = np.empty(n_out, p.x.dtype)
            arrays = (item for pair in zip(map(address, (p.h, p.x, y)), strides) for item in pair)
            if execute(task, *arrays):
                raise RuntimeError("VSL")
            return y

        yield name, run


def ipp_ways(p: Problem) -> Iterator[tuple[str, Call]]:
    """IPP's convolution of real lines and float32 planes, and its FIR filter by FFT."""
    if p.boundary != "zero" or p.mode != "full" or p.x.dtype.char not in IPP_TYPES or p.x.ndim > 2:
        return
    if p.x.ndim == 1 and p.x.dtype.kind == "f":
        yield from ipp_convolve(p)
    if p.x.ndim == 1 or p.axis in (-1, 1):
        yield "FIR", ipp_fir(p)
    if p.axis is None and p.x.ndim == 2 and p.x.dtype.char == "f":
        yield from ipp_planes(p)


def ipp_convolve(p: Problem) -> Iterator[tuple[str, Call]]:
    ipp, n, k = load_ipp("s"), p.x.size, p.h.size
    code, suffix = IPP_TYPES[p.x.dtype.char]
    for name, algorithm in {"direct": 1, "fft": 2}.items():
        size = ctypes.c_int()
        too_long = algorithm == 1 and p.n_products > DIRECT_PRODUCTS
        if too_long or ipp.ippsConvolveGetBufferSize(n, k, code, algorithm, ctypes.byref(size)):
            continue
        work = np.empty(size.value + 64, np.uint8)

        def run(algorithm: int = algorithm, work: np.ndarray = work) -> np.ndarray:
            y = np.empty(n + k - 1, p.x.dtype)
            call = getattr(ipp, f"ippsConvolve_{suffix}")
            call(address(p.x), n, address(p.h), k, address(y), algorithm, address(work))
            return y

        yield name, run


def ipp_fir(p: Problem) -> Call:
    ipp, k = load_ipp("s"), p.h.size
    code, suffix = IPP_TYPES[p.x.dtype.char]
    spec_size, work_size = ctypes.c_int(), ctypes.c_int()
    ipp.ippsFIRSRGetSize(k, code, ctypes.byref(spec_size), ctypes.byref(work_size))
    spec, work = (np.zeros(size.value + 64, np.uint8) for size in (spec_size, work_size))
    call, init = getattr(ipp, f"ippsFIRSR_{suffix}"), getattr(ipp, f"ippsFIRSRInit_{suffix}")
    init(address(p.h), k, 2, address(spec))
    x = p.x.reshape(-1, p.x.shape[-1])
    delay, zeros = np.zeros(k, x.dtype), np.zeros(k, x.dtype)

    def run() -> np.ndarray:
        y = np.empty((len(x), x.shape[1] + k - 1), x.dtype)
        for row, to in zip(x, y):
            call(address(row), address(to), row.size, address(spec), None, address(delay), address(work))
            rest = to[row.size :]
            call(address(zeros), address(rest), k - 1, address(spec), address(delay), None, address(work))
        return y.reshape(*p.x.shape[:-1], -1)

    return run


def ipp_planes(p: Problem) -> Iterator[tuple[str, Call]]:
    class Size(ctypes.Structure):
        _fields_ = (("width", ctypes.c_int), ("height", ctypes.c_int))

    ipp, shapes = load_ipp("i"), [Size(*reversed(a.shape)) for a in (p.x, p.h)]
    n_out = tuple(n + k - 1 for n, k in zip(p.x.shape, p.h.shape))
    for name, algorithm in {"direct": 1, "fft": 2}.items():
        size = ctypes.c_int()
        too_long = algorithm == 1 and p.n_products > DIRECT_PRODUCTS
        if too_long or ipp.ippiConvGetBufferSize(*shapes, 13, 1, algorithm, ctypes.byref(size)):
            continue
        work = np.empty(size.value + 64, np.uint8)

        def run(algorithm: int = algorithm, work: np.ndarray = work) -> np.ndarray:
            y = np.empty(n_out, p.x.dtype)
            x = address(p.x), p.x.strides[0], shapes[0], address(p.h), p.h.strides[0], shapes[1]
            ipp.ippiConv_32f_C1R(*x, address(y), y.strides[0], algorithm, address(work))
            return y

        yield name, run
