"""fastconv.ndimage against scipy.ndimage and OpenCV: complete calls, images mirrored at their edges.

    python bench/bench_ndimage.py [--only gaussian,uniform] [--sizes 512,2048] [--quick] [--json FILE]

A row states the time on one thread, nanoseconds an element, the time over that of a copy of the array (the
results' allocation included in both), the gain of a second thread, and how many times longer each peer takes;
OpenCV also on two threads, against ours on two. A peer whose result differs beyond rounding is reported and
left out. 8-bit images have a row with SciPy's integers (truncated), one with OpenCV's (rounded, saturated).
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from machine import copies
from peers import thread_limit
from timing import Table, compare, human, save

from fastconv import ndimage

try:
    from scipy import ndimage as scipy_ndimage
except ImportError:
    scipy_ndimage = None
try:
    import cv2
except ImportError:
    cv2 = None

Call = Callable[[], Any]
SLOW = 8  # times as long as we: once is enough
PATIENCE = 4  # seconds
LIKE_OPENCV: Any = {"rounding": "nearest", "overflow": "saturate"}


@dataclass(frozen=True)
class Case:
    """One filter of one image, by every package that has it."""

    what: str
    x: np.ndarray
    ours: Call
    scipy: Call | None = None
    opencv: Call | None = None


@dataclass
class Bench:
    quick: bool
    sizes: tuple[int, ...]
    rows: list[dict[str, Any]] = field(default_factory=list)
    rate: dict[tuple[str, ...], float] = field(default_factory=dict)

    def table(self, title: str) -> Table:
        columns = [("filter", 22), ("type", 8), ("x", 11), ("time", 8), ("ns", 6), ("copies", 6), ("gain", 5)]
        return Table(title, [*columns, ("×scipy", 7), ("×opencv", 7), ("×opencv, 2 threads", 18)])

    def measure(self, table: Table, section: str, case: Case) -> None:
        """Time one case by every package, on one thread and on two; print and keep the row."""
        with thread_limit(1):
            slow, peers = self.peers(case)
        one = self.times(case, peers, 1) | slow
        two = self.times(case, {k: v for k, v in peers.items() if k == "opencv"}, 2) if cpus() > 1 else None
        row = {
            "section": section,
            "filter": case.what,
            "dtype": case.x.dtype.name,
            "x": list(case.x.shape),
            "one": one,
            "two": two,
        }
        self.rows.append(row)
        ours = one["ours"]
        table.row(
            case.what,
            case.x.dtype.name,
            "×".join(map(str, case.x.shape)),
            human(ours),
            f"{1e9 * ours / case.x.size:.2f}",
            f"{ours / one['copy']:.1f}",
            two and f"{ours / two['ours']:.2f}",
            *(f"{one[name] / ours:.2f}" if name in one else None for name in ("scipy", "opencv")),
            f"{two['opencv'] / two['ours']:.2f}" if two and "opencv" in two else None,
        )

    def peers(self, case: Case) -> tuple[dict[str, float], dict[str, Call]]:
        """Seconds of peers for whom once is enough; other peers. None that is wrong or takes too long."""
        result, usual = timed(case.ours)
        slow, found = {}, {}
        for name, call in (("scipy", case.scipy), ("opencv", case.opencv)):
            key = (name, case.what, case.x.dtype.name)
            if call is None or self.rate.get(key, 0) * case.x.size > PATIENCE:
                continue
            theirs, seconds = timed(call)
            self.rate[key] = seconds / case.x.size
            if not agree(result, theirs):
                print(f"{name} differs, left out: {case.what} {case.x.dtype} {case.x.shape}")
            elif seconds > SLOW * usual:
                slow[name] = seconds
            else:
                found[name] = call
        return slow, found

    def times(self, case: Case, peers: dict[str, Call], threads: int) -> dict[str, float]:
        """Seconds of ours, of a copy and of the peers."""
        budget, rounds = (0.02, 2) if self.quick else (0.1, 3)
        with thread_limit(threads):
            calls = {"ours": case.ours, **peers} | {f"copy {k}": call for k, call in copies(case.x).items()}
            found = {name: t.best for name, t in compare(calls, budget=budget, rounds=rounds).items()}
        return found | {"copy": min(found[name] for name in found if name.startswith("copy"))}


def timed(call: Call) -> tuple[np.ndarray, float]:
    """The result, and the seconds of the second call, or of the first if it is long."""
    for _ in range(2):
        start = time.perf_counter()
        result = call()
        seconds = time.perf_counter() - start
        if seconds > 0.1:
            break
    return result, seconds


def agree(a: np.ndarray, b: np.ndarray) -> bool:
    """Equal within rounding; OpenCV filters 8-bit images with weights that are rounded to 8 bits."""
    off = np.abs(a.astype(np.float64) - b).max()
    return bool(off <= (2 if a.dtype.kind in "iu" else 1e-4 * np.abs(a).max()))


def cpus() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def image(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    return (255 * np.random.default_rng(0).random(shape)).astype(dtype)


def images(b: Bench) -> Iterator[np.ndarray]:
    for dtype in ("float32", "float64", "uint8"):
        for n in b.sizes:
            yield image((n, n), dtype)


def pair(name: str, *args: Any, **options: Any) -> tuple[Call, Call | None]:
    """A function of ours, and SciPy's of that name."""
    theirs = getattr(scipy_ndimage, name, None)
    return partial(getattr(ndimage, name), *args, **options), theirs and partial(theirs, *args, **options)


