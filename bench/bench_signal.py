"""fastconv.convolve against the machine's limits and against other packages, as tables and as JSON.

    python bench/bench_signal.py [--only 1d,2d] [--quick] [--json FILE]

A row states the time of a complete call, its share of the multiply-add peak, the time of a plain copy of the
array (result allocated in both), the share of the nearer of these two limits, and how many times longer each
peer takes. The sections with a table of their own (threads, tiny, subnormal, busy, memory) are in special.py.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import special
from machine import Machine, copies
from peers import Peers, Problem, ours, random, thread_limit
from timing import Table, compare, human, save

FLOATS = (np.float32, np.float64)
HD = (1080, 1920)


@dataclass
class Bench:
    """What the sections share: the machine, the peers, how long to measure, and the rows found so far."""

    machine: Machine
    peers: Peers
    quick: bool
    method: str
    rows: list[dict[str, Any]] = field(default_factory=list)

    @property
    def budget(self) -> float:
        return 0.1 if self.quick else 0.2

    def table(self, title: str) -> Table:
        columns = [("type", 10), ("x", 15), ("h", 9), ("time", 8), ("FMA %", 6), ("copy", 8), ("limit %", 7)]
        return Table(title, columns + [(f"×{name}", 9) for name in self.peers.names])

    def measure(self, table: Table, section: str, p: Problem, threads: int = 1) -> dict[str, Any]:
        """Time one problem against its peers; print and keep the row."""
        with thread_limit(threads):
            calls = {"fastconv": ours(p, method=self.method)}
            calls |= {f"copy {k}": v for k, v in copies(p.x).items()}
            calls |= self.peers.best(p, threads)
            peak = partial(self.machine.peak, p.x.dtype)
            found = compare(calls, budget=self.budget, peak=lambda: peak() * threads)
        mine = found["fastconv"]
        real = 4 if p.x.dtype.kind == "c" else 1
        fma = real * p.n_products / mine.capacity
        copy = min(t.best for name, t in found.items() if name.startswith("copy"))
        limit = max(fma, copy / mine.best)
        ratios = {name: found[name].best / mine.best for name in self.peers.names if name in found}
        row = {
            "section": section,
            "dtype": p.x.dtype.name,
            "x": list(p.x.shape),
            "h": list(p.h.shape),
            "axis": p.axis,
            "mode": p.mode,
            "boundary": p.boundary,
            "threads": threads,
            "seconds": mine.best,
            "median": mine.median,
            "fma": fma,
            "copy": copy,
            "limit": limit,
            "ratios": ratios,
        }
        self.rows.append(row)
        table.row(
            row["dtype"],
            size(p.x),
            size(p.h),
            human(mine.best),
            f"{100 * fma:.0f}",
            human(copy),
            f"{100 * limit:.0f}",
            *(f"{ratios[name]:.2f}" if name in ratios else None for name in self.peers.names),
        )
        return row


def size(a: np.ndarray) -> str:
    return "×".join(map(str, a.shape))


def large_problems() -> list[Problem]:
    """Work from about 100 µs to 100 ms: signals, images, batches along either axis, a volume."""
    problems = []
    for t in FLOATS:
        for n, k in ((10**5, 64), (10**6, 9), (10**6, 64)):
            problems.append(Problem(random(n, t), random(k, t)))
        for k in (3, 5, 7, 15):
            problems.append(Problem(random(HD, t), random((k, k), t), "same"))
        for axis in (0, 1):
            problems.append(Problem(random((1024, 1024), t), random(33, t), "same", axis=axis))
        problems.append(Problem(random((128,) * 3, t), random((5,) * 3, t), "same"))
    return problems


def some(b: Bench, many: tuple[int, ...], few: tuple[int, ...]) -> tuple[int, ...]:
    return few if b.quick else many


def bench_1d(b: Bench) -> None:
    """Signals of 16 to 10^7 with 3 to 512 taps, mode 'full'."""
    table = b.table("1-D, mode full, one thread")
    for dtype in FLOATS:
        for n in some(b, (16, 100, 1000, 10**4, 10**5, 10**6, 10**7), (100, 10**4, 10**5, 10**6)):
            for k in some(b, (3, 5, 9, 16, 32, 64, 128, 256, 512), (3, 9, 32, 64, 128)):
                if k <= n:
                    b.measure(table, "1d", Problem(random(n, dtype), random(k, dtype)))


def bench_2d(b: Bench) -> None:
    """Images with square kernels, 'same' size, surrounded by zeros and mirrored."""
    table = b.table("2-D, mode same, zeros around, one thread")
    shapes = [(512, 512), HD, *(() if b.quick else ((2048, 2048), (4096, 4096)))]
    for dtype in FLOATS:
        for shape in shapes:
            for k in (3, 5, 7, 11, 15, 31):
                b.measure(table, "2d", Problem(random(shape, dtype), random((k, k), dtype), "same"))
    table = b.table("2-D, mode same, mirrored, one thread")
    for dtype in FLOATS:
        for k in some(b, (3, 5, 7, 11, 15, 31), (3, 11)):
            b.measure(table, "2d", Problem(random(HD, dtype), random((k, k), dtype), "same", "mirror"))


def bench_3d(b: Bench) -> None:
    """Volumes with 3³ and 5³ kernels."""
    table = b.table("3-D, mode same, zeros around, one thread")
    side = 128 if b.quick else 256
    for dtype in FLOATS:
        for k in (3, 5):
            b.measure(table, "3d", Problem(random((side,) * 3, dtype), random((k,) * 3, dtype), "same"))


def bench_batch(b: Bench) -> None:
    """One kernel along the last or the first axis of a matrix, beside one signal of as many samples."""
    table = b.table("batches, mode same, one thread (first row of each group: one long signal; h=…@axis)")
    total = 1 << 20
    for dtype in FLOATS:
        for k in some(b, (3, 9, 33, 65), (9, 65)):
            h = random(k, dtype)
            b.measure(table, "batch", Problem(random(total, dtype), h, "same"))
            for shape in ((64, total // 64), (1024, total // 1024), (total // 64, 64)):
                for axis in (-1, 0):
                    if shape[axis] > 64:
                        print(f"axis {axis}:", end="")
                        b.measure(table, "batch", Problem(random(shape, dtype), h, "same", axis=axis))


def bench_complex(b: Bench) -> None:
    """Complex signals and images; one complex product counts as four real ones."""
    table = b.table("complex, one thread")
    for dtype in (np.complex64, np.complex128):
        for n in some(b, (1000, 10**5, 10**6), (10**5,)):
            for k in (5, 32, 128):
                b.measure(table, "complex", Problem(random(n, dtype), random(k, dtype)))
        for k in (3, 7, 15):
            b.measure(table, "complex", Problem(random((512, 512), dtype), random((k, k), dtype), "same"))


def bench_integer(b: Bench) -> None:
    """Integers beside the float of the same width (float32 for int16)."""
    table = b.table("integers and the floats they are compared with, one thread")
    for dtype in (np.float32, np.int32, np.int16, np.float64, np.int64):
        for n in some(b, (1000, 10**5, 10**6), (10**5,)):
            for k in (5, 32, 128):
                b.measure(table, "integer", Problem(random(n, dtype), random(k, dtype)))
        for k in (3, 7, 15):
            b.measure(table, "integer", Problem(random((512, 512), dtype), random((k, k), dtype), "same"))


def bench_1d_same(b: Bench) -> None:
    """'same' and mirrored, which SciPy's ndimage also does."""
    table = b.table("1-D, mode same, mirrored, one thread")
    for dtype in FLOATS:
        for n in (10**4, 10**6):
            for k in (3, 9, 33, 129):
                b.measure(table, "1d-same", Problem(random(n, dtype), random(k, dtype), "same", "mirror"))


