"""Filters of images in Intel IPP by ctypes: box, Gaussian, any weights, Sobel, all with edges repeated.

Each function returns a call that computes one result into a new array, or None where IPP has no such filter.
Specifications and buffers are prepared outside the call.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np
from intel import address, load_ipp

Call = Callable[[], Any]

TYPES = {"uint8": (1, "8u"), "uint16": (5, "16u"), "int16": (7, "16s"), "float32": (13, "32f")}
REPEATED, NEAREST, MASK_3 = 1, 2, 33  # ippBorderRepl, ippRndFinancial, ippMskSize3x3
PIXELS = {"8u": ctypes.c_uint8, "16u": ctypes.c_uint16, "16s": ctypes.c_int16, "32f": ctypes.c_float}


class Size(ctypes.Structure):
    _fields_ = (("width", ctypes.c_int), ("height", ctypes.c_int))


def size_of(a: np.ndarray) -> Size:
    return Size(a.shape[1], a.shape[0])


def memory(size: ctypes.c_int) -> np.ndarray:
    return np.zeros(size.value + 64, np.uint8)


def ready(call: Callable[[np.ndarray], int], like: np.ndarray) -> Call | None:
    """The call with a new array for its result, if it can be done."""
    if call(np.empty_like(like)):
        return None

    def run() -> np.ndarray:
        y = np.empty_like(like)
        call(y)
        return y

    return run


def box(x: np.ndarray, k: int) -> Call | None:
    if x.dtype.name not in TYPES:
        return None
    ipp, (code, suffix) = load_ipp("i"), TYPES[x.dtype.name]
    roi, mask, size = size_of(x), Size(k, k), ctypes.c_int()
    if ipp.ippiFilterBoxBorderGetBufferSize(roi, mask, code, 1, ctypes.byref(size)):
        return None
    work, step, run = memory(size), x.strides[0], getattr(ipp, f"ippiFilterBoxBorder_{suffix}_C1R")
    return ready(
        lambda y: run(address(x), step, address(y), step, roi, mask, REPEATED, None, address(work)), x
    )


def weights(x: np.ndarray, w: np.ndarray) -> Call | None:
    """Correlation with weights of float32."""
    if x.dtype.name not in ("uint8", "float32"):
        return None
    ipp, (code, suffix) = load_ipp("i"), TYPES[x.dtype.name]
    w = np.ascontiguousarray(w, np.float32)
    roi, mask, spec_size, work_size = size_of(x), size_of(w), ctypes.c_int(), ctypes.c_int()
    sizes = ctypes.byref(spec_size), ctypes.byref(work_size)
    if ipp.ippiFilterBorderGetSize(mask, roi, code, 13, 1, *sizes):
        return None
    spec, work = memory(spec_size), memory(work_size)
    if ipp.ippiFilterBorderInit_32f(address(w), mask, code, 1, NEAREST, address(spec)):
        return None
    run, step = getattr(ipp, f"ippiFilterBorder_{suffix}_C1R"), x.strides[0]
    return ready(
        lambda y: run(address(x), step, address(y), step, roi, REPEATED, None, address(spec), address(work)),
        x,
    )


def sobel(x: np.ndarray, to: np.dtype[Any]) -> Call | None:
    """The derivative across columns."""
    pairs = {("float32", "float32"): "32f", ("uint8", "int16"): "8u16s"}
    suffix = pairs.get((x.dtype.name, to.name))
    if suffix is None:
        return None
    ipp, roi, size = load_ipp("i"), size_of(x), ctypes.c_int()
    codes = TYPES[x.dtype.name][0], TYPES[to.name][0]
    if ipp.ippiFilterSobelNegVertBorderGetBufferSize(roi, MASK_3, *codes, 1, ctypes.byref(size)):
        return None
    work, run = memory(size), getattr(ipp, f"ippiFilterSobelNegVertBorder_{suffix}_C1R")
    outside = PIXELS[TYPES[x.dtype.name][1]](0)

    def into(y: np.ndarray) -> int:
        steps = address(x), x.strides[0], address(y), y.strides[0]
        return int(run(*steps, roi, MASK_3, REPEATED, outside, address(work)))

    return ready(into, np.empty(x.shape, to))


def gaussian(x: np.ndarray, k: int, sigma: float) -> Call | None:
    if x.dtype.name not in TYPES:
        return None
    load_ipp("i")
    ipp, (code, suffix) = load_ipp("cv"), TYPES[x.dtype.name]
    roi, spec_size, work_size = size_of(x), ctypes.c_int(), ctypes.c_int()
    sizes = ctypes.byref(spec_size), ctypes.byref(work_size)
    if ipp.ippiFilterGaussianGetBufferSize(roi, k, code, 1, *sizes):
        return None
    spec, work = memory(spec_size), memory(work_size)
    how = roi, k, ctypes.c_float(sigma), REPEATED, code, 1
    if ipp.ippiFilterGaussianInit(*how, address(spec), address(work)):
        return None
    run, step = getattr(ipp, f"ippiFilterGaussianBorder_{suffix}_C1R"), x.strides[0]
    outside = PIXELS[suffix](0)
    return ready(
        lambda y: run(address(x), step, address(y), step, roi, outside, address(spec), address(work)), x
    )
