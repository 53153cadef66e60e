"""The goals for the results of bench_signal.py, checked cell by cell: python bench/targets.py RESULT.json …

Prints a Markdown table, one line a goal (how many cells meet it, the worst), then every cell that misses.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Row = dict[str, Any]
IMAGES = ([512, 512], [1080, 1920])
SIGNALS = ([10**4], [10**5])
SHARE_2D = {5: 0.55, 7: 0.65, 11: 0.75, 15: 0.80, 31: 0.88}
SHARE_1D_AVX512 = {3: 0.25, 9: 0.45, 32: 0.55, 64: 0.75, 128: 0.85}


@dataclass(frozen=True)
class Cell:
    """One figure and the bound it has to keep, from below unless `most` is set."""

    target: str
    what: str
    value: float
    bound: float
    most: bool = False

    @property
    def met(self) -> bool:
        return self.value <= self.bound if self.most else self.value >= self.bound

    @property
    def margin(self) -> float:
        """Above 1 when met."""
        if self.most:
            return self.bound / max(self.value, 1e-9)
        return self.value / self.bound


def name(row: Row) -> str:
    if "problem" in row:
        return str(row["problem"])
    axis = "" if row["axis"] is None else f" axis {row['axis']}"
    boundary = "" if row["boundary"] == "zero" else f" {row['boundary']}"
    return f"{row['dtype']} {'×'.join(map(str, row['x']))} * {'×'.join(map(str, row['h']))}{axis}{boundary}"


def signals(rows: list[Row], isa: str) -> Iterator[Cell]:
    for row in rows:
        if row["section"] != "1d" or row["x"] not in SIGNALS:
            continue
        k = row["h"][0] * (2 if row["dtype"] == "float64" else 1)
        if isa == "x86_v4":
            reached = [share for least, share in SHARE_1D_AVX512.items() if k >= least]
            bound = reached[-1]
        else:
            bound = 0.70 if k < 16 else 0.90
        yield Cell("1-D: share of the FMA peak", name(row), row["fma"], bound)
        if row["h"][0] >= 9:
            least = 6 if row["dtype"] == "float32" else 4
            yield Cell(f"1-D: × numpy, {row['dtype']}", name(row), row["ratios"]["numpy"], least)


def images(rows: list[Row], isa: str) -> Iterator[Cell]:
    for row in rows:
        if row["section"] != "2d" or row["x"] not in IMAGES:
            continue
        k = row["h"][0]
        if k == 3:
            yield Cell("2-D 3²: speed of a copy", name(row), row["copy"] / row["seconds"], 0.9)
        else:
            yield Cell("2-D: share of the FMA peak", name(row), row["fma"], SHARE_2D[k])
        if "cv2" in row["ratios"] and k <= 15:
            yield Cell("2-D: × OpenCV", name(row), row["ratios"]["cv2"], 2)
        if "ndimage" in row["ratios"]:
            yield Cell("2-D: × ndimage", name(row), row["ratios"]["ndimage"], 10)


def volumes(rows: list[Row], isa: str) -> Iterator[Cell]:
    for row in rows:
        if row["section"] == "3d":
            if row["ratios"]:
                yield Cell("3-D: × the fastest peer", name(row), min(row["ratios"].values()), 2)
            if "ndimage" in row["ratios"]:
                yield Cell("3-D: × ndimage", name(row), row["ratios"]["ndimage"], 10)


def batches(rows: list[Row], isa: str) -> Iterator[Cell]:
    batch = [row for row in rows if row["section"] == "batch"]
    long = {(row["dtype"], row["h"][0]): row["seconds"] for row in batch if row["axis"] is None}
    for row in batch:
        if row["axis"] is not None:
            ratio = row["seconds"] / long[row["dtype"], row["h"][0]]
            yield Cell("batch: time over one long signal's", name(row), ratio, 1.1, most=True)


def integers(rows: list[Row], isa: str) -> Iterator[Cell]:
    floats = {"int16": "float32", "int32": "float32", "int64": "float64"}
    found = {(row["dtype"], *row["x"], *row["h"]): row for row in rows if row["section"] == "integer"}
    for (dtype, *shape), row in found.items():
        if dtype in floats:
            ratio = found[floats[dtype], *shape]["seconds"] / row["seconds"]
            yield Cell(f"{dtype}: throughput over {floats[dtype]}'s", name(row), ratio, 0.5)


def special(rows: list[Row], isa: str) -> Iterator[Cell]:
    for row in rows:
        section = row["section"]
        if section == "threads" and row["one"] > 100e-6:
            yield Cell("two threads: speed-up", name(row), row["gain"], 1.7)
            yield Cell("two threads: speed-up with out=", name(row), row["gain out"], 1.7)
        elif section == "busy":
            yield Cell("busy core: two threads over one", name(row), row["ratio"], 1.3, most=True)
        elif section == "tiny" and row["problem"] == "convolve full float64 16 * 5":
            yield Cell("tiny call: time over numpy's", name(row), row["ratio"], 0.25, most=True)
        elif section == "subnormal":
            yield Cell("subnormal: time over normal", name(row), row["slower"], 3, most=True)
        elif section == "memory":
            for threads, nbytes in enumerate(row["bytes"], 1):
                what = f"{name(row)}, {threads} threads"
                yield Cell("working memory, MB a thread", what, nbytes / threads / 2**20, 2, most=True)


CHECKS: list[Callable[[list[Row], str], Iterator[Cell]]] = [
    signals,
    images,
    volumes,
    batches,
    special,
    integers,
]


def main() -> None:
    rows: list[Row] = []
    isa = ""
    for file in sys.argv[1:]:
        content = json.loads(Path(file).read_text(encoding="utf-8"))
        rows += content["rows"]
        isa = content["about"]["isa"]
    cells = [cell for check in CHECKS for cell in check(rows, isa)]
    print(f"{isa}\n\n| target | cells met | worst | bound | at |\n|---|---|---|---|---|")
    for target in dict.fromkeys(cell.target for cell in cells):
        group = [cell for cell in cells if cell.target == target]
        worst = min(group, key=lambda cell: cell.margin)
        met = sum(cell.met for cell in group)
        bound = f"{'≤' if worst.most else '≥'} {worst.bound:g}"
        print(f"| {target} | {met} of {len(group)} | {worst.value:.2f} | {bound} | {worst.what} |")
    print("\n| missed | measured | bound |\n|---|---|---|")
    for cell in cells:
        if not cell.met:
            bound = f"{'≤' if cell.most else '≥'} {cell.bound:g}"
            print(f"| {cell.target}: {cell.what} | {cell.value:.2f} | {bound} |")


if __name__ == "__main__":
    main()
