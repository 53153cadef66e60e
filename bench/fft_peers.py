"""Peers for large kernels: overlap-save by hand with any FFT library, SciPy, and Intel's of intel.py.

An FFT library is a function (block, spectrum) -> (forward, inverse): two calls that transform the array
`block`, along all axes but the first, into `spectrum` and back, without scaling. A peer is a generator of
ways to compute a problem, from small blocks to large ones; which is the fastest is for the caller to
measure. Peers have it easier than we: plans, buffers and the zeros around the signal are there before the
timed call. The kernel's spectrum and the allocation of the result are inside.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from importlib import import_module

import numpy as np
from intel import DIRECT_PRODUCTS, Call, dfti_pair, ipp_ways, load_ipp, load_mkl, vsl_ways
from peers import Problem

Library = Callable[[np.ndarray, np.ndarray], tuple[Call, Call]]

CHUNK_BYTES = 1 << 17  # blocks that are transformed at once, beside which spectra and kernel stay in L2
LEAST_BLOCK = 1024
BLOCK_SIDES = (128, 256, 512, 1024)  # of tiles in two dimensions


# ---- FFT libraries ----------------------------------------------------------------------------------------


def numpy_pair(block: np.ndarray, spectrum: np.ndarray, package: str = "numpy.fft") -> tuple[Call, Call]:
    fft, axes, shape = import_module(package), tuple(range(1, block.ndim)), block.shape[1:]
    kind = "" if block.dtype.kind == "c" else "r"
    forward, inverse = getattr(fft, f"{kind}fftn"), getattr(fft, f"i{kind}fftn")
    return (
        lambda: forward(block, axes=axes, out=spectrum),
        lambda: inverse(spectrum, shape, axes, norm="forward", out=block),
    )


def mkl_fft_pair(block: np.ndarray, spectrum: np.ndarray) -> tuple[Call, Call]:
    return numpy_pair(block, spectrum, "mkl_fft")


def ducc0_pair(block: np.ndarray, spectrum: np.ndarray) -> tuple[Call, Call]:
    from ducc0 import fft

    axes, last = tuple(range(1, block.ndim)), block.shape[-1]
    if block.dtype.kind == "c":
        return (
            lambda: fft.c2c(block, axes, out=spectrum),
            lambda: fft.c2c(spectrum, axes, False, out=block),
        )
    return (
        lambda: fft.r2c(block, axes, out=spectrum),
        lambda: fft.c2r(spectrum, axes, last, False, out=block, allow_overwriting_input=True),
    )


def pyfftw_pair(block: np.ndarray, spectrum: np.ndarray) -> tuple[Call, Call]:
    import pyfftw

    flags = ("FFTW_MEASURE", "FFTW_DESTROY_INPUT")
    options = {"axes": tuple(range(1, block.ndim)), "flags": flags, "planning_timelimit": 0.1}
    forward = pyfftw.FFTW(block, spectrum, **options)
    inverse = pyfftw.FFTW(spectrum, block, direction="FFTW_BACKWARD", **options)
    return forward.execute, inverse.execute


# ---- by hand ----------------------------------------------------------------------------------------------


def overlap_save(library: Library, p: Problem, block: tuple[int, ...]) -> Call:
    """The full convolution by blocks of so many elements; in one transform where that holds the result."""
    n_axes, kernel = len(block), p.h
    x = p.x[None] if p.axis is None else np.moveaxis(p.x, p.axis, -1)
    n_out = tuple(n + k - 1 for n, k in zip(x.shape[1:], kernel.shape))
    whole = all(b >= n for b, n in zip(block, n_out))
    lead = tuple(0 if whole else k - 1 for k in kernel.shape)  # outputs of a block that are not valid
    step = tuple(b - j for b, j in zip(block, lead))
    count = tuple(-(-n // s) for n, s in zip(n_out, step))

    padded = np.zeros((len(x), *(c * s + j for c, s, j in zip(count, step, lead))), x.dtype)
    padded[(slice(None), *(slice(j, j + n) for j, n in zip(lead, x.shape[1:])))] = x
    shifts = (s * stride for s, stride in zip(step, padded.strides[1:]))
    blocks = np.lib.stride_tricks.as_strided(
        padded, (len(x), *count, *block), (padded.strides[0], *shifts, *padded.strides[1:])
    )
    along = 0 if len(x) > 1 else n_axes  # the axis of `blocks` of which several are transformed at once
    chunk = min(blocks.shape[along], max(1, CHUNK_BYTES // (math.prod(block) * x.itemsize)))
    buffer = np.zeros((chunk, *block), x.dtype)
    half = block if x.dtype.kind == "c" else (*block[:-1], block[-1] // 2 + 1)
    spectrum = np.zeros((chunk, *half), np.result_type(x.dtype, np.complex64))
    forward, inverse = library(buffer, spectrum)
    valid = buffer[(slice(None), *(slice(j, None) for j in lead))]
    scale = x.dtype.type(1 / math.prod(block)).real
    places = [
        (*index[:along], slice(first, first + chunk), *index[along:])
        for index in np.ndindex(*blocks.shape[:along], *blocks.shape[along + 1 : n_axes + 1])
        for first in range(0, blocks.shape[along], chunk)
    ]

    def run() -> np.ndarray:
        buffer.fill(0)
        buffer[(0, *map(slice, kernel.shape))] = kernel
        forward()
        h = spectrum[0] * scale
        y = np.empty((len(x), *(c * s for c, s in zip(count, step))), x.dtype)
        parts = y.reshape(len(x), *(size for pair in zip(count, step) for size in pair))
        parts = parts.transpose(0, *range(1, 2 * n_axes, 2), *range(2, 2 * n_axes + 1, 2))
        for place in places:
            source, target = blocks[place], parts[place]
            buffer[: len(source)] = source
            forward()
            np.multiply(spectrum, h, out=spectrum)
            inverse()
            target[...] = valid[: len(source)]
        y = y[(slice(None), *map(slice, n_out))]
        return y[0] if p.axis is None else np.moveaxis(y, -1, p.axis)

    return run


def circular(library: Library, p: Problem) -> Call:
    """Transforms of exactly the length of two equally long lines."""
    n = p.x.size
    buffer = np.zeros((1, n), p.x.dtype)
    spectrum = np.zeros((1, n if p.x.dtype.kind == "c" else n // 2 + 1), np.result_type(p.x, np.complex64))
    forward, inverse = library(buffer, spectrum)
    kernel = np.roll(p.h, -((n - 1) // 2))
    scale = p.x.dtype.type(1 / n).real

    def run() -> np.ndarray:
        buffer[0] = kernel
        forward()
        h = spectrum * scale
        buffer[0] = p.x
        forward()
        np.multiply(spectrum, h, out=spectrum)
        inverse()
        return buffer[0].copy()

    return run


def block_sizes(p: Problem) -> Iterator[tuple[int, ...]]:
    """What may be the best: some powers of 2, and a whole transform of a size without large factors."""
    from scipy.fft import next_fast_len

    n = p.x.shape if p.axis is None else (p.x.shape[p.axis],)
    n_out = tuple(i + k - 1 for i, k in zip(n, p.h.shape))
    k = max(p.h.shape)
    if len(n) == 1:
        least = max(LEAST_BLOCK, 2 << k.bit_length())
        yield from ((b,) for b in (least, 4 * least, 16 * least) if b < n_out[0])
    elif len(n) == 2:
        yield from ((b, b) for b in BLOCK_SIDES if 3 * k // 2 <= b < max(n_out))
    if p.axis is None and (math.prod(n_out) <= 32 * LEAST_BLOCK or len(n) > 1 or 64 * k > n[0]):
        yield tuple(next_fast_len(size, real=True) for size in n_out)


def by_hand(library: Library) -> Callable[[Problem], Iterator[tuple[str, Call]]]:
    def ways(p: Problem) -> Iterator[tuple[str, Call]]:
        if p.x.dtype.kind not in "fc":
            return
        if p.boundary == "wrap":
            yield "circular", circular(library, p)
            return
        for block in block_sizes(p):
            yield "×".join(map(str, block)), overlap_save(library, p, block)

    return ways


# ---- SciPy, and the list ----------------------------------------------------------------------------------


def scipy_ways(p: Problem) -> Iterator[tuple[str, Call]]:
    from scipy import signal

    if p.boundary == "wrap":
        yield "fftconvolve, folded", lambda: folded(p, signal.fftconvolve(p.x, p.h))
        return
    if p.x.ndim == 1 and p.n_products < DIRECT_PRODUCTS:
        yield "direct", lambda: signal.convolve(p.x, p.h, method="direct")
    if p.x.dtype.kind in "fc":
        yield "oaconvolve", lambda: signal.oaconvolve(p.x, p.kernel, axes=p.axis)
        yield "fftconvolve", lambda: signal.fftconvolve(p.x, p.kernel, axes=p.axis)


def folded(p: Problem, full: np.ndarray) -> np.ndarray:
    n = p.x.size
    full[: n - 1] += full[n:]
    return np.roll(full[:n], -((n - 1) // 2))


PEERS: dict[str, tuple[Callable[[], object], Callable[[Problem], Iterator[tuple[str, Call]]]]] = {
    "scipy": (lambda: import_module("scipy.signal"), scipy_ways),
    "numpy": (lambda: import_module("numpy.fft"), by_hand(numpy_pair)),
    "mkl_fft": (lambda: import_module("mkl_fft"), by_hand(mkl_fft_pair)),
    "dfti": (load_mkl, by_hand(dfti_pair)),
    "vsl": (load_mkl, vsl_ways),
    "ipp": (lambda: load_ipp("i"), ipp_ways),
    "pyfftw": (lambda: import_module("pyfftw"), by_hand(pyfftw_pair)),
    "ducc0": (lambda: import_module("ducc0"), by_hand(ducc0_pair)),
}


def installed() -> Iterator[str]:
    for name, (find, _) in PEERS.items():
        try:
            find()
        except (ImportError, OSError):
            continue
        yield name
