"""How the exact method splits integers: the width of a limb, how many there are, the size of a block.

Integers become balanced limbs of b bits, x = sum_i X_i 2^(b i), |X_i| <= 2^(b - 1), and

    y = sum_s 2^(b s) sum_{i + j = s} X_i * W_j   modulo 2^bits,   b s < bits.

Each inner sum is computed with float64 transforms and rounded: right if it errs by less than 1/2.

The bound, with u = 2^-53, for x and w of any values; errors are relative, and up to first order in u:

- A complex sum errs by u, a product by sqrt(5) u (Brent, Percival and Zimmermann 2007; fused operations only
  lessen it), a twiddle factor by TWIDDLE u.
- A pass down (_kernels/fft.pyx.in) is sqrt(R) times a unitary map. One of radix 2, a +- w b, adds at most
  (1 + sqrt(5) + TWIDDLE) u to a transform's error in the 2-norm; radix 4 is two of these; radix 3 and 5 come
  to 10 u and 19 u after their products. So the transforms of x and w get errors e_x and e_w in the 2-norm.
- By Cauchy and Schwarz these change the products in the 1-norm, summed over nodes, by at most
  nodes (e_x + e_w) ||x|| ||w||, and no output, a mean over nodes with factors of modulus 1, by more than
  (e_x + e_w) ||x|| ||w||.
- A value of a node on the way up is at most ||x|| ||w|| of that node's x and w, so the values that go into an
  output add up, over nodes, to nodes ||x|| ||w|| at most: a pass up adds its constant times u ||x|| ||w||.
- Products modulo t^L - w, of T pairs (i, j) in one sum, real and imaginary parts apart, add
  sqrt(2) (T L + 1) u ||x|| ||w||; the factor w of the node adds a product, division by the nodes adds u.

In all |error| <= factor u sum_{i + j = s} ||X_i|| ||W_j||, where ||X_i|| <= sqrt(elements) max |X_i|; terms
of second order lie within SLACK. (Higham 2002, Accuracy and Stability of Numerical Algorithms, chapter 24.)
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from fastconv import _cost

SLACK = 1.01
TWIDDLE = 2 if np.finfo(np.longdouble).nmant > 60 else 16  # thirds and fifths of a turn are long doubles
PRODUCT = math.sqrt(5) + TWIDDLE
DOWN = {2: 1 + PRODUCT, 3: 10 + PRODUCT, 4: 2 + 2 * PRODUCT, 5: 19 + PRODUCT}
UP = {2: 1 + PRODUCT, 3: 10 + PRODUCT, 4: 2 + PRODUCT, 5: 19 + PRODUCT}
WIDEST, NARROWEST = 24, 4  # bits of a limb
MOST_TAPS = 1 << 26  # of a kernel: then some block of the narrowest limbs is exact
LIMB_SECONDS = 0.8e-9  # to take a limb of a complex number, or to put it back
MOST_BYTES = 8 << 20  # of a block's limbs, where the kernel does not need more
FLOAT64 = np.dtype(np.float64)


class Limbs(NamedTuple):
    """One way to split; `most` is the largest sum of |X_i| |W_j| over i + j = s."""

    bits: int
    n_x: int
    n_w: int
    n_y: int
    most: int

    def pairs(self, s: int) -> range:
        """The i of the pairs (i, s - i)."""
        return range(max(0, s - self.n_w + 1), min(s, self.n_x - 1) + 1)


class Side(NamedTuple):
    """A convolved axis."""

    n_out: int
    n_taps: int
    whole: int  # elements of a block that computes all outputs (_cost.extent)


class Plan(NamedTuple):
    """What `plan` chooses; sizes in complex numbers, each two elements of the first side."""

    limbs: Limbs
    sizes: tuple[int, ...]
    seconds: float  # all outputs of one batch element, without the transforms of its kernel


def largest(most: int, bits: int, b: int) -> list[int]:
    """The largest moduli of the limbs of integers up to `most`, modulo 2^bits."""
    n, shift, low = 1, 0, 0
    while True:
        top = min((most + low) >> shift, 1 << max(0, bits - 1 - shift))
        if top <= 1 << (b - 1):
            return [1 << (b - 1)] * (n - 1) + [top]
        low += 1 << (shift + b - 1)
        shift += b
        n += 1


@lru_cache(maxsize=256)
def choices(bits: int, most_x: int, most_w: int) -> tuple[Limbs, ...]:
    """All ways to split that differ in the numbers of limbs, from few to many."""
    found = {}
    for b in range(WIDEST, NARROWEST - 1, -1):
        x, w = largest(most_x, bits, b), largest(most_w, bits, b)
        way = Limbs(b, len(x), len(w), min(len(x) + len(w) - 1, -(-bits // b)), 0)
        most = max(sum(x[i] * w[s - i] for i in way.pairs(s)) for s in range(way.n_y))
        found[way[1:4]] = way._replace(most=most)
    return tuple(found.values())


@lru_cache(maxsize=4096)
def passes(nodes: int) -> float:
    """The error factor of the passes of a tree (_tree), two times down and once up."""
    factor = 0.0
    for radix in (3, 5, 4, 2):
        while nodes % radix == 0:
            factor += 2 * DOWN[radix] + UP[radix]
            nodes //= radix
    return factor


def fits(limbs: Limbs, passes_factor: float, lanes: int, elements: int, taps: int) -> bool:
    """Is every rounding right?"""
    terms = max(len(limbs.pairs(s)) for s in range(limbs.n_y))
    factor = passes_factor + math.sqrt(2) * (terms * lanes + 1) + PRODUCT + 1
    return SLACK * factor * 2.0**-53 * math.sqrt(elements * taps) * limbs.most < 0.5


def block_seconds(limbs: Limbs, sizes: tuple[int, ...], lanes: int) -> float:
    """A block: its limbs, their transforms, and 4 L products of reals a number and pair of limbs."""
    pairs = sum(len(limbs.pairs(s)) for s in range(limbs.n_y))
    products = 4 * lanes * pairs / _cost.rates().products["f8"]
    limb = LIMB_SECONDS + _cost.block_seconds(FLOAT64, sizes) / math.prod(sizes) / 2
    return math.prod(sizes) * ((limbs.n_x + limbs.n_y) * limb + products)


@lru_cache(maxsize=1024)
def plan(bits: int, most_x: int, most_w: int, sides: tuple[Side, ...], lanes: int) -> Plan:
    """The fastest by estimate for integers of so many bits, |x| <= most_x, |w| <= most_w; sides as in _block.

    A block takes `MOST_BYTES` at most, or four times as many elements along each side as there are taps.
    """
    ways = choices(bits, most_x, most_w)
    last = len(sides) - 1
    choice = [list(_sizes(side, 1 + (k == 0), 4 * lanes if k == last else 1)) for k, side in enumerate(sides)]
    taps = math.prod(side.n_taps for side in sides)

    def cost(sizes: tuple[int, ...]) -> tuple[float, Plan]:
        """(numbers that the block has too many, plan)"""
        elements = (2 * sizes[0], *sizes[1:])
        factor = sum(passes(m // (lanes if k == last else 1)) for k, m in enumerate(sizes))
        filled = math.prod(min(m, side.n_out + side.n_taps - 1) for m, side in zip(elements, sides))
        limbs = next((way for way in ways if fits(way, factor, lanes, filled, taps)), None)
        if limbs is None:
            return math.inf, Plan(ways[-1], sizes, math.inf)
        blocks = math.prod(_blocks(side, m) for side, m in zip(sides, elements))
        found = Plan(limbs, sizes, blocks * block_seconds(limbs, sizes, lanes))
        count = max(limbs.n_x, limbs.n_y)
        most = max(MOST_BYTES // (16 * count), taps * 4 ** len(sides) // 2)
        return max(0.0, math.prod(sizes) - most), found

    def rank(found: tuple[float, Plan]) -> tuple[float, float]:
        return found[0], found[1].seconds

    best = cost(tuple(found[min(6, len(found) - 1)] for found in choice))  # four times the taps
    improved = True
    while improved:  # by another size of one side
        before = rank(best)
        for k, found in enumerate(choice):
            sizes = best[1].sizes
            best = min((cost((*sizes[:k], m, *sizes[k + 1 :])) for m in found), key=rank)
        improved = rank(best) < before
    return best[1]


def _blocks(side: Side, elements: int) -> int:
    """Blocks along a side."""
    return 1 if elements >= side.whole else -(-side.n_out // (elements - side.n_taps + 1))


def _sizes(side: Side, packed: int, unit: int) -> Iterator[int]:
    """The sizes 2^a, 3 2^a and 5 2^a that hold the taps, multiples of `unit`, up to a whole one."""
    for exponent in itertools.count():
        for odd in (4, 5, 6):
            m = odd << exponent
            if packed * m >= side.n_taps and m % unit == 0:
                yield m
                if packed * m >= side.whole:
                    return


def blocks(bits: int, sides: tuple[Side, ...]) -> _cost.Blocks:
    """Of the plan for any values; with the kernel's transforms where it has one block only."""
    lanes = max(1, _cost.rates().vector_bytes // 8)
    most = 1 << (bits - 1)
    limbs, sizes, seconds = plan(bits, most, most, sides, lanes)
    if 2 * sizes[0] >= sides[0].whole and all(m >= side.whole for m, side in zip(sizes[1:], sides[1:])):
        seconds += limbs.n_w / 2 * _cost.block_seconds(FLOAT64, sizes)
    count = max(limbs.n_x, limbs.n_y) + 2 * limbs.n_w
    return _cost.Blocks(sizes, seconds, math.prod(sizes) * (16 * count + bits // 4))
