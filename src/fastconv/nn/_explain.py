"""`explain`: which engine computes a layer, and what others would take. Nothing is computed."""

from __future__ import annotations

from typing import Any, NamedTuple, SupportsIndex

from numpy.typing import ArrayLike

from fastconv import _check
from fastconv.nn import _arguments, _choice, _geometry
from fastconv.nn._arguments import Algorithm, Ints, Layout, Padding, PaddingMode
from fastconv.nn._compute import work_dtype
from fastconv.nn._convolution import Parameters, checked_input, checked_weight, parameters


class Explanation(NamedTuple):
    """What `explain` found.

    Attributes
    ----------
    engine : str
        The one that a call takes; `fastconv.nn._choice` lists them.
    algorithm : str
        What the argument `algorithm` calls it.
    estimates : dict of str to float
        Estimated seconds on one thread, of each engine that can compute the layer, from the fastest.
    """

    engine: str
    algorithm: str
    estimates: dict[str, float]


def explain(
    input: ArrayLike,
    weight: ArrayLike,
    stride: Ints = 1,
    padding: Padding = 0,
    dilation: Ints = 1,
    groups: SupportsIndex = 1,
    *,
    padding_mode: PaddingMode = "zeros",
    layout: Layout = "NCHW",
    algorithm: Algorithm = "auto",
    prepared: bool = False,
) -> Explanation:
    """Tell how `conv1d`, `conv2d` or `conv3d` would compute a layer, without computing it.

    Parameters
    ----------
    input, weight, stride, padding, dilation, groups, padding_mode, layout, algorithm
        As for `conv2d`; the weight tells the number of axes.
    prepared : bool
        Of a layer whose weight is prepared, such as `Conv2d`.

    Returns
    -------
    Explanation
        With the attributes `engine`, `algorithm` and `estimates`. Estimates are those of one processor:
        ratios mean more than seconds.

    Raises
    ------
    ValueError, TypeError
        As the call itself.

    Examples
    --------
    >>> import numpy as np
    >>> from fastconv import nn
    >>> x, w = np.ones((1, 64, 56, 56), np.float32), np.ones((64, 64, 3, 3), np.float32)
    >>> nn.explain(x, w, padding=1, prepared=True).algorithm
    'winograd'
    >>> nn.explain(x, w[:, :1], padding=1, groups=64).engine
    'depthwise'
    """
    weight = _check.array(weight, "weight")
    rank = weight.ndim - 2
    if rank not in (1, 2, 3):
        raise ValueError(f"weight must have 3, 4 or 5 dimensions, got {rank + 2}")
    given = parameters(rank, stride, padding, dilation, groups, padding_mode, layout, algorithm)
    w, _ = checked_weight(weight, None, rank)
    return explain_layer(rank, given, input, w, prepared)


def explain_layer(rank: int, given: Parameters, input: Any, w: Any, prepared: bool) -> Explanation:
    """The same for checked parameters and weight."""
    x = checked_input(input, rank)
    _arguments.same_dtype(input=x, weight=w)
    x = _arguments.channels_first(x, rank, given.layout)
    geometry = _geometry.layer(x.shape, w.shape, *given[:5])
    ranked = _choice.ranked("layer", geometry, work_dtype(x.dtype), given.algorithm, prepared)
    engine = ranked[0][1]
    return Explanation(engine.name, engine.algorithm, {other.name: seconds for seconds, other in ranked})