def filtered(b: Bench, table: Table, section: str, what: str, opencv: Call | None, *call: Any) -> None:
    """A row, or, for integers, one for each way to round; `call` is a function's name and arguments."""
    ours, scipy = pair(*call, mode="mirror")
    x = call[1]
    if x.dtype.kind == "f":
        b.measure(table, section, Case(what, x, ours, scipy, opencv))
    else:
        b.measure(table, section, Case(f"{what} truncated", x, ours, scipy))
        b.measure(table, section, Case(f"{what} rounded", x, partial(ours, **LIKE_OPENCV), None, opencv))


def gaussian(b: Bench) -> None:
    table = b.table("gaussian_filter")
    for x in images(b):
        for sigma in (1, 3, 10):
            k = 2 * int(4 * sigma + 0.5) + 1
            opencv = partial(cv2.GaussianBlur, x, (k, k), sigma) if cv2 else None
            filtered(b, table, "gaussian", f"σ={sigma}", opencv, "gaussian_filter", x, sigma)


def uniform(b: Bench) -> None:
    table = b.table("uniform_filter")
    for x in images(b):
        for size in (3, 9, 31, 101):
            opencv = partial(cv2.blur, x, (size, size)) if cv2 else None
            filtered(b, table, "uniform", f"{size}²", opencv, "uniform_filter", x, size)


def correlate(b: Bench) -> None:
    table = b.table("correlate, weights of full rank")
    for x in images(b):
        for k in (3, 5, 7, 15, 31):
            w = np.random.default_rng(1).random((k, k)) / k**2
            w = w.astype(x.dtype if x.dtype.kind == "f" else np.float32)
            opencv = partial(cv2.filter2D, x, -1, w) if cv2 else None
            filtered(b, table, "correlate", f"{k}²", opencv, "correlate", x, w)


def derivatives(b: Bench) -> None:
    table = b.table("derivatives, those of 8-bit images in int16")
    for x in images(b):
        to = np.dtype(np.int16 if x.dtype == np.uint8 else x.dtype)
        depth = {"float32": 5, "float64": 6, "int16": 3}[to.name]  # OpenCV's CV_32F, CV_64F, CV_16S
        for name, opencv in (
            ("sobel", partial(cv2.Sobel, x, depth, 1, 0) if cv2 else None),
            ("scharr", partial(cv2.Scharr, x, depth, 1, 0) if cv2 else None),
            ("laplace", partial(cv2.Laplacian, x, depth) if cv2 else None),
        ):
            ours, scipy = pair(name, x, output=to, mode="mirror")
            b.measure(table, "derivatives", Case(name, x, ours, scipy, opencv))
        ours, scipy = pair("gaussian_laplace", x, 2, output=to, mode="mirror")
        b.measure(table, "derivatives", Case("gaussian_laplace σ=2", x, ours, scipy))


def volumes(b: Bench) -> None:
    table = b.table("volumes")
    side = 64 if b.quick else 256
    for dtype in ("float32", "float64", "uint8"):
        x = image((side,) * 3, dtype)
        w = np.random.default_rng(1).random((3, 3, 3)) / 27
        for what, name, *args in (
            ("gaussian σ=2", "gaussian_filter", 2),
            ("uniform 5³", "uniform_filter", 5),
            ("sobel", "sobel"),
            ("laplace", "laplace"),
            ("correlate 3³", "correlate", w),
        ):
            b.measure(table, "volumes", Case(what, x, *pair(str(name), x, *args)))


SECTIONS: dict[str, Callable[[Bench], None]] = {
    "gaussian": gaussian,
    "uniform": uniform,
    "derivatives": derivatives,
    "correlate": correlate,
    "volumes": volumes,
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Time fastconv.ndimage against scipy.ndimage and OpenCV.")
    add = parser.add_argument
    add("--only", default=",".join(SECTIONS), help="sections, comma separated (default: %(default)s)")
    add("--sizes", default="512,2048,4096", help="sides of the images (default: %(default)s)")
    add("--quick", action="store_true", help="shorter timings, smaller volumes")
    add("--json", type=Path, metavar="FILE", help="write the rows there")
    args = parser.parse_args()
    bench = Bench(args.quick, tuple(map(int, args.sizes.split(","))))
    try:
        for section in args.only.split(","):
            if section not in SECTIONS:
                raise SystemExit(f"--only knows {', '.join(SECTIONS)}, not {section!r}")
            SECTIONS[section](bench)
    finally:
        if args.json:
            save(args.json, bench.rows, load=os.getloadavg()[0])


if __name__ == "__main__":
    main()
