"""`explain` and `error_bound`: what a call would do, and how exact it would be. Nothing is convolved."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from fastconv import _bounds, _methods
from fastconv._convolve import pose, signal_and_kernel
from fastconv._problem import Array, Kept, Problem
from fastconv._rtol import choose_within
from fastconv._threads import get_num_threads, resolve_workers

DIRECT_BYTES = 2 << 20  # of a thread, at most
SERIAL_SECONDS = 200e-6  # less work stays on one thread


@dataclass(frozen=True)
class Explanation:
    """What `explain` found; `str` of it is a table.

    Attributes
    ----------
    method : str
        The method that a call takes.
    estimates : dict of str to float
        Estimated seconds on one thread, of each method that can do the problem, from the fastest.
    blocks : tuple of int
        Elements of the signal in one block of a transform, by axis; empty for other methods.
    seconds : float
        The estimate for the chosen method.
    memory : int
        Bytes of working memory beyond arguments and result, at most.
    error_bound : float
        No output is farther than this from the true sum; see `error_bound`.
    threads : int
        At most so many take part.
    """

    method: str
    estimates: dict[str, float]
    blocks: tuple[int, ...]
    seconds: float
    memory: int
    error_bound: float
    threads: int

    def __str__(self) -> str:
        rows = [("method", self.method)]
        if self.blocks:
            rows.append(("blocks", " × ".join(map(str, self.blocks))))
        rows += [(f"time, {name}", _time(seconds)) for name, seconds in self.estimates.items()]
        rows.append(("threads", str(self.threads)))
        rows.append(("working memory", f"{self.memory / 2**20:.2g} MB"))
        rows.append(("error bound", f"{self.error_bound:.2g}"))
        return "\n".join(f"{name + ':':<20}{text}" for name, text in rows)


def explain(
    a: Any,
    v: Any,
    mode: Any = None,
    *,
    axes: Any = None,
    boundary: Any = "zero",
    cval: Any = 0.0,
    method: Any = "auto",
    workers: Any = None,
    rtol: Any = None,
    correlate: bool = False,
) -> Explanation:
    """Tell how `convolve` would compute a result, without computing it.

    Parameters
    ----------
    a, v, mode, axes, boundary, cval, method, workers, rtol
        As for `convolve` and `correlate`; `mode` None is the default of either.
    correlate : bool, optional
        Explain `correlate`.

    Returns
    -------
    Explanation
        With the attributes `method`, `estimates`, `blocks`, `seconds`, `memory`, `error_bound` and `threads`.
        Estimates are those of one processor for each instruction set: ratios mean more than seconds.

    Raises
    ------
    ValueError, TypeError
        As the call itself.

    See Also
    --------
    error_bound : The bound alone.

    Examples
    --------
    >>> import numpy as np, fastconv
    >>> x, h = np.ones(1_000_000, np.float32), np.ones(1000, np.float32)
    >>> fastconv.explain(x, h, "same").method
    'overlap_save'
    >>> fastconv.explain(x, h[:5], "same").method
    'direct'
    >>> print(fastconv.explain(x, h, "same"))  # doctest: +SKIP
    method:             overlap_save
    blocks:             8192
    time, overlap_save: 1.4 ms
    time, fft:          12 ms
    time, direct:       21 ms
    threads:            2
    working memory:     0.25 MB
    error bound:        0.52
    """
    p, x, w, cval = _pose(correlate, a, v, mode, axes, boundary, cval)
    threads = get_num_threads() if workers is None else resolve_workers(workers)
    return explain_problem(p, x, w, cval, method, threads, rtol)


def explain_problem(
    p: Problem, x: Array, w: Array, cval: Any, name: Any, threads: int, rtol: Any
) -> Explanation:
    """The same of a problem with its signal and kernel."""
    kept: Kept = {}
    chosen = _methods.choose(p, name, w, kept) if rtol is None else choose_within(p, name, rtol)
    estimates: dict[str, float] = {}
    for least, method in _methods.ranked(p, "auto"):
        seconds = least if method.look is None else method.look(p, w, kept)
        if seconds < math.inf or method.name == chosen.name:
            estimates.setdefault(method.name, seconds)
    seconds = estimates[chosen.name]
    if seconds < SERIAL_SECONDS:
        threads = 1
    sizes: tuple[int, ...] = ()
    nbytes = DIRECT_BYTES * threads + w.nbytes
    if chosen.blocks is not None:
        found = chosen.blocks(p)
        packed = 2 if p.dtype.kind == "f" else 1
        sizes, nbytes = (packed * found.sizes[0], *found.sizes[1:]), found.bytes * threads
        nbytes += 0 if x.dtype == p.dtype else x.size * p.dtype.itemsize
    return Explanation(
        method=chosen.name,
        estimates=dict(sorted(estimates.items(), key=lambda item: item[1])),
        blocks=sizes,
        seconds=seconds,
        memory=nbytes,
        error_bound=_largest(_bounds.bound(p, chosen.name, x, w, cval)),
        threads=threads,
    )


def error_bound(
    a: Any,
    v: Any,
    mode: Any = None,
    *,
    axes: Any = None,
    boundary: Any = "zero",
    cval: Any = 0.0,
    method: Any = "auto",
    correlate: bool = False,
) -> float:
    """Bound the rounding error of every output of `convolve`.

    Parameters
    ----------
    a, v, mode, axes, boundary, cval, method
        As for `convolve` and `correlate`; `mode` None is the default of either. The values count as they are
        in the result's dtype.
    correlate : bool, optional
        The bound for `correlate`.

    Returns
    -------
    float
        No output is farther than this from the true sum, as long as no product underflows: some factor
        times eps ``norm(a) * norm(v)``. 0 for integers; infinite if a value is not finite. Usual errors are
        hundreds of times smaller.

    See Also
    --------
    explain : All that can be told about a call.

    Notes
    -----
    The bound of direct sums of n terms is ``n eps/2`` times the sum of their absolute values (N. Higham,
    *Accuracy and Stability of Numerical Algorithms*, 2nd ed., chapter 3). That of transforms follows
    C. Percival, *Rapid multiplication modulo the sum and difference of highly composite numbers*, Math. Comp.
    72 (2003); docs/accuracy.md derives it.

    Examples
    --------
    >>> import numpy as np, fastconv
    >>> x, h = np.ones(100_000), np.ones(1000) / 1000
    >>> y = fastconv.convolve(x, h, "valid", method="overlap_save")
    >>> bool(np.abs(y - 1).max() <= fastconv.error_bound(x, h, "valid", method="overlap_save") < 1e-12)
    True
    """
    p, x, w, cval = _pose(correlate, a, v, mode, axes, boundary, cval)
    return _largest(_bounds.bound(p, _methods.choose(p, method, w, {}).name, x, w, cval))


def _pose(
    correlate: bool, a: Any, v: Any, mode: Any, axes: Any, boundary: Any, cval: Any
) -> tuple[Problem, Array, Array, Any]:
    """The problem with its signal and kernel, and cval."""
    if mode is None:
        mode = "valid" if correlate else "full"
    p, a, v, cval = pose(bool(correlate), a, v, mode, axes, boundary, cval)
    return p, *signal_and_kernel(p, a, v), cval


def _largest(bounds: Array) -> float:
    return float(bounds.max(initial=0.0))


def _time(seconds: float) -> str:
    """In two digits."""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.2g} {unit}" if seconds < math.inf else "unknown"
    return f"{seconds * 1e6:.2g} µs"
