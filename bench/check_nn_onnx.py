"""Random quantised layers compared with ONNX Runtime: python bench/check_nn_onnx.py [n]

The sums must be equal. QLinearConv scales in float32 there and in float64 here: results may differ by one
where the scaled sum is halfway between two integers but for float32's rounding; such cases are counted.
"""

import random
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

from fastconv import nn

BYTES = {np.dtype(np.int8): TensorProto.INT8, np.dtype(np.uint8): TensorProto.UINT8}


def run(kind, inputs, out_type, attributes):
    """One node; inputs: name -> array."""
    types = BYTES | {np.dtype(np.float32): TensorProto.FLOAT, np.dtype(np.int32): TensorProto.INT32}
    node = helper.make_node(kind, list(inputs), ["y"], **attributes)
    given = [helper.make_tensor_value_info(k, types[v.dtype], v.shape) for k, v in inputs.items()]
    result = helper.make_tensor_value_info("y", out_type, [None] * inputs["x"].ndim)
    graph = helper.make_graph([node], "g", given, [result])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
    return session.run(None, inputs)[0]


def numbers(rng, shape, dtype):
    info = np.iinfo(dtype)
    return rng.integers(info.min, info.max, shape, dtype, endpoint=True)


def compare(seed):
    """(results compared, values, values that are off by one at a half)."""
    r, rng = random.Random(seed), np.random.default_rng(seed)
    rank = r.choice([1, 2, 2, 2, 3])
    groups = r.choice([1, 1, 1, 2, 3])
    per_group, outputs = r.choice([1, 2, 3, 8, 16]), groups * r.choice([1, 2, 4, 7])
    m = [r.choice([1, 2, 3, 3, 5]) for _ in range(rank)]
    stride = [r.choice([1, 1, 2, 3]) for _ in range(rank)]
    dilation = [r.choice([1, 1, 2]) for _ in range(rank)]
    pads = [(r.randint(0, 2), r.randint(0, 2)) for _ in range(rank)]
    n = [d * (k - 1) + 1 + r.randint(0, 14 // rank) for d, k in zip(dilation, m)]
    attributes = {
        "strides": stride,
        "dilations": dilation,
        "group": groups,
        "pads": [lo for lo, _ in pads] + [hi for _, hi in pads],
    }
    x_dtype = r.choice(list(BYTES))
    w_dtype = np.dtype(np.int8) if x_dtype == np.int8 else r.choice(list(BYTES))  # what is implemented there
    x, w = numbers(rng, (r.choice([1, 2]), groups * per_group, *n), x_dtype), None
    w = numbers(rng, (outputs, per_group, *m), w_dtype)
    x_zero, w_zero = numbers(rng, (), x_dtype), numbers(rng, (), w_dtype)
    arguments = tuple(stride), tuple(pads), tuple(dilation), groups
    done = values = 0
    if x_dtype == np.uint8:
        theirs = run(
            "ConvInteger",
            {"x": x, "w": w, "x_zero_point": x_zero, "w_zero_point": w_zero},
            TensorProto.INT32,
            attributes,
        )
        ours = nn.conv_integer(x, w, x_zero, w_zero, *arguments)
        assert ours.dtype == theirs.dtype and (ours == theirs).all(), (seed, attributes)
        done, values = 1, ours.size
    each = r.random() < 0.5
    w_scale = rng.uniform(0.001, 0.1, outputs if each else ()).astype(np.float32)
    if each:
        w_zero = np.broadcast_to(w_zero, outputs).copy()
    x_scale = np.float32(r.uniform(0.001, 0.1))
    y_scale = np.float32(x_scale * w_scale.mean() * 300 * np.sqrt(per_group * np.prod(m)))
    y_zero = numbers(rng, (), x_dtype)
    bias = rng.integers(-9999, 9999, outputs, np.int32) if r.random() < 0.5 else None
    quantised = (x, x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero)
    names = "x", "x_scale", "x_zero_point", "w", "w_scale", "w_zero_point", "y_scale", "y_zero_point"
    inputs = {name: np.asarray(value) for name, value in zip(names, quantised)}
    if bias is not None:
        inputs["bias"] = bias
    theirs = run("QLinearConv", inputs, BYTES[x_dtype], attributes)
    ours = nn.qlinear_conv(*quantised, bias, *arguments)
    assert ours.dtype == theirs.dtype and ours.shape == theirs.shape, (seed, attributes)
    differ = ours.astype(int) != theirs
    if differ.any():
        sums = nn.conv_integer(x, w, x_zero, w_zero, *arguments).astype(float)
        shape = (-1, *(1,) * rank)
        sums += 0 if bias is None else bias.reshape(shape)
        ratio = float(x_scale) * w_scale.astype(float) / float(y_scale)
        scaled = sums * np.broadcast_to(ratio, outputs).reshape(shape)
        distance = np.abs(scaled - np.floor(scaled) - 0.5)[differ]
        assert (distance < 1e-6 * np.abs(scaled[differ]) + 1e-6).all(), (seed, distance.max(), attributes)
    return done + 1, values + ours.size, int(differ.sum())


def main():
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    done, values, halves = np.sum([compare(seed) for seed in range(n)], axis=0)
    print(f"{done} results, {values} values equal but for {halves} halves rounded otherwise in float32")


if __name__ == "__main__":
    main()
