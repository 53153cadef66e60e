"""Sums of random variables: every probability within a relative tolerance, tails included.

    _sums        pmf_sum, pmf_power, pmf_difference, compound, poisson_binomial, mixture, support_sum
    _density     pdf_sum: continuous variables
    _pmf         PMF: probabilities with the places they stand at
    _exact       integer weights, exactly
    _power       powers of many equal variables, output by output
    _terms       products of many sequences, and how they share a tolerance
    _pair        the product of two: parts that are tilted, convolved by the engine, and checked
    _plan _tilt  compiled: which parts; their tilts
    _arguments   checks

docs/probability.md says why the results are right.
"""

from fastconv.probability._density import Density, pdf_sum
from fastconv.probability._pmf import PMF
from fastconv.probability._sums import (
    compound,
    mixture,
    pmf_difference,
    pmf_power,
    pmf_sum,
    poisson_binomial,
    support_sum,
)

__all__ = [
    "PMF",
    "Density",
    "compound",
    "mixture",
    "pdf_sum",
    "pmf_difference",
    "pmf_power",
    "pmf_sum",
    "poisson_binomial",
    "support_sum",
]
