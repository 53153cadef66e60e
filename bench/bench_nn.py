"""CNN layers against PyTorch, ONNX Runtime, ncnn, OpenVINO and im2col with BLAS, where they are installed.

    python bench_nn.py                      all sections, one thread
    python bench_nn.py --only direct,small --threads 2 --batch 8 --peers torch,ort
    python bench_nn.py --quick --json nn.json

Our ways, all through the public functions: "call" is conv2d(x, w, out=y) and its kin, "fresh" the same
without out=, "prepared" is Conv2d(w)(x, out=y), "direct" that with algorithm="direct", with the share of
the machine's peak rate of multiply-adds, measured next to the calls, that it reaches; for 8-bit layers
"direct" is the same layer in float32. Peers: how many times as long they take as "prepared" if they have
the weights beforehand (ORT, ncnn, OpenVINO), else (PyTorch, im2col) as "call". A peer whose result differs
from ours is reported and left out. With two threads, measure one peer at a time: idle threads of one peer's
pool spin while the next one is timed.
"""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from layer_cases import SECTIONS, Case
from layer_peers import PEERS, PREPARED
from machine import Machine
from timing import Call, Table, compare, human, save

from fastconv import nn

OURS = ("call", "fresh", "prepared", "direct")
NOT_NCHW = ("im2col",)  # no library of layers


def ours(case: Case, threads: int) -> dict[str, Call]:
    first, second, y = case.arrays()
    nd, shape = len(case.n), case.result_shape
    options: dict[str, Any] = {"stride": case.stride, "padding": case.pad, "dilation": case.dilation}
    options["groups"] = case.groups
    then = {"out": y, "workers": threads}
    if case.of == "weight":
        gradient = getattr(nn, f"conv{nd}d_weight")
        return {
            "call": lambda: gradient(first, shape, second, **options, **then),
            "fresh": lambda: gradient(first, shape, second, **options, workers=threads),
        }
    if case.of == "input":
        gradient = getattr(nn, f"conv{nd}d_input")
        return {
            "call": lambda: gradient(shape, second, first, **options, **then),
            "fresh": lambda: gradient(shape, second, first, **options, workers=threads),
        }
    if case.of == "integer":
        x, w, z = replace(case, of="forward").arrays()
        real = nn.Conv2d(w, **options, algorithm="direct")
        return {
            "call": lambda: nn.conv_integer(first, second, **options, **then),
            "fresh": lambda: nn.conv_integer(first, second, **options, workers=threads),
            "direct": lambda: real(x, out=z, workers=threads),
        }
    function = getattr(nn, f"conv_transpose{nd}d" if case.of == "transposed" else f"conv{nd}d")
    calls = {
        "call": lambda: function(first, second, **options, **then),
        "fresh": lambda: function(first, second, **options, workers=threads),
    }
    if case.of == "forward":
        layer = getattr(nn, f"Conv{nd}d")
        best, direct = layer(second, **options), layer(second, **options, algorithm="direct")
        calls["prepared"] = lambda: best(first, out=y, workers=threads)
        calls["direct"] = lambda: direct(first, out=y, workers=threads)
    return calls


def same(case: Case, ours: Any, theirs: Any) -> bool:
    """Up to rounding: 1e-4 of the norm of what a float32 sum adds up."""
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    if case.of == "integer":
        return bool(np.array_equal(ours, theirs))
    terms = case.products / math.prod(case.result_shape)
    return ours.shape == theirs.shape and bool(np.abs(ours - theirs).max() < 1e-4 * math.sqrt(terms))


def mean(ratios: Iterable[float]) -> str:
    ratios = list(ratios)
    if not ratios:
        return "–"
    return f"{math.exp(sum(map(math.log, ratios)) / len(ratios)):.2f} in the mean, {min(ratios):.2f} at least"


class Bench:
    """What all sections share, and the rows measured so far."""

    def __init__(self, machine: Machine, threads: int, quick: bool, peers: list[str]) -> None:
        self.machine, self.threads, self.quick, self.peers = machine, threads, quick, peers
        self.rows: list[dict[str, Any]] = []

    def calls(self, case: Case) -> dict[str, Call]:
        """Ours and the peers' that agree."""
        calls = ours(case, self.threads)
        result = np.array(calls["call"]())
        for peer in self.peers:
            for name, call in PEERS[peer](case, self.threads):
                if same(case, result, call()):
                    calls[name] = call
                else:
                    print(f"{case.name}: {name} differs")
        return calls

    def section(self, name: str, cases: list[Case]) -> None:
        columns = [(name, 24), ("batch", 5), *[(way, 8) for way in OURS], ("% peak", 6)]
        table = Table(f"{name}, {self.threads} thread(s)", columns + [(peer, 8) for peer in self.peers])
        against: dict[str, list[float]] = {"best peer": [], "direct, best peer": []}
        for case in cases:
            best = compare(
                self.calls(case),
                budget=0.04 if self.quick else 0.15,
                rounds=4 if self.quick else 6,
                peak=lambda: self.machine.peak("float32") * self.threads,
            )
            seconds = {way: t.best for way, t in best.items()}
            direct = best.get("direct", best["call"])
            share = case.products / direct.capacity
            prepared = seconds.get("prepared", seconds["call"])
            beside = {p: prepared if p in PREPARED else seconds["call"] for p in self.peers}
            ratios = {p: seconds[p] / beside[p] for p in self.peers if p in seconds}
            libraries = [p for p in ratios if p not in NOT_NCHW]
            if libraries:
                against["best peer"].append(min(ratios[p] for p in libraries))
                against["direct, best peer"].append(min(seconds[p] for p in libraries) / direct.best)
            table.row(
                case.name,
                case.images,
                *[human(seconds[way]) if way in seconds else None for way in OURS],
                f"{100 * share:.0f}",
                *[f"{ratios[p]:.2f}" if p in ratios else None for p in self.peers],
            )
            self.rows.append(
                {"section": name, "case": case.name, "batch": case.images, "threads": self.threads}
                | {"seconds": seconds, "peak": share, "products": case.products}
            )
        for what, found in against.items():
            print(f"{what}: {mean(found)}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Time CNN layers against other libraries.")
    add = parser.add_argument
    add("--only", default=",".join(SECTIONS), help="sections, comma separated (default: %(default)s)")
    add("--batch", default="1,8", help="images, comma separated (default: %(default)s)")
    add("--threads", type=int, default=1)
    add("--case", default="", help="only cases whose names contain this")
    add("--peers", default=",".join(PEERS), help="comma separated (default: %(default)s)")
    add("--quick", action="store_true", help="shorter timings")
    add("--json", type=Path, metavar="FILE", help="write the rows there")
    args = parser.parse_args()
    bench = Bench(Machine(), args.threads, args.quick, args.peers.split(",") if args.peers else [])
    try:
        for section in args.only.split(","):
            if section not in SECTIONS:
                raise SystemExit(f"--only knows {', '.join(SECTIONS)}, not {section!r}")
            for batch in map(int, args.batch.split(",")):
                cases = [replace(c, images=batch) for c in SECTIONS[section] if args.case in c.name]
                bench.section(section, cases)
    finally:
        if args.json:
            save(args.json, bench.rows, load=os.getloadavg()[0])


if __name__ == "__main__":
    main()
