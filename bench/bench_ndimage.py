"""fastconv.ndimage against scipy.ndimage, OpenCV and Intel IPP: complete calls, edges repeated.

    python bench/bench_ndimage.py [--only gaussian,box] [--sizes 512,2048] [--quick] [--json FILE]

A row states the time on one thread, nanoseconds an element, the time over that of a copy of the array (the
results' allocation included in both), the gain of a second thread, and how many times longer each peer takes;
OpenCV also on two threads, against ours on two. A peer whose result differs beyond rounding is reported and
left out. 8-bit images have a row with SciPy's integers (truncated), one with OpenCV's (rounded, saturated).
IPP's specifications and buffers are prepared before it is timed. The goals come last: how many of their rows
meet them, the worst of these, and all rows in which a peer is faster.
"""

from __future__ import annotations

import argparse
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import intel_images
import numpy as np
from intel import load_ipp
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
try:
    load_ipp("i")
    load_ipp("cv")
    ipp: Any = intel_images
except OSError:
    ipp = None

Call = Callable[[], Any]
PEERS = ("scipy", "opencv", "ipp")
SLOW = 8  # times as long as we: once is enough
PATIENCE = 4  # seconds
EDGES = "nearest"
LIKE_OPENCV: Any = {"rounding": "nearest", "overflow": "saturate"}


@dataclass(frozen=True)
class Goal:
    """Rows, by patterns of filter, dtype and shape, in which each of `peers` takes so many times as long."""

    what: str
    dtype: str
    peers: tuple[str, ...]
    ratio: float
    shape: str = ".*"

    def __str__(self) -> str:
        size = "" if self.shape == ".*" else f" {self.shape}"
        return f"{self.what} {self.dtype}{size} ≥ {self.ratio} × {' and '.join(self.peers)}"

    def ratios(self, rows: list[dict[str, Any]]) -> Iterator[tuple[float, dict[str, Any]]]:
        """The least ratio of each of its rows in which a peer takes part."""
        for row in rows:
            names = row["filter"], row["dtype"], "×".join(map(str, row["x"]))
            if all(map(re.fullmatch, (self.what, self.dtype, self.shape), names)):
                found = [row["one"][name] for name in self.peers if name in row["one"]]
                if "two threads" in self.peers and row["two"] and np.prod(row["x"]) >= 512**2:
                    found.append(row["one"]["ours"] ** 2 / row["two"]["ours"])
                if found:
                    yield min(found) / row["one"]["ours"], row


BOTH = ("opencv", "ipp")
GOALS = [
    Goal("gaussian σ=1", "float32", BOTH, 1.5),
    Goal("gaussian σ=3", "float32", BOTH, 2.4),
    Goal("gaussian σ=10", "float32", BOTH, 2.8),
    Goal("gaussian σ=.*", "float32", ("scipy",), 15, r"\d+×\d+"),
    Goal("gaussian σ=.*", "float64", ("opencv",), 1.6, r"\d+×\d+"),
    Goal("gaussian σ=2", "float32", ("scipy",), 5, r"\d+×\d+×\d+"),
    Goal("gaussian σ=.* rounded", "uint8", ("opencv",), 2),
    Goal("box 3²( rounded)?", "float32|uint8", ("opencv",), 1.2),
    Goal("box 31²( rounded)?", "float32|uint8", ("opencv",), 2),
    Goal("sobel", "float32|uint8", ("opencv",), 1.3, r"\d+×\d+"),
    Goal("correlate 3² rounded", "uint8", ("opencv",), 6),
    Goal("correlate [57]² rounded", "uint8", ("opencv",), 9),
    Goal("correlate [357]² rounded", "uint8", ("ipp",), 1.4),
    Goal(".*", ".*", ("two threads",), 1.7),
]


