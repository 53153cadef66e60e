"""Charts and tables of a run of bench_fft.py: python bench/chart.py RESULT.json DIRECTORY

Writes speed_lines.svg and speed_planes.svg, the time against the length of the kernel by method and by peer,
and prints the other sections as Markdown tables. Needs matplotlib.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from timing import human

Row = dict[str, Any]

CHARTS = {
    "lines": ("one signal of 10⁶ samples", "taps"),
    "planes": ("an image of 2048²", "side of the kernel"),
}
METHODS = {"auto": "black", "direct": "#c44e52", "overlap_save": "#4c72b0", "fft": "#55a868"}
PEERS = ("scipy", "numpy", "mkl_fft", "dfti", "vsl", "ipp", "pyfftw", "ducc0")
DASHES = ("-", "--", ":", "-.")


def draw(axes: Axes, rows: list[Row]) -> None:
    sizes = [row["h"][0] for row in rows]
    for i, peer in enumerate(PEERS):
        points = [(k, row["peers"][peer]) for k, row in zip(sizes, rows) if peer in row["peers"]]
        if points:
            shade = 0.45 + 0.3 * (i % 2)
            axes.plot(*zip(*points), DASHES[i // 2], color=str(shade), lw=1.3, label=peer)
    for method in dict.fromkeys([*METHODS, *(name for row in rows for name in row["methods"])]):
        points = [(k, row["methods"][method]) for k, row in zip(sizes, rows) if method in row["methods"]]
        if points:
            style = {"lw": 4, "alpha": 0.3} if method == "auto" else {"lw": 1.8, "marker": "o", "ms": 3}
            axes.plot(*zip(*points), color=METHODS.get(method), label=f"fastconv {method}", **style)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xticks(sizes, [str(k) for k in sizes], rotation=45)
    axes.minorticks_off()
    axes.grid(alpha=0.3)


def chart(section: str, rows: list[Row], file: Path) -> None:
    title, label = CHARTS[section]
    plt.rcParams |= {"svg.hashsalt": "fastconv", "svg.fonttype": "none", "font.size": 9}
    types = [dtype for dtype in ("float32", "float64") if any(row["dtype"] == dtype for row in rows)]
    options: dict[str, Any] = {"figsize": (3 + 4 * len(types), 4.8), "sharey": True, "layout": "constrained"}
    figure, (panels,) = plt.subplots(1, len(types), squeeze=False, **options)
    for axes, dtype in zip(panels, types):
        draw(axes, [row for row in rows if row["dtype"] == dtype])
        axes.set(title=f"{title}, {dtype}", xlabel=label)
    panels[0].set_ylabel("seconds, one thread")
    found = dict(pair[::-1] for axes in panels for pair in zip(*axes.get_legend_handles_labels()))
    figure.legend(found.values(), found.keys(), loc="outside right upper", frameon=False)
    figure.savefig(file, metadata={"Date": None})


def table(rows: list[Row]) -> None:
    peers = [peer for peer in PEERS if any(peer in row["peers"] for row in rows)]
    print("\n| x | h | dtype | time | method | memory |" + "".join(f" × {peer} |" for peer in peers))
    print("|---|---|---|--:|---|--:|" + "--:|" * len(peers))
    for row in rows:
        x, h = ("×".join(map(str, row[name])) for name in "xh")
        axis = f", axis {row['axis']}" if row["section"] == "batch" else ""
        ratios = (
            f"{row['peers'][peer] / row['seconds']:.1f}" if peer in row["peers"] else "" for peer in peers
        )
        cells = (human(row["seconds"]), row["chosen"], f"{row['memory'] / 2**20:.1f} MB", *ratios)
        print(f"| {x}{axis} | {h} | {row['dtype']} | " + " | ".join(cells) + " |")


def main() -> None:
    source, directory = map(Path, sys.argv[1:])
    rows: list[Row] = json.loads(source.read_text(encoding="utf-8"))["rows"]
    for section in CHARTS:
        if found := [row for row in rows if row["section"] == section]:
            chart(section, found, directory / f"speed_{section}.svg")
    for section in dict.fromkeys(row["section"] for row in rows if row["section"] not in CHARTS):
        table([row for row in rows if row["section"] == section])


if __name__ == "__main__":
    main()
