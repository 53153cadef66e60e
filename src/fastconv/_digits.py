"""Convolution of integers of any size: by their digits, which are one axis more.

An integer is a polynomial in 2^16 with the digits d_i as coefficients, -2^15 <= d_i <= 2^15, so a product of
integers is a convolution of digits, and a convolution of integers goes along all axes and that of the digits.
Its sums are exact in int64, if they have fewer than 2^33 terms. Then carries are added up.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastconv import _blocks, _convolve
from fastconv._problem import Array, Problem, Window

BITS = 16
MOST_TERMS = 1 << 32
MORE = 4  # digits of a sum that are beyond those of its terms
ROUNDS = 12  # of carries
PIECE = 1 << 18  # digits that become integers at a time


def sums(p: Problem, a: Array, v: Array, cval: int, workers: Any) -> Array:
    """What `_convolve` computes for a problem, as Python's integers."""
    x, w = _convolve.signal_and_kernel(p, a, v)
    n_batch = len(p.batch)
    x = x.astype(p.dtype)
    for k, (n, m, n_out, lo, code) in enumerate(zip(p.n, p.m, p.n_out, p.lo, p.boundary)):
        source = _blocks.sources(np.arange(-lo, n_out + m - 1 - lo), n, code)
        x = x.take(source, n_batch + k)
        x[(slice(None),) * (n_batch + k) + (source < 0,)] = cval
    of_x, of_w = digits(x), digits(w)
    terms = math.prod(p.m) * min(len(of_x), len(of_w))
    if terms > MOST_TERMS:
        raise ValueError(f"a sum must have at most {MOST_TERMS} products of digits, got {terms}")
    of_x, of_w = (np.moveaxis(part, 0, n_batch) for part in (of_x, of_w[::-1]))
    start = (0, *(m - 1 for m in p.m))
    size = (of_x.shape[n_batch] + of_w.shape[n_batch] - 1, *p.n_out)
    axes = tuple(range(n_batch, x.ndim + 1))
    y = _convolve.correlate(of_x, of_w, Window(start, size), axes, workers=workers)
    flat = np.ascontiguousarray(np.moveaxis(y, n_batch, -1)).reshape(-1, size[0])
    found = np.empty(len(flat), object)
    step = max(1, PIECE // size[0])
    for i in range(0, len(flat), step):
        found[i : i + step] = integers(flat[i : i + step])
    found = found.reshape((*p.batch, *p.n_out))
    if p.flip_y:
        found = found[(slice(None),) * n_batch + (slice(None, None, -1),) * len(p.m)]
    return found if p.a_order is None else found.transpose(np.argsort(p.a_order))


def digits(x: Array) -> Array:
    """The digits, along a new first axis, as int64."""
    bits = max(int(x.max()).bit_length(), int(x.min()).bit_length()) + 1  # with the sign
    count = -(-bits // BITS)
    if x.dtype == object or count > 4:
        raw = b"".join(int(value).to_bytes(2 * count, "little", signed=True) for value in x.reshape(-1))
        words = np.frombuffer(raw, "<u2").reshape(-1, count)
    else:
        words = np.ascontiguousarray(x.reshape(-1), "<i8").view("<u2").reshape(-1, 4)[:, :count]
    found = words.T.astype(np.int64)
    found[-1] = found[-1].astype(np.int16)  # the sign
    carry = found[:-1] >= 1 << BITS - 1
    found[:-1] -= carry.astype(np.int64) << BITS
    found[1:] += carry
    return found.reshape(count, *x.shape)


def integers(y: Array) -> list[int]:
    """The sums of y[k, i] 2^(16 i) over i.

    Digits come first, so that all but the last ones are contiguous: of other arrays NumPy allocates buffers
    while it has released the GIL, and crashes where there is no memory for them.
    """
    words = np.zeros((y.shape[1] + MORE, len(y)), np.int64)
    words[:-MORE] = y.T
    for _ in range(ROUNDS):
        carry = words[:-1] >> BITS
        if not carry.any():
            break
        words[:-1] &= (1 << BITS) - 1
        words[1:] += carry
    carry = words[:-1] >> BITS  # what runs through many digits is left to Python
    words[:-1] &= (1 << BITS) - 1
    found = _join(words)
    ones = _join(np.ones((len(carry), 1), np.int64))[0] << BITS
    for k in np.flatnonzero(carry.any(axis=0)).tolist():
        found[k] += (_join(carry[:, k : k + 1] + 1)[0] << BITS) - ones
    return found


def _join(words: Array) -> list[int]:
    """Of digits that fit 16 bits, along the first axis, the last one with a sign."""
    size = 2 * len(words)
    raw = words.T.astype("<u2").tobytes()
    return [int.from_bytes(raw[i : i + size], "little", signed=True) for i in range(0, len(raw), size)]
