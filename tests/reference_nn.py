"""The slow, obvious truth of CNN layers: sums over taps, one at a time, in a wider type.

    forward          y[n, o, p] = bias[o] + sum over c, t of w[o, c, t] x~[n, c, p stride + t dilation - lo]
    transposed       y[n, c, i] = bias[c] + sum over o, t of w[o, c, t] x[n, o, q],
                     where q stride + t dilation - lo = i
    weight_gradient  gw[o, c, t] = sum over n, p of gy[n, o, p] x~[n, c, p stride + t dilation - lo]

Floats are summed in long double, integers modulo 2^64, and rounded or wrapped at the end. Nothing of the
package is used.
"""

import itertools

import numpy as np


def wide(dtype):
    kind = np.dtype(dtype).kind
    return {"f": np.longdouble, "c": np.clongdouble}.get(kind, np.uint64)


def narrow(total, dtype):
    """Rounded to a float, or the low bits of an integer."""
    dtype = np.dtype(dtype)
    if dtype.kind in "fc":
        with np.errstate(over="ignore"):
            return total.astype(dtype)
    return total.astype(f"u{dtype.itemsize}").view(dtype)


def source(i, n, boundary):
    """The element at index i of a line of n, or None for zero."""
    if 0 <= i < n:
        return i
    if boundary == "zero":
        return None
    if boundary == "nearest":
        return min(max(i, 0), n - 1)
    if boundary == "wrap":
        return i % n
    if boundary == "reflect":
        i %= 2 * n
        return min(i, 2 * n - 1 - i)
    if n == 1:
        return 0
    i %= 2 * n - 2  # mirror
    return min(i, 2 * n - 2 - i)


def windows(x, tap, size, stride, dilation, lo, boundary):
    """What one tap sees: (N, C, *size)."""
    seen = x
    for axis, n in enumerate(size):
        begin = tap[axis] * dilation[axis] - lo[axis]
        at = [source(p * stride[axis] + begin, x.shape[axis + 2], boundary[axis]) for p in range(n)]
        zero = np.zeros((*seen.shape[: axis + 2], 1, *seen.shape[axis + 3 :]), seen.dtype)
        lines = np.array([x.shape[axis + 2] if i is None else i for i in at], np.intp)
        seen = np.concatenate([seen, zero], axis + 2).take(lines, axis + 2)
    return seen


def forward(x, w, bias, size, stride, dilation, lo, boundary, magnitude=False):
    """(N, O, *size); with `magnitude` the same sum of absolute values, for error bounds."""
    total = np.zeros((x.shape[0], w.shape[0], *size), wide(x.dtype))
    groups = x.shape[1] // w.shape[1] if w.shape[1] else 1
    outputs = w.shape[0] // groups
    a, b = x.astype(total.dtype), w.astype(total.dtype)
    if magnitude:
        a, b = np.abs(a), np.abs(b)
    for tap in itertools.product(*map(range, w.shape[2:])):
        seen = windows(a, tap, size, stride, dilation, lo, boundary)
        for g in range(groups):
            rows = slice(g * outputs, (g + 1) * outputs)
            taps = b[(rows, slice(None), *tap)]
            for c in range(w.shape[1]):
                factor = taps[:, c].reshape(1, -1, *[1] * len(size))
                total[:, rows] += factor * seen[:, g * w.shape[1] + c][:, None]
    if bias is not None:
        values = bias.astype(total.dtype)
        total += (np.abs(values) if magnitude else values).reshape(1, -1, *[1] * len(size))
    return total if magnitude else narrow(total, x.dtype)


def transposed(x, w, bias, size, stride, dilation, lo, groups=1, magnitude=False):
    """(N, groups w.shape[1], *size), with x (N, O, *S) and w (O, C / groups, *K)."""
    total = np.zeros((x.shape[0], groups * w.shape[1], *size), wide(x.dtype))
    a, b = x.astype(total.dtype), w.astype(total.dtype)
    if magnitude:
        a, b = np.abs(a), np.abs(b)
    inputs, outputs = w.shape[0] // groups, w.shape[1]
    for tap in itertools.product(*map(range, w.shape[2:])):
        for q in itertools.product(*map(range, x.shape[2:])):
            i = tuple(q_k * s + t * d - p for q_k, s, t, d, p in zip(q, stride, tap, dilation, lo))
            if all(0 <= i_k < n for i_k, n in zip(i, size)):
                for g in range(groups):
                    rows = slice(g * inputs, (g + 1) * inputs)
                    product = a[(slice(None), rows, *q)].dot(b[(rows, slice(None), *tap)])
                    total[(slice(None), slice(g * outputs, (g + 1) * outputs), *i)] += product
    if bias is not None:
        values = bias.astype(total.dtype)
        total += (np.abs(values) if magnitude else values).reshape(1, -1, *[1] * len(size))
    return total if magnitude else narrow(total, x.dtype)


def weight_gradient(x, gy, taps, stride, dilation, lo, boundary, groups=1, magnitude=False):
    """(O, C / groups, *taps)."""
    channels, outputs = x.shape[1] // groups, gy.shape[1] // groups
    total = np.zeros((gy.shape[1], channels, *taps), wide(x.dtype))
    a, b = x.astype(total.dtype), gy.astype(total.dtype)
    if magnitude:
        a, b = np.abs(a), np.abs(b)
    for tap in itertools.product(*map(range, taps)):
        seen = windows(a, tap, gy.shape[2:], stride, dilation, lo, boundary)
        for o in range(gy.shape[1]):
            c = o // outputs * channels
            products = b[:, o, None] * seen[:, c : c + channels]
            total[(o, slice(None), *tap)] = products.sum(axis=(0, *range(2, x.ndim)))
    return total if magnitude else narrow(total, x.dtype)
