"""Timing of several ways to do one thing, in one process and in rotation: all meet the same noise.

`compare` times, `Table` prints rows as they come, `save` writes JSON. Nothing here knows what is timed.
"""

from __future__ import annotations

import gc
import json
import os
import platform
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from statistics import median
from typing import Any

Call = Callable[[], object]

SAMPLE = 50e-6  # seconds: quicker calls are timed several at a time
MOST_SAMPLES = 300  # a contender and round


@dataclass(frozen=True)
class Timing:
    """Seconds a call: the best and the median sample of all rounds."""

    best: float
    median: float
    samples: int
    capacity: float = float("nan")
    """Multiply-adds the core could have done meanwhile: peak rate × best time, in the best round."""


def sample(call: Call, number: int) -> float:
    """Seconds a call, averaged over `number` calls."""
    start = time.perf_counter()
    for _ in repeat(None, number):
        call()
    return (time.perf_counter() - start) / number


def compare(
    contenders: Mapping[str, Call],
    *,
    budget: float = 0.15,
    rounds: int = 5,
    peak: Callable[[], float] | None = None,
) -> dict[str, Timing]:
    """Time every contender in turn, `rounds` times over, about `budget` seconds each (at least two calls).

    A turn starts with an untimed call, which warms the caches and the allocator for this contender. `peak`,
    if given, is called before and after a turn and returns the core's rate of multiply-adds at that moment.
    """
    plan: dict[str, tuple[int, int, int]] = {}
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    capacity: dict[str, list[float]] = {name: [] for name in contenders}
    collecting = gc.isenabled()
    gc.disable()
    try:
        for name, call in contenders.items():
            call()
            once = sample(call, 1)
            once = min(once, sample(call, 1)) if once < budget else once
            number = max(1, int(SAMPLE / once))
            turns = rounds if once * rounds < 2 * budget else 2
            samples = max(1, min(MOST_SAMPLES, int(budget / turns / (number * once))))
            plan[name] = number, samples, turns
        names = list(contenders)
        for turn in range(rounds):
            shift = turn % len(names)
            for name in names[shift:] + names[:shift]:
                number, samples, turns = plan[name]
                if turn >= turns:
                    continue
                call = contenders[name]
                if samples > 1:
                    call()
                before = peak() if peak else 0.0
                found = [sample(call, number) for _ in range(samples)]
                seconds[name] += found
                if peak:
                    capacity[name].append(max(before, peak()) * min(found))
    finally:
        if collecting:
            gc.enable()
    return {
        name: Timing(min(s), median(s), len(s), min(capacity[name], default=float("nan")))
        for name, s in seconds.items()
    }


class Table:
    """Rows printed one by one under one heading; a missing value is a dash."""

    def __init__(self, title: str, columns: Iterable[tuple[str, int]]) -> None:
        self.columns = list(columns)
        print(f"\n{title}\n" + " ".join(f"{name:>{width}}" for name, width in self.columns), flush=True)

    def row(self, *cells: Any) -> None:
        words = ["–" if cell is None or cell != cell else str(cell) for cell in cells]
        padded = (f"{word:>{width}}" for word, (_, width) in zip(words, self.columns, strict=True))
        print(" ".join(padded), flush=True)


def human(seconds: float) -> str:
    """Three digits and a unit: '12.3 µs'."""
    units = (("s ", 1.0), ("ms", 1e-3), ("µs", 1e-6), ("ns", 0.0))
    unit, scale = next(pair for pair in units if seconds >= pair[1])
    value = seconds / (scale or 1e-9)
    return f"{value:.{0 if value >= 100 else 1 if value >= 10 else 2}f} {unit}"


def save(file: Path, rows: list[dict[str, Any]], **about: Any) -> None:
    """Write the rows and what they were measured on."""
    about |= {"machine": platform.machine(), "cores": os.cpu_count(), "time": time.ctime()}
    file.write_text(json.dumps({"about": about, "rows": rows}, indent=1) + "\n", encoding="utf-8")