def summary(rows: list[dict[str, Any]]) -> None:
    """Each goal: rows that meet it, the worst; then the rows in which a peer is faster."""
    table = Table("goals", [("met", 7), ("worst", 6), ("where", 44), ("goal", 60)])
    for goal in GOALS:
        found = sorted(goal.ratios(rows), key=lambda pair: pair[0])
        if found:
            worst, row = found[0]
            met = sum(ratio >= goal.ratio for ratio, _ in found)
            table.row(f"{met}/{len(found)}", f"{worst:.2f}", name_of(row), goal)
    table = Table("rows in which a peer is faster", [("row", 44), ("peer", 8), ("ratio", 6)])
    for row in rows:
        for name in PEERS:
            if row["one"].get(name, np.inf) < row["one"]["ours"]:
                table.row(name_of(row), name, f"{row['one'][name] / row['one']['ours']:.2f}")


def name_of(row: dict[str, Any]) -> str:
    return f"{row['filter']} {row['dtype']} {'×'.join(map(str, row['x']))}"


@dataclass(frozen=True)
class Case:
    """One filter of one image, by every package that has it."""

    what: str
    x: np.ndarray
    ours: Call
    peers: dict[str, Call | None]


@dataclass
class Bench:
    quick: bool
    sizes: tuple[int, ...]
    rows: list[dict[str, Any]] = field(default_factory=list)
    rate: dict[tuple[str, ...], float] = field(default_factory=dict)
    printed: Table | None = None

    @property
    def table(self) -> Table:
        if self.printed is None:
            columns = [
                ("filter", 24),
                ("type", 8),
                ("x", 11),
                ("time", 8),
                ("ns", 6),
                ("copies", 6),
                ("gain", 5),
            ]
            columns += [(f"×{name}", 7) for name in PEERS]
            self.printed = Table("times and ratios", [*columns, ("×opencv, 2 threads", 18)])
        return self.printed

    def measure(self, case: Case) -> None:
        """Time one case by every package, on one thread and on two; print and keep the row."""
        with thread_limit(1):
            slow, peers = self.peers(case)
        one = self.times(case, peers, 1) | slow
        two = self.times(case, {k: v for k, v in peers.items() if k == "opencv"}, 2) if cpus() > 1 else None
        shape = list(case.x.shape)
        row = {"filter": case.what, "dtype": case.x.dtype.name, "x": shape, "one": one, "two": two}
        self.rows.append(row)
        ours = one["ours"]
        self.table.row(
            case.what,
            case.x.dtype.name,
            "×".join(map(str, case.x.shape)),
            human(ours),
            f"{1e9 * ours / case.x.size:.2f}",
            f"{ours / one['copy']:.1f}",
            two and f"{ours / two['ours']:.2f}",
            *(f"{one[name] / ours:.2f}" if name in one else None for name in PEERS),
            f"{two['opencv'] / two['ours']:.2f}" if two and "opencv" in two else None,
        )

    def peers(self, case: Case) -> tuple[dict[str, float], dict[str, Call]]:
        """Seconds of peers for whom once is enough; other peers. None that is wrong or takes too long."""
        result, usual = timed(case.ours)
        slow, found = {}, {}
        for name, call in case.peers.items():
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


def filtered(b: Bench, what: str, name: str, x: np.ndarray, *args: Any, opencv: Any, ipp: Any) -> None:
    """A row of the function `name`, or, for integers, one for each way to round."""
    ours = partial(getattr(ndimage, name), x, *args, mode=EDGES)
    function = getattr(scipy_ndimage, name, None)
    scipy = function and partial(function, x, *args, mode=EDGES)
    others = {"opencv": opencv, "ipp": ipp}
    if x.dtype.kind == "f":
        b.measure(Case(what, x, ours, {"scipy": scipy, **others}))
    else:
        b.measure(Case(f"{what} truncated", x, ours, {"scipy": scipy}))
        b.measure(Case(f"{what} rounded", x, partial(ours, **LIKE_OPENCV), others))


def opencv(name: str, *args: Any) -> Call | None:
    return cv2 and partial(getattr(cv2, name), *args, borderType=cv2.BORDER_REPLICATE)


def gaussian(b: Bench) -> None:
    for x in images(b):
        for sigma in (1, 3, 10):
            k = 2 * int(4 * sigma + 0.5) + 1
            theirs = opencv("GaussianBlur", x, (k, k), sigma)
            intel = ipp and ipp.gaussian(x, k, sigma)
            filtered(b, f"gaussian σ={sigma}", "gaussian_filter", x, sigma, opencv=theirs, ipp=intel)


