"""CNN layers by other libraries: PyTorch, ONNX Runtime, ncnn, OpenVINO, and im2col with BLAS.

`PEERS` gives for each the ways it has for a case: a name and a call without arguments that returns the
result. All compute in float32 (8-bit layers: exactly), in PyTorch's N, C, H, W.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from layer_cases import Case

try:
    import torch
except ImportError:
    torch = None  # type: ignore[assignment]
try:
    import onnx
    import onnxruntime
except ImportError:
    onnxruntime = None
try:
    import ncnn
except ImportError:
    ncnn = None
try:
    import openvino
except ImportError:
    openvino = None

Call = Callable[[], Any]
MOST_COLUMNS = 1 << 28  # elements of the matrix of windows


def by_torch(case: Case, threads: int) -> Iterator[tuple[str, Call]]:
    if torch is None or case.of == "integer":
        return
    torch.set_num_threads(threads)
    x, w = map(torch.from_numpy, case.arrays()[:2])
    options: dict[str, Any] = {"stride": case.stride, "padding": case.pad, "dilation": case.dilation}
    options["groups"] = case.groups
    nd = len(case.n)
    if case.of in ("weight", "input"):
        gradient = getattr(torch.nn.grad, f"conv{nd}d_{case.of}")
        shape = case.result_shape
        first, second = (x, w) if case.of == "weight" else (w, x)
        operands = (first, shape, second) if case.of == "weight" else (shape, first, second)
        yield "torch", lambda: gradient(*operands, **options)
        return
    call = getattr(torch.nn.functional, f"conv_transpose{nd}d" if case.of == "transposed" else f"conv{nd}d")

    def run() -> Any:
        with torch.inference_mode():
            return call(x, w, **options)

    yield "torch", run


def by_onnxruntime(case: Case, threads: int) -> Iterator[tuple[str, Call]]:
    if onnxruntime is None or case.of in ("weight", "input"):
        return
    x, w, y = case.arrays()
    helper, types = onnx.helper, onnx.TensorProto
    nd = len(case.n)
    kind = {"forward": "Conv", "transposed": "ConvTranspose", "integer": "ConvInteger"}[case.of]
    of, to = (types.UINT8, types.INT32) if case.of == "integer" else (types.FLOAT, types.FLOAT)
    node = helper.make_node(
        kind,
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
        [helper.make_tensor_value_info("x", of, x.shape)],
        [helper.make_tensor_value_info("y", to, y.shape)],
        [onnx.numpy_helper.from_array(w, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
    except Exception:  # of pybind's own classes: it lacks some signed ConvIntegers
        return
    yield "ort", lambda: session.run(None, {"x": x})[0]


def by_ncnn(case: Case, threads: int) -> Iterator[tuple[str, Call]]:
    """One image at a time: ncnn has no batches. Its default options, but for the halves of float32."""
    if ncnn is None or case.of != "forward" or len(case.n) > 2:
        return
    x, w = case.arrays()[:2]
    options = [case.outputs, case.taps[-1], case.dilation, case.stride, case.pad, 0, w.size]
    if case.groups > 1:
        options.append(case.groups)
    words = [f"{i}={v}" for i, v in enumerate(options)]
    if len(case.n) == 2:
        rows = {11: case.taps[0], 12: case.dilation, 13: case.stride, 14: case.pad}
        words += [f"{i}={v}" for i, v in rows.items()]
    kind = "Convolution" + ("DepthWise" if case.groups > 1 else "") + ("1D" if len(case.n) == 1 else "")
    net = ncnn.Net()
    net.opt.num_threads = threads
    for name in ("fp16_packed", "fp16_storage", "fp16_arithmetic", "bf16_packed", "bf16_storage"):
        setattr(net.opt, f"use_{name}", False)
    net.load_param_mem(f"7767517\n2 2\nInput x 0 1 x\n{kind} layer 1 1 x y {' '.join(words)}\n")
    net.load_model_mem(bytes(4) + w.tobytes())
    images = [ncnn.Mat(image).clone() for image in x]

    def run() -> np.ndarray:
        found = []
        for image in images:
            extractor = net.create_extractor()
            extractor.input("x", image)
            found.append(np.array(extractor.extract("y")[1], copy=False))
        return found[0][None] if len(found) == 1 else np.stack(found)

    yield "ncnn", run


def by_openvino(case: Case, threads: int) -> Iterator[tuple[str, Call]]:
    if openvino is None or case.of not in ("forward", "transposed"):
        return
    from openvino import opset13 as opset

    x, w, _ = case.arrays()
    nd = len(case.n)
    around, steps, gaps = [case.pad] * nd, [case.stride] * nd, [case.dilation] * nd
    input_ = opset.parameter(x.shape, np.float32)
    grouped = w.reshape(case.groups, -1, *w.shape[1:]) if case.groups > 1 else w
    if case.of == "transposed":
        layer = opset.convolution_backprop_data if case.groups == 1 else opset.group_convolution_backprop_data
        result = layer(input_, grouped, strides=steps, pads_begin=around, pads_end=around, dilations=gaps)
    else:
        layer = opset.convolution if case.groups == 1 else opset.group_convolution
        result = layer(input_, grouped, steps, around, around, gaps)
    model = openvino.Model([result], [input_])
    options = {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32"}
    request = openvino.Core().compile_model(model, "CPU", options).create_infer_request()
    request.set_input_tensor(openvino.Tensor(x, shared_memory=True))

    def run() -> np.ndarray:
        request.infer()
        return request.get_output_tensor().data

    yield "openvino", run


def by_columns(case: Case, threads: int) -> Iterator[tuple[str, Call]]:
    """What one writes by hand: the matrix of windows, and numpy's product."""
    if case.of != "forward" or case.groups > 1 or threads > 1:
        return
    x, w, y = case.arrays()
    if y.size // case.outputs * w[0].size > MOST_COLUMNS:
        return
    nd = len(case.n)
    around = [(0, 0), (0, 0)] + [(case.pad, case.pad)] * nd
    spans = [case.dilation * (m - 1) + 1 for m in case.taps]
    step = (..., *[slice(None, None, case.stride)] * nd, *[slice(None, None, case.dilation)] * nd)
    order = (0, 1, *range(2 + nd, 2 + 2 * nd), *range(2, 2 + nd))
    matrix = w.reshape(len(w), -1)

    def run() -> np.ndarray:
        windows = np.lib.stride_tricks.sliding_window_view(np.pad(x, around), spans, tuple(range(2, 2 + nd)))
        columns = windows[step].transpose(order).reshape(len(x), matrix.shape[1], math.prod(y.shape[2:]))
        return np.matmul(matrix, columns).reshape(y.shape)

    yield "im2col", run


PEERS = {
    "torch": by_torch,
    "ort": by_onnxruntime,
    "ncnn": by_ncnn,
    "openvino": by_openvino,
    "im2col": by_columns,
}
PREPARED = ("ort", "ncnn", "openvino")  # have the weights before they are timed
