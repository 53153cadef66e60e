"""CNN layers in float32 against PyTorch, ONNX Runtime and im2col with BLAS, where they are installed.

    python bench_nn.py                      all sections, one thread
    python bench_nn.py --only direct,small --threads 2 --batch 8
    python bench_nn.py --quick --json nn.json

Columns: our time with out= given, with weights packed before and with a fresh result; the share of the
machine's peak rate of multiply-adds, measured next to the calls, at which the definition's products are
computed (a fast algorithm can exceed 100 %); for each peer how many times as long it takes. Layouts are
PyTorch's N, C, H, W. ORT has its weights beforehand. With two threads, measure one peer at a time: idle
threads of one peer's pool spin while the next one is timed.
"""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from machine import Machine
from timing import Call, Table, compare, human, save

from fastconv import _layer, _layer_gradients, _layer_transposed
from fastconv._threads import resolve_workers

try:
    import torch
except ImportError:
    torch = None  # type: ignore[assignment]
try:
    import onnx
    import onnxruntime
except ImportError:
    onnxruntime = None


@dataclass(frozen=True)
class Case:
    """A layer; `of`: forward, transposed or the gradient of the weights."""

    name: str
    images: int
    channels: int
    outputs: int
    n: tuple[int, ...]
    taps: tuple[int, ...]
    stride: int = 1
    dilation: int = 1
    pad: int = 0
    groups: int = 1
    of: str = "forward"

    @property
    def size(self) -> tuple[int, ...]:
        span = [self.dilation * (m - 1) + 1 for m in self.taps]
        if self.of == "transposed":
            return tuple((n - 1) * self.stride - 2 * self.pad + s for n, s in zip(self.n, span))
        return tuple((n + 2 * self.pad - s) // self.stride + 1 for n, s in zip(self.n, span))

    @property
    def products(self) -> float:
        """Multiply-adds of the definition, padding included."""
        pixels = math.prod(self.n if self.of == "transposed" else self.size)
        taps = math.prod(self.taps)
        return float(self.images * self.channels // self.groups * self.outputs * taps * pixels)

    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Input; weights or the outputs' gradient; the result."""
        rng = np.random.default_rng(0)
        x = rng.standard_normal((self.images, self.channels, *self.n)).astype("f")
        y = np.zeros((self.images, self.outputs, *self.size), "f")
        w_shape = (self.outputs, self.channels // self.groups, *self.taps)
        if self.of == "transposed":
            w_shape = (self.channels, self.outputs // self.groups, *self.taps)
        w = rng.standard_normal(w_shape).astype("f")
        if self.of == "weight":
            return x, rng.standard_normal(y.shape).astype("f"), w
        return x, w, y


def conv(name: str, c: int, o: int, n: int, m: int, **more: Any) -> Case:
    return Case(name, 1, c, o, (n, n), (m, m), **{"pad": m // 2, **more})


DIRECT = [
    conv("7×7 s2 3→64 224²", 3, 64, 224, 7, stride=2),
    conv("3×3 64 56²", 64, 64, 56, 3),
    conv("3×3 128 28²", 128, 128, 28, 3),
    conv("3×3 256 14²", 256, 256, 14, 3),
    conv("3×3 512 7²", 512, 512, 7, 3),
    conv("3×3 s2 64→128 56²", 64, 128, 56, 3, stride=2),
    conv("3×3 d2 128 28²", 128, 128, 28, 3, dilation=2, pad=2),
    conv("1×1 64→256 56²", 64, 256, 56, 1),
    conv("1×1 256→64 56²", 256, 64, 56, 1),
    conv("1×1 1024→256 14²", 1024, 256, 14, 1),
    conv("1×1 s2 256→512 56²", 256, 512, 56, 1, stride=2),
    conv("5×5 32→64 28²", 32, 64, 28, 5),
    conv("3×3 g4 128 28²", 128, 128, 28, 3, groups=4),
]
OTHER = [
    Case("conv1d 512 n=1000 k3", 1, 512, 512, (1000,), (3,), pad=1),
    Case("conv1d 1→1 k400 s160", 1, 1, 1, (160000,), (400,), stride=160),
    Case("conv3d 16→32 16×56² 3³", 1, 16, 32, (16, 56, 56), (3, 3, 3), pad=1),
    conv("depthwise 3×3 128 56²", 128, 128, 56, 3, groups=128),
    conv("3×3 3→16 112²", 3, 16, 112, 3),
]
SMALL = [
    conv("3×3 16 14²", 16, 16, 14, 3),
    conv("3×3 8 8²", 8, 8, 8, 3),
    conv("1×1 32 7²", 32, 32, 7, 1),
]
TRANSPOSED = [
    conv("T 4×4 s2 64→32 56²", 64, 32, 56, 4, stride=2, pad=1, of="transposed"),
    conv("T 2×2 s2 128→64 28²", 128, 64, 28, 2, stride=2, pad=0, of="transposed"),
    conv("T 3×3 64 56²", 64, 64, 56, 3, of="transposed"),
]
WEIGHT = [
    conv("gw 3×3 64 56²", 64, 64, 56, 3, of="weight"),
    conv("gw 3×3 256 14²", 256, 256, 14, 3, of="weight"),
    conv("gw 1×1 64→256 56²", 64, 256, 56, 1, of="weight"),
    conv("gw 7×7 s2 3→64 112²", 3, 64, 112, 7, stride=2, of="weight"),
]
SECTIONS = {"direct": DIRECT, "other": OTHER, "small": SMALL, "transposed": TRANSPOSED, "weight": WEIGHT}


def ours(case: Case, threads: int) -> dict[str, Call]:
    x, w, y = case.arrays()
    nd = len(case.n)
    stride, dilation, lo = (case.stride,) * nd, (case.dilation,) * nd, (case.pad,) * nd
    workers = resolve_workers(threads)
    boundary = (0,) * nd
    if case.of == "transposed":
        return {
            "out": lambda: _layer_transposed.transposed(x, w, None, y, stride, dilation, lo, case.groups, workers),
            "fresh": lambda: _layer_transposed.transposed(
                x, w, None, np.empty_like(y), stride, dilation, lo, case.groups, workers
            ),
        }
    if case.of == "weight":

        def gradient(to: Callable[[], np.ndarray]) -> Call:
            return lambda: _layer_gradients.weight_gradient(
                x, w, to(), stride, dilation, lo, boundary, case.groups, workers
            )

        return {"out": gradient(lambda: y), "fresh": gradient(lambda: np.empty_like(y))}
    packed = _layer.pack(w, case.groups)

    def forward(weights: Any, to: Callable[[], np.ndarray]) -> Call:
        return lambda: _layer.forward(x, weights, None, to(), stride, dilation, lo, boundary, workers)

    return {
        "out": forward(w, lambda: y),
        "packed": forward(packed, lambda: y),
        "fresh": forward(w, lambda: np.empty_like(y)),
    }


def torch_ways(case: Case, threads: int) -> Iterator[tuple[str, Call]]:
    if torch is None:
        return
    torch.set_num_threads(threads)
    x, w = map(torch.from_numpy, case.arrays()[:2])
    nd = len(case.n) - 1
    options: dict[str, Any] = {"stride": case.stride, "padding": case.pad, "dilation": case.dilation}
    options["groups"] = case.groups
    functional = torch.nn.functional
    if case.of == "weight":
        gradient = (torch.nn.grad.conv1d_weight, torch.nn.grad.conv2d_weight, torch.nn.grad.conv3d_weight)[nd]
        shape = case.arrays()[2].shape
        yield "torch", lambda: gradient(x, shape, w, **options)
        return
    if case.of == "transposed":
        call = (functional.conv_transpose1d, functional.conv_transpose2d, functional.conv_transpose3d)[nd]
    else:
        call = (functional.conv1d, functional.conv2d, functional.conv3d)[nd]

    def run() -> Any:
        with torch.inference_mode():
            return call(x, w, **options)

    yield "torch", run


def onnx_ways(case: Case, threads: int) -> Iterator[tuple[str, Call]]:
    if onnxruntime is None or case.of == "weight":
        return
    x, w, y = case.arrays()
    helper = onnx.helper
    nd = len(case.n)
    node = helper.make_node(
        "ConvTranspose" if case.of == "transposed" else "Conv",
        ["x", "w"],
        ["y"],
        strides=[case.stride] * nd,
        pads=[case.pad] * (2 * nd),
        dilations=[case.dilation] * nd,
        group=case.groups,
    )
    graph = helper.make_graph(
        [node],
        "layer",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, x.shape)],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, y.shape)],
        [onnx.numpy_helper.from_array(w, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    yield "ort", lambda: session.run(None, {"x": x})


def im2col_ways(case: Case, threads: int) -> Iterator[tuple[str, Call]]:
    """What one writes by hand: the matrix of windows, and numpy's product."""
    if case.of != "forward" or case.groups > 1 or threads > 1:
        return
    x, w, y = case.arrays()
    nd = len(case.n)
    around = [(0, 0), (0, 0)] + [(case.pad, case.pad)] * nd
    spans = [case.dilation * (m - 1) + 1 for m in case.taps]
    step = (..., *[slice(None, None, case.stride)] * nd, *[slice(None, None, case.dilation)] * nd)
    order = (0, 1, *range(2 + nd, 2 + 2 * nd), *range(2, 2 + nd))
    matrix = w.reshape(len(w), -1)

    def run() -> Any:
        windows = np.lib.stride_tricks.sliding_window_view(np.pad(x, around), spans, tuple(range(2, 2 + nd)))
        columns = windows[step].transpose(order).reshape(len(x), matrix.shape[1], -1)
        return np.matmul(matrix, columns).reshape(y.shape)

    yield "im2col", run


PEERS = {"torch": torch_ways, "ort": onnx_ways, "im2col": im2col_ways}


class Bench:
    """What all sections share, and the rows measured so far."""

    def __init__(self, machine: Machine, threads: int, quick: bool, peers: list[str]) -> None:
        self.machine, self.threads, self.quick, self.peers = machine, threads, quick, peers
        self.rows: list[dict[str, Any]] = []

    def section(self, name: str, cases: list[Case]) -> None:
        columns = [(name, 26), ("batch", 5), ("out=", 8), ("% peak", 6), ("packed", 8), ("fresh", 8)]
        table = Table(f"{name}, {self.threads} thread(s)", columns + [(p, 6) for p in self.peers])
        least = []
        for case in cases:
            calls = ours(case, self.threads)
            for peer in self.peers:
                calls |= dict(PEERS[peer](case, self.threads))
            best = compare(
                calls,
                budget=0.04 if self.quick else 0.15,
                rounds=4 if self.quick else 6,
                peak=lambda: self.machine.peak("float32") * self.threads,
            )
            seconds = {way: t.best for way, t in best.items()}
            share = case.products / best["out"].capacity
            ratios = {p: seconds[p] / seconds["out"] for p in self.peers if p in seconds}
            least.append(min((r for p, r in ratios.items() if p != "im2col"), default=float("nan")))
            table.row(
                case.name,
                case.images,
                human(seconds["out"]),
                f"{100 * share:.0f}",
                human(seconds["packed"]) if "packed" in seconds else None,
                human(seconds["fresh"]),
                *[f"{ratios[p]:.2f}" if p in ratios else None for p in self.peers],
            )
            self.rows.append(
                {"section": name, "case": case.name, "batch": case.images, "threads": self.threads}
                | {"seconds": seconds, "peak": share, "products": case.products}
            )
        if least:
            mean = math.exp(sum(map(math.log, least)) / len(least))
            print(f"best peer: {mean:.2f} in the geometric mean, {min(least):.2f} at least")


def main() -> None:
    parser = argparse.ArgumentParser(description="Time CNN layers against PyTorch, ONNX Runtime and im2col.")
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
