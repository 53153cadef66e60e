"""`Convolver`: a kernel prepared for many signals. What a call does, `_convolve` says; here is what is kept.

For each shape, dtype and order of axes of a signal that was met, a plan: the problem, the method, the kernel
as the method takes it. And for each such kernel, in `kept`, what methods made of it, and their free memory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from fastconv import _check, _transforms
from fastconv._convolve import (
    compute,
    convolve,
    correlate,
    new_result,
    order_of,
    overrides,
    signal_and_kernel,
)
from fastconv._entry import short_path
from fastconv._explain import Explanation, explain
from fastconv._methods import NAMES, Method, choose
from fastconv._problem import BOUNDARIES, Array, Kept, Problem, Run, problem
from fastconv._repr import short
from fastconv._rtol import choose_within
from fastconv._threads import resolve_workers

MOST_PLANS = 64  # then all is forgotten


class _Plan(NamedTuple):
    problem: Problem
    cval: Any
    w: Array
    kept: Kept
    method: str
    run: Run | None  # None: v is the longer one, and the signal takes the kernel's part


class Convolver:
    """A kernel prepared for many signals: `fastconv.convolve` with all arguments but the signal fixed.

    The first call for a shape chooses the method and prepares what depends on the kernel alone, such as its
    transform. Later calls compute at once. Results are those of `convolve`, bit for bit; of a bank up to
    rounding, since its kernels share the transforms of a signal where they run by "overlap_save".

    Parameters
    ----------
    v : array_like
        The kernel. It is copied.
    mode, axes, boundary, cval, method, rtol
        As for `convolve`; `mode` None stands for "full", or "valid" if `correlate`.
    correlate : bool, optional
        Compute what `fastconv.correlate` does.
    bank : bool, optional
        `v` holds several kernels of one shape, along its first axis. So do the results, one for each.

    Attributes
    ----------
    v : ndarray
        The kernel, read-only.

    Raises
    ------
    ValueError, TypeError
        As `convolve`, here or at the call.

    See Also
    --------
    convolve : A single call.

    Notes
    -----
    One convolver may be called from many threads at once. Pickles and copies hold the arguments, not what was
    prepared. Kept are, for up to 64 shapes, transforms of the kernel, and the working memory of as many calls
    as ran at once.

    Examples
    --------
    >>> import numpy as np, fastconv
    >>> smooth = fastconv.Convolver([0.25, 0.5, 0.25], mode="same", boundary="nearest")
    >>> smooth(np.array([0., 0., 4., 4.]))
    array([0., 1., 3., 4.])
    >>> y = np.empty((2, 4))
    >>> edges = fastconv.Convolver([[1, -1], [1, 1]], mode="same", bank=True)
    >>> edges(np.array([0., 0., 4., 4.]), out=y)
    array([[0., 0., 4., 0.],
           [0., 0., 4., 8.]])
    """

    def __init__(
        self,
        v: Any,
        *,
        mode: Any = None,
        axes: Any = None,
        boundary: Any = "zero",
        cval: Any = 0.0,
        method: Any = "auto",
        rtol: Any = None,
        correlate: bool = False,
        bank: bool = False,
    ) -> None:
        v = _check.array(v, "v").copy()
        _check.result_dtype(v.dtype, v.dtype, ("v", "v"))
        if v.ndim < 1 + bool(bank):
            what = "two dimensions for a bank" if bank else "one dimension"
            raise ValueError(f"v must have at least {what}, got {v.ndim}")
        if v.size == 0:
            raise ValueError(f"v cannot be empty, got shape {v.shape}")
        v.flags.writeable = False
        self._v: Array = v
        self._correlate = bool(correlate)
        self._options: dict[str, Any] = {
            "mode": _check.mode(("valid" if correlate else "full") if mode is None else mode),
            "axes": _check.axes(axes),
            "boundary": _check.name("boundary", boundary, tuple(BOUNDARIES)),
            "cval": cval,
            "method": _check.name("method", method, NAMES),
            "rtol": None if rtol is None else _check.rtol(rtol),
        }
        self._plain = not self._changed() and type(cval) is float
        self._bank = [Convolver(part, correlate=correlate, **self._options) for part in v] if bank else None
        self._plans: dict[Any, _Plan] = {}
        self._kept: dict[Any, Kept] = {}

    @property
    def v(self) -> Array:
        return self._v

    def __call__(self, a: Any, out: Any = None, workers: Any = None) -> Any:
        """Convolve a signal.

        Parameters
        ----------
        a : array_like
            The signal.
        out, workers
            As for `convolve`; of a bank, `out` has one axis more, the first.

        Returns
        -------
        ndarray
            Of dtype ``numpy.result_type(a, v)``.
        """
        if self._bank is not None:
            return self._call_bank(self._bank, a, out, workers)
        if self._plain and workers is None:
            y = short_path(a, self._v, self._options["mode"], out, not self._correlate)
            if y is not None:
                return y
        if overrides(a) or overrides(out):
            return self._function()(a, self._v, out=out, workers=workers, **self._options)
        a = self._signal(a)
        p, cval, w, kept, _, run = self._plan(a)
        n_workers = 0 if workers is None else resolve_workers(workers)
        y = new_result(p, a) if out is None else _check.out(out, p.shape, p.dtype)
        if run is None:
            if np.may_share_memory(y, a):
                a = a.copy()
            x, w = signal_and_kernel(p, a, self._v)
            kept = {}
            run = self._choose(p, w, kept).run
        else:
            x = a if p.a_order is None else a.transpose(p.a_order)
        compute(p, run, a, x, w, cval, y, n_workers, None, kept)
        return y if out is None else out

    def _call_bank(self, bank: list[Convolver], a: Any, out: Any, workers: Any) -> Any:
        a = self._signal(a)
        plans = [convolver._plan(a) for convolver in bank]
        p = plans[0].problem
        if out is None:
            y = np.empty((len(bank), *p.shape), p.dtype)
        else:
            y = _check.out(out, (len(bank), *p.shape), p.dtype)
            if np.may_share_memory(y, a):
                a = a.copy()
        if not self._at_once(plans, a, y, workers):
            for convolver, part in zip(bank, y):
                convolver(a, part, workers)
        return y if out is None else out

    def _at_once(self, plans: list[_Plan], a: Array, y: Array, workers: Any) -> bool:
        """Compute all results with the transforms of a shared, if so each would be computed; False if not."""
        p, cval, w = plans[0][:3]
        n_batch = len(p.batch)
        blocks = all(plan.method == "overlap_save" for plan in plans) and self._options["rtol"] is None
        if not blocks or n_batch > 1 or any(size > 1 for size in w.shape[:n_batch]):
            return False
        kept = self._kept.setdefault((p.dtype, p.v_order, p.v_new, n_batch, p.conjugate_w), {})
        taps = kept.get("bank")
        if taps is None:
            taps = kept["bank"] = np.stack([plan.w.reshape(p.m) for plan in plans])
        order = range(a.ndim) if p.a_order is None else p.a_order
        results = y.transpose(0, *(k + 1 for k in order))
        n_workers = 0 if workers is None else resolve_workers(workers)
        return bool(_transforms.bank(p, a.transpose(*order), taps, results, cval, n_workers, kept))

    def _signal(self, a: Any) -> Array:
        a = _check.array(a, "a")
        return a if a.ndim or self._correlate else np.atleast_1d(a)  # as in `convolve`

    def _plan(self, a: Array) -> _Plan:
        order = order_of(a)
        key = a.shape, a.dtype, order
        plan = self._plans.get(key)
        if plan is None:
            v, of = self._v, self._options
            options = of["mode"], of["axes"], of["boundary"], order
            p = problem(self._correlate, a.shape, a.dtype, v.shape, v.dtype, *options)
            cval = _check.cval(of["cval"], p.dtype) if of["boundary"] == "constant" else 0
            if len(self._plans) >= MOST_PLANS:
                self._plans, self._kept = {}, {}
            if p.swap:
                plan = _Plan(p, cval, v, {}, "", None)
            else:
                kept = self._kept.setdefault((p.dtype, p.v_order, p.v_new, len(p.batch), p.conjugate_w), {})
                _, w = signal_and_kernel(p, a, v)
                chosen = self._choose(p, w, kept)
                plan = _Plan(p, cval, w, kept, chosen.name, chosen.run)
            self._plans[key] = plan
        return plan

    def _choose(self, p: Problem, w: Array, kept: Kept) -> Method:
        method, rtol = self._options["method"], self._options["rtol"]
        return choose(p, method, w, kept) if rtol is None else choose_within(p, method, rtol)

    def _function(self) -> Callable[..., Any]:
        return correlate if self._correlate else convolve

    def explain(self, a: Any, workers: Any = None) -> Explanation:
        """Tell how a call would work, of a bank with its first kernel; see `fastconv.explain`."""
        v = self._v if self._bank is None else self._v[0]
        return explain(self._signal(a), v, correlate=self._correlate, workers=workers, **self._options)

    def _changed(self) -> list[str]:
        """The options that are not `convolve`'s defaults, but for mode."""
        defaults = {"axes": None, "boundary": "zero", "cval": 0.0, "method": "auto", "rtol": None}
        return [key for key, default in defaults.items() if short(self._options[key]) != short(default)]

    def __repr__(self) -> str:
        words = [f"{key}={short(self._options[key])}" for key in ("mode", *self._changed())]
        words += ["correlate=True"] * self._correlate + ["bank=True"] * (self._bank is not None)
        return f"Convolver(<{self._v.dtype} array of shape {self._v.shape}>, {', '.join(words)})"

    def __reduce__(self) -> Any:
        options = {**self._options, "correlate": self._correlate, "bank": self._bank is not None}
        return _restore, (self._v, options)


def _restore(v: Array, options: dict[str, Any]) -> Convolver:
    return Convolver(v, **options)
