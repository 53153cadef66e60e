"""Tells how fastconv was built and what it uses here. Decides nothing: it asks the modules that do."""

import os
import platform
import re
from typing import Any, Literal, overload

from fastconv import _cpu, _kernels, _threads
from fastconv._repr import short
from fastconv._version import __version__


@overload
def show_config(mode: Literal["stdout"] = "stdout") -> None: ...
@overload
def show_config(mode: Literal["dicts"]) -> dict[str, Any]: ...
def show_config(mode: str = "stdout") -> dict[str, Any] | None:
    """Show how fastconv was built and what it uses on this machine.

    Parameters
    ----------
    mode : {"stdout", "dicts"}
        "stdout" prints; "dicts" returns the same as a dictionary of dictionaries.

    Returns
    -------
    dict or None
        ``fastconv``: its version and place, and Python's and NumPy's versions.
        ``instruction sets``: which ones the kernels were ``built`` for, which of those are ``available`` on
        this processor, which one is ``chosen`` and what chose it (the processor, or FASTCONV_ISA).
        ``openmp``: the standard it was compiled for and the libraries loaded in this process.
        ``threads``: how many a long call uses here and now, and what set the number.

    Examples
    --------
    >>> import fastconv
    >>> fastconv.show_config("dicts")["instruction sets"]["chosen"]  # doctest: +SKIP
    'x86_v3'
    """
    config = _config()
    if mode == "dicts":
        return config
    if mode != "stdout":
        raise ValueError(f"mode must be 'stdout' or 'dicts', got {short(mode)}")
    for section, entries in config.items():
        print(f"{section}:")
        for name, value in entries.items():
            text = ", ".join(value) or "none" if isinstance(value, list) else value
            print(f"  {name}: {text}")
    return None


def _config() -> dict[str, dict[str, Any]]:
    import numpy as np  # not above: where _kernels refuses the processor, NumPy may crash

    threads, source = _threads.describe()
    return {
        "fastconv": {
            "version": __version__,
            "path": os.path.dirname(__file__),
            "compiler": _cpu.compiler,
            "python": platform.python_version(),
            "numpy": np.__version__,
        },
        "instruction sets": {
            "built": _kernels.built(),
            "available": _kernels.available(),
            "chosen": _kernels.isa,
            "chosen by": _kernels.isa_source,
        },
        "openmp": {
            "standard": _threads.openmp_version() or "none",
            "libraries": _openmp_libraries(),
        },
        "threads": {"number": threads, "set by": source},
    }


def _openmp_libraries() -> list[str]:
    """OpenMP libraries loaded in this process, ours or another package's. Only Linux tells."""
    try:
        with open("/proc/self/maps") as maps:
            return sorted(set(re.findall(r"/.*/lib[gi]?omp[^/\n]*", maps.read())))
    except OSError:
        return []