def box(b: Bench) -> None:
    for x in images(b):
        for k in (3, 31, 101):
            theirs, intel = opencv("blur", x, (k, k)), ipp and ipp.box(x, k)
            filtered(b, f"box {k}²", "uniform_filter", x, k, opencv=theirs, ipp=intel)


def correlate(b: Bench) -> None:
    """Weights of full rank: whole ones for 8-bit images, and one kernel of real ones."""
    shapes = [(512, 512)] if b.quick else [(1080, 1920), (2048, 2048)]
    for dtype in ("uint8", "float32"):
        for shape in shapes:
            x = image(shape, dtype)
            rng = np.random.default_rng(1)
            kernels = {f"correlate {k}²": (rng.random((k, k)) / k**2).astype(np.float32) for k in (3, 5, 7)}
            if dtype == "uint8":
                real = kernels["correlate 5²"]
                kernels = {name: np.rint(9 * len(w) ** 2 * w - 4) for name, w in kernels.items()}
                kernels = {name: w.astype(np.float32) for name, w in kernels.items()}
                kernels["weights 5², real"] = real
            for name, w in kernels.items():
                theirs, intel = opencv("filter2D", x, -1, w), ipp and ipp.weights(x, w)
                filtered(b, name, "correlate", x, w, opencv=theirs, ipp=intel)


def sobel(b: Bench) -> None:
    """8-bit images give int16."""
    for x in images(b):
        to = np.dtype(np.int16 if x.dtype == np.uint8 else x.dtype)
        depth = {"float32": 5, "float64": 6, "int16": 3}[to.name]  # OpenCV's CV_32F, CV_64F, CV_16S
        keywords: dict[str, Any] = {"output": to, "mode": EDGES}
        ours = partial(ndimage.sobel, x, **keywords)
        peers = {
            "scipy": scipy_ndimage and partial(scipy_ndimage.sobel, x, **keywords),
            "opencv": opencv("Sobel", x, depth, 1, 0),
            "ipp": ipp and ipp.sobel(x, to),
        }
        b.measure(Case("sobel", x, ours, peers))


def volumes(b: Bench) -> None:
    side = 64 if b.quick else 256
    for dtype in ("float32", "uint8"):
        x = image((side,) * 3, dtype)
        for what, name, *args in (
            ("gaussian σ=2", "gaussian_filter", 2),
            ("box 5³", "uniform_filter", 5),
            ("sobel", "sobel"),
        ):
            ours = partial(getattr(ndimage, str(name)), x, *args)
            theirs = scipy_ndimage and partial(getattr(scipy_ndimage, str(name)), x, *args)
            b.measure(Case(what, x, ours, {"scipy": theirs}))


SECTIONS: dict[str, Callable[[Bench], None]] = {
    "gaussian": gaussian,
    "box": box,
    "sobel": sobel,
    "correlate": correlate,
    "volumes": volumes,
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Time fastconv.ndimage against scipy.ndimage, OpenCV and IPP."
    )
    add = parser.add_argument
    add("--only", default=",".join(SECTIONS), help="sections, comma separated (default: %(default)s)")
    add("--sizes", help="sides of the images (default: 512,2048,4096; 512 if quick)")
    add("--quick", action="store_true", help="shorter timings, smaller images")
    add("--json", type=Path, metavar="FILE", help="write the rows there")
    args = parser.parse_args()
    sizes = args.sizes or ("512" if args.quick else "512,2048,4096")
    bench = Bench(args.quick, tuple(map(int, sizes.split(","))))
    try:
        for section in args.only.split(","):
            if section not in SECTIONS:
                raise SystemExit(f"--only knows {', '.join(SECTIONS)}, not {section!r}")
            SECTIONS[section](bench)
        summary(bench.rows)
    finally:
        if args.json:
            save(args.json, bench.rows, load=os.getloadavg()[0])


if __name__ == "__main__":
    main()