def bench_two_threads(b: Bench) -> None:
    """The larger problems with two threads, peers with two as well."""
    table = b.table("two threads")
    for p in large_problems():
        b.measure(table, "2threads", p, threads=2)


SECTIONS: dict[str, Callable[[Bench], None]] = {
    "1d": bench_1d,
    "1d-same": bench_1d_same,
    "2d": bench_2d,
    "3d": bench_3d,
    "batch": bench_batch,
    "complex": bench_complex,
    "integer": bench_integer,
    "2threads": bench_two_threads,
    "threads": lambda b: b.rows.extend(special.threads(b.machine, large_problems(), b.budget)),
    "tiny": lambda b: b.rows.extend(special.tiny(b.budget)),
    "subnormal": lambda b: b.rows.extend(special.subnormal(b.budget)),
    "busy": lambda b: b.rows.extend(special.busy(large_problems(), b.budget)),
    "memory": lambda b: b.rows.extend(special.memory()),
}


def chosen(words: str) -> Iterator[str]:
    for word in words.split(","):
        if word not in SECTIONS:
            raise SystemExit(f"--only knows {', '.join(SECTIONS)}, not {word!r}")
        yield word


def main() -> None:
    parser = argparse.ArgumentParser(description="Time fastconv.convolve against limits and peers.")
    add = parser.add_argument
    add("--only", default=",".join(SECTIONS), help="sections, comma separated (default: %(default)s)")
    add("--quick", action="store_true", help="fewer sizes, shorter timings")
    add("--json", type=Path, metavar="FILE", help="write the rows there")
    add("--patience", type=float, default=3.0, metavar="S", help="leave out peers that take longer than this")
    add("--method", default="auto", help="fastconv's; the shares suppose direct sums (default: auto)")
    args = parser.parse_args()
    bench = Bench(Machine(), Peers(args.patience), args.quick, args.method)
    about = bench.peers.versions()
    print(f"{bench.machine.isa}: " + ", ".join(f"{name} {version}" for name, version in about.items()))
    for t in FLOATS:
        peak = bench.machine.peak(t, rounds=50) / 1e9
        print(f"{np.dtype(t).name}: at most {peak:.1f} G multiply-adds/s on one core")
    try:
        for section in chosen(args.only):
            SECTIONS[section](bench)
    finally:
        if args.json:
            save(args.json, bench.rows, isa=bench.machine.isa, load=os.getloadavg()[0], versions=about)


if __name__ == "__main__":
    main()
