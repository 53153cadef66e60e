"""Scaling over threads, tiny calls, subnormal numbers, a busy core, working memory.

Each function prints a table and returns its rows. Plain timings are in bench_signal.py.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
from machine import Machine
from peers import Call, Problem, ours, random, thread_limit
from timing import Table, compare, human

import fastconv

Row = dict[str, Any]


def with_threads(call: Callable[[], Any], n: int) -> Callable[[], Any]:
    def run() -> Any:
        with fastconv.threads(n):
            return call()

    return run


def threads(machine: Machine, problems: list[Problem], budget: float) -> list[Row]:
    """Two threads against one, beside what two cores can do at best."""
    peak = machine.peak_of_two(np.float32) / machine.peak(np.float32, rounds=50)
    table = Table(
        f"two threads against one (register peak of two cores: {peak:.2f} ×)",
        [("problem", 40), ("one", 8), ("two", 8), ("speed-up", 8), ("with out=", 9)],
    )
    rows = []
    for p in problems:
        y = ours(p)()
        calls: dict[str, Call] = {}
        for name, call in (("new", ours(p)), ("out", ours(p, y))):
            calls |= {f"{name} {n}": with_threads(call, n) for n in (1, 2)}
        t = {name: found.best for name, found in compare(calls, budget=budget).items()}
        gain, gain_out = t["new 1"] / t["new 2"], t["out 1"] / t["out 2"]
        table.row(str(p), human(t["new 1"]), human(t["new 2"]), f"{gain:.2f}", f"{gain_out:.2f}")
        row = {"section": "threads", "problem": str(p), "one": t["new 1"], "gain": gain, "gain out": gain_out}
        rows.append(row)
    return rows


def tiny(budget: float) -> list[Row]:
    """Calls whose cost is the call itself."""
    table = Table("tiny calls", [("call", 40), ("fastconv", 9), ("numpy", 9), ("ratio", 6)])
    rows = []
    sizes = ((np.float64, 16, 5), (np.float32, 16, 5), (np.float64, 100, 5), (np.int64, 16, 5))
    for name in ("convolve", "correlate"):
        for mode in ("full", "same", "valid"):
            for t, n, k in sizes:
                x, h = random(n, t), random(k, t)
                calls = {p.__name__: partial(getattr(p, name), x, h, mode) for p in (fastconv, np)}
                with thread_limit(1):
                    found = compare(calls, budget=budget)
                mine, theirs = found["fastconv"].best, found["numpy"].best
                what = f"{name} {mode} {np.dtype(t).name} {n} * {k}"
                table.row(what, human(mine), human(theirs), f"{mine / theirs:.2f}")
                rows.append({"section": "tiny", "problem": what, "seconds": mine, "ratio": mine / theirs})
    return rows


def subnormal(budget: float) -> list[Row]:
    """Numbers below the normal range against normal ones."""
    columns = [("input", 46), ("fastconv", 9), ("slower", 7), ("numpy", 7)]
    table = Table("subnormal against normal numbers, one thread", columns)
    rows = []
    for t in (np.float32, np.float64):
        least = float(np.finfo(t).tiny)  # normal
        for shape, taps in ((10**5, 32), ((512, 512), (5, 5))):
            x, h = random(shape, t), random(taps, t)
            fading = np.geomspace(1, least * 1e-5, x.size).reshape(x.shape)
            few = np.arange(x.size).reshape(x.shape) % 1000 == 0
            inputs = {
                "normal": (x, h),
                "all subnormal": (x * t(least * 1e-3), h),
                "subnormal taps": (x, h * t(least * 1e-3)),
                "fading into subnormal": ((np.sign(x) * fading).astype(t), h),
                "only products subnormal": (x * t(least**0.5), h * t(least**0.52)),
                "one subnormal in 1000": (np.where(few, t(least / 4), x), h),
            }
            calls = {name: ours(Problem(a, b, "same")) for name, (a, b) in inputs.items()}
            if x.ndim == 1:
                for name, (a, b) in inputs.items():
                    calls[f"numpy {name}"] = partial(np.convolve, a, b, "same")
            with thread_limit(1):
                found = compare(calls, budget=budget)
            for name in inputs:
                mine = found[name].best
                slower = mine / found["normal"].best
                numpy = found[f"numpy {name}"].best / found["numpy normal"].best if x.ndim == 1 else None
                what = f"{np.dtype(t).name} {'×'.join(map(str, x.shape))} {name}"
                table.row(what, human(mine), f"{slower:.1f}", None if numpy is None else f"{numpy:.1f}")
                rows.append({"section": "subnormal", "problem": what, "seconds": mine, "slower": slower})
    return rows


@contextmanager
def busy_core() -> Iterator[None]:
    """Another process that never sleeps."""
    child = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        child.kill()
        child.wait()


def busy(problems: list[Problem], budget: float) -> list[Row]:
    """Median times while another process keeps a core busy: two threads must not stall."""
    table = Table("another process busy: medians", [("problem", 40), ("one", 8), ("two", 8), ("two/one", 8)])
    rows = []
    with busy_core():
        for p in problems:
            calls = {n: with_threads(ours(p), n) for n in (1, 2)}
            found = compare({str(n): call for n, call in calls.items()}, budget=2 * budget)
            one, two = found["1"].median, found["2"].median
            table.row(str(p), human(one), human(two), f"{two / one:.2f}")
            row = {"section": "busy", "problem": str(p), "one": one, "two": two, "ratio": two / one}
            rows.append(row)
    return rows


MEMORY = {
    "1-D float32 10^7 * 512": ("(10**7,)", "(512,)", "float32", {}),
    "1-D float64 10^7 * 512": ("(10**7,)", "(512,)", "float64", {}),
    "1-D complex128 10^6 * 512": ("(10**6,)", "(512,)", "complex128", {}),
    "1-D int64 10^6 * 512": ("(10**6,)", "(512,)", "int64", {}),
    "1-D uint8 10^7 * 9": ("(10**7,)", "(9,)", "uint8", {}),
    "1-D float16 10^7 * 9": ("(10**7,)", "(9,)", "float16", {}),
    "1-D byte-swapped 10^6 * 64": ("(10**6,)", "(64,)", ">f8", {}),
    "2-D float32 4096² * 31² mirror": ("(4096, 4096)", "(31, 31)", "float32", {"boundary": "mirror"}),
    "2-D float32 wide 16 × 10^6 * 5²": ("(16, 10**6)", "(5, 5)", "float32", {}),
    "2-D uint8 4096² * 5²": ("(4096, 4096)", "(5, 5)", "uint8", {}),
    "2-D float64 first axis * 65": ("(4096, 2048)", "(65,)", "float64", {"axes": 0}),
    "2-D float64 last axis * 65": ("(4096, 2048)", "(65,)", "float64", {"axes": 1}),
    "3-D float32 192³ * 5³ wrap": ("(192, 192, 192)", "(5, 5, 5)", "float32", {"boundary": "wrap"}),
}

MEASURE = """
import json, sys, numpy as np, fastconv
def status(key):
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(key)) * 1024
shape, taps, dtype, options, threads = json.loads(sys.argv[1])
x, h = (np.ones(eval(s)).astype(dtype) for s in (shape, taps))
mode = "same"
with fastconv.threads(threads):
    y = np.ones(x.shape, np.result_type(x, h))
    small = tuple(slice(0, 40) for _ in x.shape)
    fastconv.convolve(x[small], h[tuple(slice(0, 3) for _ in h.shape)], mode, **options)
    open("/proc/self/clear_refs", "w").write("5")
    before = status("VmRSS")
    fastconv.convolve(x, h, mode, out=y, **options)
    print(status("VmHWM") - before)
"""


def memory() -> list[Row]:
    """Growth of the resident set during one call with `out=`, a new process for each (Linux only)."""
    columns = [("problem", 40), ("1 thread", 10), ("2 threads", 10)]
    table = Table("working memory beyond input and output", columns)
    rows = []
    for what, (shape, taps, dtype, options) in MEMORY.items():
        found = []
        for n in (1, 2):
            command = [sys.executable, "-c", MEASURE, json.dumps([shape, taps, dtype, options, n])]
            found.append(int(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
        table.row(what, *(f"{b / 2**20:.2f} MB" for b in found))
        rows.append({"section": "memory", "problem": what, "bytes": found})
    return rows
