"""Large kernels: complete calls of fastconv.convolve, by every method, against other packages' best way.

    python bench/bench_fft.py [--only lines,planes] [--quick] [--json FILE]

One thread. A row states the time of "auto", the method it took, the time of the fastest method over it,
the gain of a second thread, the peak of memory beyond the arrays of the call, and how many times longer each
peer takes in its fastest way. Problems that only direct sums can do, for minutes, are left out.
"""

from __future__ import annotations

import argparse
import os
import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from fft_peers import PEERS, installed
from intel import DIRECT_PRODUCTS, Call
from machine import Machine
from peers import Problem, agree, ours, random, thread_limit
from special import with_threads
from timing import Table, compare, human, save

import fastconv
from fastconv import _methods

FLOATS = (np.float32, np.float64)
ALL = (*FLOATS, np.complex64, np.complex128)
SLOW = 8  # times as long as we: once is enough
LONG = 0.1  # seconds


@dataclass
class Bench:
    quick: bool
    names: list[str] = field(default_factory=lambda: list(installed()))
    rows: list[dict[str, Any]] = field(default_factory=list)

    def table(self, title: str) -> Table:
        columns = [("type", 10), ("x", 11), ("h", 11), ("time", 8), ("method", 13), ("best/auto", 9)]
        columns += [("2 threads", 9), ("memory", 9)]
        return Table(title, columns + [(f"×{name}", 8) for name in self.names])

    def measure(self, table: Table, section: str, p: Problem) -> None:
        """Time one problem by every method and peer; print and keep the row."""
        budget, rounds = (0.02, 2) if self.quick else (0.08, 3)
        method = chosen(p)
        if method == "direct" and p.n_products > 10 * DIRECT_PRODUCTS:
            print(f"{p}: direct sums only, left out")
            return
        with thread_limit(1):
            calls = {f"fastconv {name}": call for name, call in methods(p)}
            result, memory = peak_memory(ours(p))
            ways, slow, ours_once = {}, {}, once(calls["fastconv auto"])[0]
            for peer in self.names:
                if best := fastest(peer, p, result):
                    ways[peer], call, seconds = best
                    if seconds < SLOW * ours_once:
                        calls[peer] = call
                    else:
                        slow[peer] = seconds
            if cpus() > 1:
                calls["two threads"] = with_threads(ours(p), 2)
            found = {name: t.best for name, t in compare(calls, budget=budget, rounds=rounds).items()} | slow
        seconds = found["fastconv auto"]
        by_method = {name.split()[1]: t for name, t in found.items() if name.startswith("fastconv")}
        best = min((t for name, t in by_method.items() if name != "auto"), default=seconds)
        row = {
            "section": section,
            "dtype": p.x.dtype.name,
            "x": list(p.x.shape),
            "h": list(p.h.shape),
            "axis": p.axis,
            "seconds": seconds,
            "chosen": method,
            "methods": by_method,
            "gain": seconds / found["two threads"] if "two threads" in found else None,
            "memory": memory,
            "arrays": p.x.nbytes + p.h.nbytes + result.nbytes,
            "peers": {name: found[name] for name in ways},
            "ways": ways,
        }
        self.rows.append(row)
        gain = row["gain"] and f"{row['gain']:.2f}"
        ratios = (f"{found[name] / seconds:.2f}" if name in ways else None for name in self.names)
        cells = (human(seconds), method, f"{best / seconds:.2f}", gain, f"{memory / 2**20:.1f} MB")
        table.row(row["dtype"], size(p.x), size(p.h), *cells, *ratios)


def size(a: np.ndarray) -> str:
    return "×".join(map(str, a.shape))


def cpus() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def methods(p: Problem) -> Iterator[tuple[str, Call]]:
    """fastconv's for kernels of any values, as many as can compute this in about a second."""
    for name in ("auto", *dict.fromkeys(method.name for method in _methods.METHODS if method.look is None)):
        if name == "direct" and p.n_products > DIRECT_PRODUCTS:
            continue
        call = ours(p, method=name)
        try:
            call()
        except (TypeError, ValueError):  # not for this problem
            continue
        yield name, call


def chosen(p: Problem) -> str:
    return fastconv.explain(p.x, p.h, p.mode, axes=p.axis, boundary=p.boundary).method


