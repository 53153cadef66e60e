"""The transforms of short correlations, as identities of fractions."""

from fractions import Fraction

import pytest

from fastconv import _toom_cook


def times(a, b):
    return [[sum(x * y for x, y in zip(row, column)) for column in zip(*b)] for row in a]


@pytest.mark.parametrize("m", sorted(_toom_cook.POINTS))
@pytest.mark.parametrize("r", [1, 2, 3, 5])
def test_short_correlations_are_exact(m, r):
    points = _toom_cook.POINTS[m]
    a, g, b = _toom_cook.transforms(points, r)
    n = len(points) + 1
    assert (len(a), len(g), len(b)) == (n + 1 - r, n, n)
    for k in range(n):
        for t in range(r):  # bilinear: unit vectors are enough
            x = [[Fraction(i == k)] for i in range(n)]
            w = [[Fraction(i == t)] for i in range(r)]
            product = [[p[0] * q[0]] for p, q in zip(times(g, w), times(b, x))]
            assert times(a, product) == [[i + t == k] for i in range(n + 1 - r)]


def test_points_are_those_the_kernels_are_written_for():
    zero, a, minus_a, *rest = _toom_cook.POINTS[4]
    assert (zero, a, rest[0]) == (0, -minus_a, -rest[1])
    assert _toom_cook.POINTS[2] == (0, 1, -1)
