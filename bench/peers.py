"""The same convolution in other packages: for a `Problem`, every installed peer that computes exactly that.

A peer may know several ways (direct, FFT, with or without oneDNN); `Peers.best` tries them and keeps the
fastest. What can be prepared once (a flipped kernel, a view as a tensor) is prepared outside the timed call;
the result's allocation is inside. Timing is left to timing.py.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import intel
import numpy as np
from intel import Call
from timing import compare

import fastconv

NDIMAGE = {"zero": "constant", "reflect": "reflect", "mirror": "mirror", "nearest": "nearest", "wrap": "wrap"}


@dataclass(frozen=True)
class Problem:
    """Convolve `x` with `h`: along one `axis`, or along all with an `h` of as many dimensions."""

    x: np.ndarray
    h: np.ndarray
    mode: str = "full"
    boundary: str = "zero"
    axis: int | None = None

    def __str__(self) -> str:
        axis = "" if self.axis is None else f" axis {self.axis}"
        return f"{self.x.dtype} {'×'.join(map(str, self.x.shape))} * {'×'.join(map(str, self.h.shape))}{axis}"

    @property
    def n_products(self) -> float:
        """Multiplications of the definition, those with the boundary's zeros in 'same' included."""
        return float(self.x.size) * self.h.size

    @property
    def kernel(self) -> np.ndarray:
        """`h` with as many dimensions as `x`."""
        if self.axis is None:
            return self.h
        shape = [1] * self.x.ndim
        shape[self.axis] = self.h.size
        return self.h.reshape(shape)

    @property
    def centred(self) -> bool:
        """Whether the output has the size of `x` and every kernel side is odd, where all packages agree."""
        return self.mode == "same" and all(k % 2 for k in self.kernel.shape)


def random(shape: int | tuple[int, ...], dtype: Any) -> np.ndarray:
    """Normal numbers for floats, small integers for integers."""
    rng = np.random.default_rng(0)
    kind = np.dtype(dtype).kind
    if kind == "i":
        return rng.integers(-100, 100, shape).astype(dtype)
    x = rng.standard_normal(shape)
    return (x + 1j * rng.standard_normal(shape) if kind == "c" else x).astype(dtype)


def ours(p: Problem, out: np.ndarray | None = None, method: str = "auto") -> Call:
    options: dict[str, Any] = {"axes": p.axis, "boundary": p.boundary, "out": out, "method": method}
    plain: dict[str, Any] = {"axes": None, "boundary": "zero", "out": None, "method": "auto"}
    options = {name: value for name, value in options.items() if value is not plain[name]}
    return lambda: fastconv.convolve(p.x, p.h, p.mode, **options)


def numpy_ways(p: Problem, threads: int) -> dict[str, Call]:
    if p.x.ndim > 1 or p.boundary != "zero" or (p.mode == "same" and p.h.size > p.x.size):
        return {}
    return {"": lambda: np.convolve(p.x, p.h, p.mode)}  # type: ignore[call-overload]


def scipy_ways(p: Problem, threads: int) -> dict[str, Call]:
    if p.boundary != "zero":
        return {}
    from scipy import fft, signal

    x, h = p.x, p.kernel

    def by(function: Any, **options: Any) -> Call:
        def run() -> Any:
            with fft.set_workers(threads):
                return function(x, h, p.mode, **options)

        return run

    ways = {"direct": by(signal.convolve, method="direct")}
    if p.x.dtype.kind in "fc":
        ways |= {"fft": by(signal.fftconvolve, axes=p.axis), "oa": by(signal.oaconvolve, axes=p.axis)}
    elif p.x.dtype.itemsize < 8:
        ways |= {"fft": by(signal.convolve, method="fft")}
    return ways


def ndimage_ways(p: Problem, threads: int) -> dict[str, Call]:
    if not p.centred or p.x.dtype.kind not in "fc":
        return {}
    from scipy import ndimage

    mode = NDIMAGE[p.boundary]
    if p.axis is not None or p.x.ndim == 1:
        axis = -1 if p.axis is None else p.axis
        return {"": lambda: ndimage.convolve1d(p.x, p.h, axis, mode=mode)}
    return {"": lambda: ndimage.convolve(p.x, p.h, mode=mode)}


def cv2_ways(p: Problem, threads: int) -> dict[str, Call]:
    if not p.centred or p.x.ndim != 2 or p.x.dtype.kind != "f" or p.boundary == "wrap":
        return {}
    import cv2

    borders = {
        "zero": cv2.BORDER_CONSTANT,
        "reflect": cv2.BORDER_REFLECT,
        "mirror": cv2.BORDER_REFLECT_101,
        "nearest": cv2.BORDER_REPLICATE,
    }
    border = borders[p.boundary]
    flipped = np.ascontiguousarray(p.kernel[::-1, ::-1])
    ways: dict[str, Call] = {"filter2D": lambda: cv2.filter2D(p.x, -1, flipped, borderType=border)}
    if p.axis is not None:
        one = np.ones(1, p.x.dtype)
        column, row = (flipped.ravel(), one) if p.axis % 2 == 0 else (one, flipped.ravel())
        ways["sepFilter2D"] = lambda: cv2.sepFilter2D(p.x, -1, row, column, borderType=border)
    return ways