def peak_memory(call: Call) -> tuple[np.ndarray, int]:
    """The result, and the peak of what NumPy allocated meanwhile beyond it."""
    tracemalloc.start()
    result = call()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return result, max(0, peak - result.nbytes)


def once(call: Call) -> tuple[float, np.ndarray]:
    """Seconds of the second call, or of the first if it is long, and the result."""
    for _ in range(2):
        start = time.perf_counter()
        result = call()
        seconds = time.perf_counter() - start
        if seconds > LONG:
            break
    return seconds, np.asarray(result)


def fastest(peer: str, p: Problem, expected: np.ndarray) -> tuple[str, Call, float] | None:
    """The peer's best way before one that is much slower; one that is wrong is reported and left out."""
    best = None
    for way, call in PEERS[peer][1](p):
        seconds, result = once(call)
        if best and seconds > 1.2 * best[2]:
            break
        if not agree(expected, result):
            print(f"{peer} ({way}) differs from fastconv, left out: {p}")
        elif not best or seconds < best[2]:
            best = way, call, seconds
    return best


def bench_lines(b: Bench) -> None:
    table = b.table("one long line")
    sizes = (64, 1024, 16384) if b.quick else tuple(2**i for i in (*range(4, 13), 14, 16, 18))
    for dtype in FLOATS if b.quick else ALL:
        for k in sizes:
            b.measure(table, "lines", Problem(random(10**6, dtype), random(k, dtype)))


def bench_equal(b: Bench) -> None:
    table = b.table("two lines of one length")
    sizes = (10**4, 10007, 10**5, 2**17, 600000, 10**6, 1000003, 2**20)
    for dtype in FLOATS:
        for n in (10007, 2**17) if b.quick else sizes:
            b.measure(table, "equal", Problem(random(n, dtype), random(n, dtype)))


def bench_batch(b: Bench) -> None:
    table = b.table("the lines of a matrix along its last axis and along its first")
    for dtype in FLOATS:
        for shape, axis in (((64, 65536), 1), ((65536, 64), 0)):
            b.measure(table, "batch", Problem(random(shape, dtype), random(511, dtype), axis=axis))


def bench_planes(b: Bench) -> None:
    table = b.table("planes")
    for dtype in FLOATS:
        for k in (15, 63) if b.quick else (7, 11, 15, 31, 63, 127, 255, 511):
            b.measure(table, "planes", Problem(random((2048, 2048), dtype), random((k, k), dtype)))


def bench_volume(b: Bench) -> None:
    table = b.table("volumes")
    for dtype in FLOATS:
        for n, k in ((64, 16),) if b.quick else ((128, 16), (128, 64)):
            b.measure(table, "volume", Problem(random((n,) * 3, dtype), random((k,) * 3, dtype)))


def bench_circular(b: Bench) -> None:
    table = b.table("circular, of prime length")
    for dtype in FLOATS:
        for n in (10007,) if b.quick else (10007, 1000003):
            x, h = random(n, dtype), random(n, dtype)
            b.measure(table, "circular", Problem(x, h, "same", "wrap", axis=0))


def bench_integer(b: Bench) -> None:
    table = b.table("int64")
    sizes = ((10**6, 64), (10**6, 1024), (10**5, 10**5), (2**20, 2**20))
    for n, k in sizes[:2] if b.quick else sizes:
        b.measure(table, "integer", Problem(random(n, np.int64), random(k, np.int64)))


SECTIONS: dict[str, Callable[[Bench], None]] = {
    "lines": bench_lines,
    "equal": bench_equal,
    "batch": bench_batch,
    "planes": bench_planes,
    "volume": bench_volume,
    "circular": bench_circular,
    "integer": bench_integer,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default=",".join(SECTIONS), help="sections, comma separated")
    parser.add_argument("--quick", action="store_true", help="fewer sizes, shorter timings")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there")
    args = parser.parse_args()
    if unknown := {*args.only.split(",")} - {*SECTIONS}:
        parser.error(f"--only knows {', '.join(SECTIONS)}, not {', '.join(unknown)}")
    bench = Bench(args.quick)
    try:
        for section in args.only.split(","):
            SECTIONS[section](bench)
    finally:
        if args.json:
            save(args.json, bench.rows, isa=Machine().isa, load=os.getloadavg()[0])


if __name__ == "__main__":
    main()
