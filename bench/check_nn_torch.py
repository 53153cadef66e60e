"""Random layers, transposed layers and their gradients, against PyTorch: check_nn_torch.py [n]

Each result is compared with PyTorch's in float64 (or exactly, for integers), in units of eps times the sum of
the absolute values of its terms. PyTorch's own worst error in the same dtype stands beside.
"""

import random
import sys
from collections import defaultdict

import numpy as np
import torch
import torch.nn.functional as F

from fastconv import nn

DTYPES = ["float32", "float64", "float16", "complex64", "complex128", "int16", "int32", "int64", "uint8"]
WEIGHTS = [8, 3, 1, 2, 2, 1, 1, 1, 1]
MODES = ["zeros", "reflect", "replicate", "circular"]
WORDS = {"zeros": "constant"}


def numbers(rng, shape, dtype):
    dtype = np.dtype(dtype)
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        return rng.integers(info.min, info.max, shape, dtype, endpoint=True)
    x = rng.standard_normal(shape)
    return (x + 1j * rng.standard_normal(shape) if dtype.kind == "c" else x).astype(dtype)


def random_layer(seed):
    """Keyword arguments of a layer, and the shapes of its input and weight."""
    r = random.Random(seed)
    rank = r.choice([1, 1, 2, 2, 2, 3])
    groups = r.choice([1, 1, 1, 2, 3])
    per_group, outputs = r.choice([1, 1, 2, 3, 5, 16]), groups * r.choice([1, 1, 2, 4, 7, 17])
    most = {1: 60, 2: 20, 3: 9}[rank]
    while True:
        n = [r.randint(1, most) for _ in range(rank)]
        m = [r.choice([1, 2, 3, 3, 4, 5, 7]) for _ in range(rank)]
        stride = [r.choice([1, 1, 2, 3]) for _ in range(rank)]
        dilation = [r.choice([1, 1, 2, 3]) for _ in range(rank)]
        mode = r.choice(MODES)
        padding = [r.randint(0, min(4, size - 1)) for size in n]
        if r.random() < 0.1:
            stride, padding = [1] * rank, "same"
        totals = [d * (k - 1) for d, k in zip(dilation, m)]
        pads = [(t // 2, t - t // 2) for t in totals] if padding == "same" else [(p, p) for p in padding]
        fits = all(size + lo + hi > t for size, (lo, hi), t in zip(n, pads, totals))
        if mode == "zeros" or all(max(pair) < size for size, pair in zip(n, pads)):
            if fits:
                break
    return {
        "rank": rank,
        "x_shape": (r.choice([1, 1, 2, 3]), groups * per_group, *n),
        "w_shape": (outputs, per_group, *m),
        "bias": r.random() < 0.5,
        "dtype": r.choices(DTYPES, WEIGHTS)[0],
        "pads": pads,
        "layout": r.choice(["NCHW", "NCHW", "NHWC"]),
        "arguments": {
            "stride": tuple(stride),
            "padding": padding if padding == "same" else tuple(padding),
            "dilation": tuple(dilation),
            "groups": groups,
        },
        "mode": mode,
        "extra": [r.randint(0, max(s, d) - 1) for s, d in zip(stride, dilation)],
    }


def torch_layer(case, x, w, b):
    rank, given, mode = case["rank"], dict(case["arguments"]), case["mode"]
    if mode != "zeros":
        given["padding"] = 0
        flat = [k for pair in reversed(case["pads"]) for k in pair]
        x = F.pad(x, flat, WORDS.get(mode, mode))
    return [F.conv1d, F.conv2d, F.conv3d][rank - 1](x, w, b, **given)


def torch_transposed(case, x, w, b):
    given = case["arguments"]
    function = [F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d][case["rank"] - 1]
    return function(
        x, w, b, given["stride"], given["padding"], case["extra"], given["groups"], given["dilation"]
    )


def all_of_torch(function, case, x, w, b, g):
    """Output, and gradients of input and weight for the output's gradient g (made if None)."""
    x, w = torch.tensor(x), torch.tensor(w)
    b = None if b is None else torch.tensor(b)
    if x.is_floating_point() or x.is_complex():
        x.requires_grad_(), w.requires_grad_()
    y = function(case, x, w, b)
    g = g(tuple(y.shape)) if callable(g) else g
    if x.requires_grad:
        y.backward(torch.tensor(g))
        return y.detach().numpy(), x.grad.numpy(), w.grad.numpy(), g
    return y.numpy(), None, None, g


class Errors:
    def __init__(self):
        self.count, self.ours, self.theirs = 0, 0.0, 0.0

    def add(self, y, theirs, truth, scale, dtype, case):
        assert (y.shape, y.dtype) == (truth.shape, np.dtype(dtype)), (y.shape, y.dtype, truth.shape, case)
        self.count += 1
        if np.dtype(dtype).kind in "iu":
            if not (y == truth).all():
                raise AssertionError(f"integers differ: {case}")
            return
        unit = np.finfo(dtype).eps * scale + np.finfo(dtype).smallest_subnormal
        worst = (np.abs(y - truth) / unit).max(initial=0)
        if worst > 8:
            raise AssertionError(f"an error of {worst:.3g} units: {case}")
        self.ours = max(self.ours, worst)
        if theirs is not None:
            self.theirs = max(self.theirs, (np.abs(theirs - truth) / unit).max(initial=0))


def moved(x, layout):
    return x if layout == "NCHW" else np.ascontiguousarray(np.moveaxis(x, 1, -1))


def compare(seed, errors):
    case = random_layer(seed)
    rng = np.random.default_rng(seed)
    dtype, rank, given = np.dtype(case["dtype"]), case["rank"], case["arguments"]
    whole = dtype.kind in "iu"
    wide = np.dtype({"f": "f8", "c": "c16"}.get(dtype.kind, dtype))
    transposed = seed % 3 == 0
    name = "conv_transpose" if transposed else "conv"
    if transposed and (given["padding"] == "same" or (whole and dtype != np.int64)):
        return
    if dtype.kind == "c" and case["mode"] == "replicate":
        return  # PyTorch has none
    x_shape, w_shape = case["x_shape"], case["w_shape"]
    outputs = w_shape[0]
    if transposed:
        w_shape = (x_shape[1], outputs // given["groups"], *w_shape[2:])
        sizes = zip(
            x_shape[2:], given["stride"], given["padding"], given["dilation"], w_shape[2:], case["extra"]
        )
        if any((n - 1) * s - 2 * p + d * (k - 1) + e + 1 < 1 for n, s, p, d, k, e in sizes):
            return
    x, w = numbers(rng, x_shape, dtype), numbers(rng, w_shape, dtype)
    b = numbers(rng, outputs, dtype) if case["bias"] else None
    function = torch_transposed if transposed else torch_layer

    def gradient(shape):
        return numbers(rng, shape, dtype)

    # PyTorch wraps only some integers, and not with dilation: its truth is in int64
    up = (
        (lambda a: None if a is None else a.astype(np.int64))
        if whole
        else (lambda a: None if a is None else a.astype(wide))
    )
    g = None

    def wide_gradient(shape):
        nonlocal g
        g = gradient(shape)
        return up(g)

    truth_y, truth_x, truth_w, _ = all_of_torch(function, case, up(x), up(w), up(b), wide_gradient)
    layout = case["layout"]
    options = {"layout": layout} if transposed else {"layout": layout, "padding_mode": case["mode"]}
    order = [given["stride"], given["padding"]]
    order += (
        [case["extra"], given["groups"], given["dilation"]]
        if transposed
        else [given["dilation"], given["groups"]]
    )
    y = getattr(nn, f"{name}{rank}d")(moved(x, layout), w, b, *order, **options)
    y = y if layout == "NCHW" else np.moveaxis(y, -1, 1)
    if whole:
        errors[name].add(y, None, truth_y.astype(dtype), 1, dtype, case)
        return
    absolute = [None if a is None else np.abs(up(a)) for a in (x, w, b, g)]
    scale_y, scale_x, scale_w, _ = all_of_torch(function, case, *absolute)
    theirs = (None, None, None)
    try:
        theirs = all_of_torch(function, case, x, w, b, g)[:3]
    except (RuntimeError, NotImplementedError):
        pass  # some float16 and complex cases are not there
    errors[name, dtype.name].add(y, theirs[0], truth_y, scale_y, dtype, case)
    moved_g = moved(g, layout)
    size = moved(x, layout).shape
    gx = getattr(nn, f"{name}{rank}d_input")(size, w, moved_g, *order, **options)
    gx = gx if layout == "NCHW" else np.moveaxis(gx, -1, 1)
    errors[f"{name} input", dtype.name].add(gx, theirs[1], truth_x, scale_x, dtype, case)
    gw = getattr(nn, f"{name}{rank}d_weight")(moved(x, layout), w.shape, moved_g, *order, **options)
    errors[f"{name} weight", dtype.name].add(gw, theirs[2], truth_w, scale_w, dtype, case)


def main():
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 3000
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    torch.set_num_threads(1)
    errors = defaultdict(Errors)
    for seed in range(first, first + n):
        compare(seed, errors)
    print(f"{'':28}{'results':>9}{'worst error':>13}{'PyTorch':>10}")
    for key, e in sorted(errors.items(), key=str):
        label = key if isinstance(key, str) else ", ".join(key)
        units = "exact" if isinstance(key, str) else f"{e.ours:.2f}"
        print(f"{label:28}{e.count:9}{units:>13}{'' if isinstance(key, str) else f'{e.theirs:.2f}':>10}")
    print(f"{sum(e.count for e in errors.values())} results compared")


if __name__ == "__main__":
    main()
