"""The machine's limits: multiply-adds per second in registers, copy speed, first touch of fresh memory.

`Machine.peak` takes some 100 µs, so that it can be called next to every timing: the clock rate of a shared
machine drifts. Run as a script this file prints all limits.
"""

from __future__ import annotations

import ctypes
import hashlib
import mmap
import os
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from timing import compare

HERE = Path(__file__).parent
TYPES = {"float32": "f32", "float64": "f64", "int16": "i16", "int32": "i32", "int64": "i64"}
REAL = {"complex64": "float32", "complex128": "float64"}
RUN = 20e-6  # seconds of work in one peak measurement


def load() -> ctypes.CDLL:
    """Compile peak.c into build/ unless that was done before, and load it."""
    source = HERE / "peak.c"
    version = hashlib.sha256(source.read_bytes()).hexdigest()[:12]
    library = HERE.parent / "build" / "bench" / f"peak-{version}.so"
    if not library.exists():
        library.parent.mkdir(parents=True, exist_ok=True)
        part = library.with_suffix(f".{os.getpid()}")
        compiler = os.environ.get("CC", "cc")
        flags = ["-O2", "-ffp-contract=fast", "-shared", "-fPIC"]
        subprocess.run([*compiler.split(), *flags, str(source), "-o", str(part)], check=True)
        part.replace(library)
    return ctypes.CDLL(str(library))


class Machine:
    """The limits of one core at the instruction set `isa` (the best one, or FASTCONV_ISA)."""

    def __init__(self, isa: str | None = None) -> None:
        self.library = load()
        levels = [level for level in (4, 3, 2) if self.library.has_x86_level(level)]
        self.isas = [f"x86_v{level}" for level in levels] + ["baseline"]
        wish = isa or os.environ.get("FASTCONV_ISA") or self.isas[0]
        self.isa = "x86_v4" if wish in ("x86_vnni", "x86_amx") else wish
        if self.isa not in self.isas:
            raise ValueError(f"this CPU runs {', '.join(self.isas)}, not {self.isa}")
        self._turns: dict[str, int] = {}

    def peak(self, dtype: Any, isa: str | None = None, rounds: int = 4) -> float:
        """Multiply-adds per second of `dtype`, now; for a complex one, of its real type."""
        name = np.dtype(dtype).name
        return self._rate(f"peak_{isa or self.isa}_{TYPES[REAL.get(name, name)]}", rounds)

    def _rate(self, function: str, rounds: int) -> float:
        call = getattr(self.library, function)
        if function not in self._turns:
            call.restype = ctypes.c_double
            call.argtypes = [ctypes.c_long, ctypes.c_int]
            turns = 100
            while self._seconds(call, turns) < RUN:
                turns *= 2
            self._turns[function] = turns
        return float(call(self._turns[function], rounds))

    @staticmethod
    def _seconds(call: Any, turns: int) -> float:
        return float(compare({"": lambda: call(turns, 1)}, budget=1e-3, rounds=1)[""].best)

    def peak_of_two(self, dtype: Any) -> float:
        """Multiply-adds per second of two threads at work at once."""
        rates = [0.0, 0.0]
        start = threading.Barrier(2)

        def work(i: int) -> None:
            start.wait()
            rates[i] = float(np.median([self.peak(dtype, rounds=500) for _ in range(5)]))

        threads = [threading.Thread(target=work, args=(i,)) for i in range(2)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        return sum(rates)


def copies(source: np.ndarray, target: np.ndarray | None = None) -> dict[str, Callable[[], object]]:
    """Two ways to copy a contiguous array, into `target` or a new one: memcpy and a loop over vectors.

    memcpy alone is no measure: on some CPUs it is ten times slower for some distances of the two addresses.
    """
    loop = load().copy_vectors
    loop.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_long]
    start, nbytes = source.ctypes.data, source.nbytes

    def by_loop() -> None:
        new = np.empty_like(source) if target is None else target
        loop(new.ctypes.data, start, nbytes)

    return {"memcpy": source.copy if target is None else lambda: np.copyto(target, source), "loop": by_loop}


def copy_rate(nbytes: int) -> float:
    """Bytes read and written per second by a copy of `nbytes` into existing memory."""
    found = compare(copies(np.ones(nbytes, np.uint8), np.ones(nbytes, np.uint8)), budget=0.1)
    return 2 * nbytes / min(t.best for t in found.values())


def first_touch_rate(nbytes: int, huge: bool) -> float:
    """Bytes per second written into fresh anonymous memory, in pages of 4 kB or with huge pages advised."""

    def touch() -> None:
        with mmap.mmap(-1, nbytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
            memory.madvise(mmap.MADV_HUGEPAGE if huge else mmap.MADV_NOHUGEPAGE)
            fresh = np.frombuffer(memory, np.uint8)
            fresh[:] = 1
            del fresh

    return nbytes / compare({"": touch}, budget=0.2)[""].best


def limits(machine: Machine) -> dict[str, float]:
    """All limits, as one flat record: rates in multiply-adds per second and in bytes per second."""
    found = {f"{isa} {name}": machine.peak(name, isa, 20) for isa in machine.isas for name in TYPES}
    found[f"{machine.isa} float32, two threads"] = machine.peak_of_two(np.float32)
    for kib in (64, 256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10):
        found[f"copy {kib} KiB"] = copy_rate(kib << 10)
    for huge in (False, True):
        found[f"first touch, {'huge' if huge else '4 KiB'} pages"] = first_touch_rate(64 << 20, huge)
    return found


if __name__ == "__main__":
    for what, rate in limits(Machine()).items():
        unit = "GB/s" if what.startswith(("copy", "first")) else "G multiply-adds/s"
        print(f"{what:32s} {rate / 1e9:7.1f} {unit}")
