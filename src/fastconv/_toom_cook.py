"""The transforms of Winograd's short correlations, derived exactly from their points.

F(m, r) computes m outputs of a correlation with r taps by m + r - 1 products instead of m r:

    y = A^T ((G w) * (B^T x)),        x: m + r - 1 inputs

It is Toom-Cook's product of polynomials, transposed: G takes the taps to a polynomial's values at m + r - 2
points and at infinity, B^T the inputs to what these are multiplied by, and A^T the products to the outputs.

References
----------
S. Winograd, "Arithmetic Complexity of Computations", SIAM, 1980.
A. Lavin and S. Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016.
B. Barabasz et al., "Error Analysis and Improving the Accuracy of Winograd Convolution for Deep Neural
Networks", ACM TOMS 46, 2020: how the points decide the error.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from math import prod

Matrix = list[list[Fraction]]

# Outputs of a tile's side -> points. Those of F(4, 3) have a fifth of the error of 0, +-1, +-2.
POINTS = {
    2: (Fraction(0), Fraction(1), Fraction(-1)),
    4: (Fraction(0), Fraction(3, 5), Fraction(-3, 5), Fraction(4, 3), Fraction(-4, 3)),
}


@lru_cache
def transforms(points: tuple[Fraction, ...], r: int) -> tuple[Matrix, Matrix, Matrix]:
    """A^T (m, n), G (n, r) and B^T (n, n) for n - 1 points and infinity, where m = n + 1 - r."""
    n = len(points) + 1
    m = n + 1 - r
    others = [[q for q in points if q != p] for p in points]
    a = [[p**i for p in points] + [Fraction(i == m - 1)] for i in range(m)]
    g = [[p**j / prod(p - q for q in rest) for j in range(r)] for p, rest in zip(points, others)]
    g.append([Fraction(j == r - 1) for j in range(r)])
    b = [[*_polynomial(rest), Fraction(0)] for rest in others]
    b.append(_polynomial(list(points)))
    return a, g, b


def _polynomial(roots: list[Fraction]) -> list[Fraction]:
    """Coefficients of prod (t - root), the constant first."""
    c = [Fraction(1)]
    for root in roots:
        c = [low - root * high for low, high in zip([Fraction(0), *c], [*c, Fraction(0)])]
    return c
