"""Chooses the kernels for this processor, once, at import.

`isa` is the chosen instruction set, `isa_source` what chose it, `table(name)` the capsule with the kernels of
the template <name>.pyx.in, and `has(name)` tells whether there are any. FASTCONV_ISA=<name> overrides the
choice. What the kernels compute is the templates' concern, and which names the processor can run is _cpu's.
"""

import importlib
import os
import pkgutil
from typing import Any

from fastconv._cpu import supported_isas

__all__ = ["BASE", "ISAS", "available", "built", "has", "isa", "isa_source", "table"]

ISAS = ("x86_amx", "x86_vnni", "x86_v4", "x86_v3", "x86_v2", "neon", "baseline")
BASE = {"x86_amx": "x86_vnni", "x86_vnni": "x86_v4"}  # what has the kernels that a set adds nothing to

_modules = {module.name for module in pkgutil.iter_modules(__path__)}


def built() -> list[str]:
    """The instruction sets this installation has kernels for, best first."""
    found = {name.partition("_")[2] for name in _modules}
    return [name for name in ISAS if name in found]


def available() -> list[str]:
    """Those of them that this processor can run, best first."""
    supported = supported_isas()
    return [name for name in built() if name in supported]


def has(template: str) -> bool:
    """Whether the chosen instruction set, or what it builds on, has kernels of a template."""
    return _module_of(template) is not None


def table(template: str) -> Any:
    """The kernels of one template for the chosen instruction set."""
    module: Any = importlib.import_module(f"{__name__}.{_module_of(template)}")
    return module.table


def _module_of(template: str) -> str | None:
    name: str | None = isa
    while name is not None and f"{template}_{name}" not in _modules:
        name = BASE.get(name)
    return name and f"{template}_{name}"


def _choose() -> tuple[str, str]:
    usable = available()
    wish = os.environ.get("FASTCONV_ISA")
    if wish:
        if wish not in usable:
            reason = "this processor or this build lacks it" if wish in ISAS else "unknown instruction set"
            raise ImportError(f"FASTCONV_ISA={wish!r}: {reason}; here it can be {_list(usable)}")
        return wish, "FASTCONV_ISA"
    if not usable:
        raise ImportError(
            f"fastconv was built for {_list(built())} (x86_v2 needs SSE4.2), "
            f"but this processor offers only {_list(supported_isas())}"
        )
    return usable[0], "processor"


def _list(names: list[str]) -> str:
    return ", ".join(names) or "nothing"


isa, isa_source = _choose()