def torch_ways(p: Problem, threads: int) -> dict[str, Call]:
    if p.boundary != "zero" or p.x.dtype.kind not in "fc" or not (p.mode == "full" or p.centred):
        return {}
    import torch
    from torch.nn import functional

    x, h = p.x, p.kernel
    if p.axis is not None and p.axis % p.x.ndim == p.x.ndim - 1:
        x, h = p.x.reshape(-1, 1, p.x.shape[-1]), p.h.reshape(1, 1, -1)  # rows as a batch
    else:
        x, h = x[None, None], h[None, None]
    conv = (functional.conv1d, functional.conv2d, functional.conv3d)[x.ndim - 3]
    spatial = range(2, x.ndim)
    tensor = torch.from_numpy(x)
    weight = torch.from_numpy(np.ascontiguousarray(np.flip(h, tuple(spatial))))
    padding = tuple(h.shape[i] - 1 if p.mode == "full" else h.shape[i] // 2 for i in spatial)

    def default() -> Any:
        with torch.inference_mode():
            return conv(tensor, weight, padding=padding)

    def native() -> Any:
        with torch.backends.mkldnn.flags(enabled=False, allow_tf32=None):
            return default()

    return {"default": default, "native": native}


def ipp_ways(p: Problem, threads: int) -> dict[str, Call]:
    return dict(intel.ipp_ways(p)) if threads == 1 else {}


WAYS = {
    "numpy": ("numpy", numpy_ways),
    "scipy": ("scipy", scipy_ways),
    "ndimage": ("scipy", ndimage_ways),
    "cv2": ("cv2", cv2_ways),
    "torch": ("torch", torch_ways),
    "ipp": ("intel", ipp_ways),
}


class Peers:
    """The installed peers, and what is known of their speed so that hopeless ones are not run for minutes."""

    def __init__(self, patience: float) -> None:
        self.patience = patience
        self.names = [name for name, (module, _) in WAYS.items() if self.installed(module)]
        self.rate: dict[tuple[str, str, int], float] = {}

    @staticmethod
    def installed(module: str) -> bool:
        try:
            import_module(module)
            if module == "intel":
                intel.load_ipp("s")
        except (ImportError, OSError):
            return False
        return True

    def versions(self) -> dict[str, str]:
        """Version of every package compared, ours first."""
        modules = dict.fromkeys(["fastconv", *(WAYS[name][0] for name in self.names)])
        return {module: str(import_module(module).__version__) for module in modules if module != "intel"}

    def best(self, p: Problem, threads: int = 1) -> dict[str, Call]:
        """Every peer's fastest way to the same numbers. Results that differ are reported, and left out."""
        reference = np.asarray(ours(p)())
        found = {}
        for name in self.names:
            ways = {
                way: call
                for way, call in WAYS[name][1](p, threads).items()
                if p.n_products / self.rate.get((name, way, p.x.ndim), np.inf) < self.patience
            }
            if not ways:
                continue
            budget = 1e-3 if len(ways) == 1 else 0.01
            seconds = {way: t.best for way, t in compare(ways, budget=budget, rounds=1).items()}
            for way, t in seconds.items():
                self.rate[name, way, p.x.ndim] = p.n_products / t
            way = min(seconds, key=seconds.__getitem__)
            if agree(reference, np.asarray(ways[way]())):
                found[name] = ways[way]
            else:
                print(f"{name} ({way}) differs from fastconv, left out: {p}")
        return found


def agree(a: np.ndarray, b: np.ndarray) -> bool:
    """The same numbers up to the rounding of the less exact method."""
    b = b.reshape(a.shape)
    if a.dtype.kind in "iu":
        return bool(np.array_equal(a, b))
    return bool(np.max(np.abs(a - b)) <= 1e-4 * np.max(np.abs(a)))


@contextmanager
def thread_limit(threads: int) -> Iterator[None]:
    """Hold fastconv and every peer to `threads` threads."""
    with ExitStack() as stack:
        stack.enter_context(fastconv.threads(threads))
        if "cv2" in sys.modules:
            sys.modules["cv2"].setNumThreads(threads)
        if "torch" in sys.modules:
            sys.modules["torch"].set_num_threads(threads)
        try:
            from threadpoolctl import threadpool_limits
        except ImportError:
            pass
        else:
            stack.enter_context(threadpool_limits(threads, user_api="blas"))
        yield
