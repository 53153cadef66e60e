"""Dependencies point down: a module imports only modules that stand before it in this list, never after.

Reads the sources, so it is skipped where the tests run without them.
"""

import re
from pathlib import Path

import pytest

LAYERS = {
    "machine": ["_version", "_repr", "_cpu"],
    "kernels": [
        "_kernels.table",
        "_kernels.direct",
        "_kernels.fft",
        "_kernels.gemm",
        "_kernels.spread",
        "_kernels.winograd",
        "_kernels.depthwise",
        "_kernels.dots",
        "_kernels.dot8",
        "_kernels.bf16x6",
        "_kernels.bytes",
        "_kernels.box",
        "_kernels.stencil",
        "_kernels.missing",
        "_kernels",
    ],
    "drivers": [
        "_cost",
        "_threads",
        "_openmp",
        "_boundary",
        "_rounds",
        "_polyphase",
        "_direct",
        "_stencil",
        "_separable",
        "_box",
        "_sparse",
        "_tree",
        "_block",
        "_parts",
        "_operands",
        "_fft",
        "_whole",
        "_limbs",
        "_cut",
        "_mix",
        "_exact",
        "_bank",
        "_missing",
        "_means",
        "_strip",
        "_spread",
        "_layer",
        "_layer_gradients",
        "_layer_transposed",
        "_layer8",
        "_bf16x6",
        "_bf16x6_gradients",
        "_toom_cook",
        "_winograd",
        "_depthwise",
        "_dots",
        "_bytes",
        "_narrow",
    ],
    "planning": [
        "_check",
        "_problem",
        "_kernel_values",
        "_blocks",
        "_sums",
        "_transforms",
        "_by_values",
        "_methods",
        "_in_place",
        "_bounds",
        "_rtol",
        "_convolve",
        "_digits",
    ],
    "package": [
        "_entry",
        "_explain",
        "_convolver",
        "_config",
        "fastconv",
    ],
    "domains": [
        "signal._arguments",
        "signal._convolution",
        "signal._fftconvolve",
        "signal._images",
        "signal._filters",
        "signal._upfirdn",
        "signal",
        "ndimage._arguments",
        "ndimage._numbers",
        "ndimage._integers",
        "ndimage._boxes",
        "ndimage._passes",
        "ndimage._correlation",
        "ndimage._separable",
        "ndimage._generic",
        "ndimage._derivatives",
        "ndimage._gaussian",
        "ndimage",
        "nn._arguments",
        "nn._geometry",
        "nn._costs",
        "nn._fourier",
        "nn._choice",
        "nn._compute",
        "nn._calls",
        "nn._convolution",
        "nn._explain",
        "nn._layers",
        "nn._transposed",
        "nn._gradients",
        "nn._transposed_gradients",
        "nn._quantised",
        "nn._quantised_layers",
        "nn",
        "probability._plan",
        "probability._tilt",
        "probability._pair",
        "probability._power",
        "probability._terms",
        "probability._arguments",
        "probability._exact",
        "probability._density",
        "probability._pmf",
        "probability._sums",
        "probability",
        "nan._arguments",
        "nan._blocks",
        "nan",
        "exact",
    ],
    "C API": ["_plans", "capi", "_capi_dtypes", "_capi_line", "_capi_plan", "_capi"],
    "programs": ["_wav", "_files", "_demo", "_demo_plot", "_cli", "__main__"],
}
# These load no compiled module until a result is computed.
PURE = [
    "_repr",
    "_limbs",
    "_cost",
    "_check",
    "_problem",
    "_kernel_values",
    "_methods",
    "_in_place",
    "_bounds",
    "_rtol",
]
# The protocol __array_function__ is handed the public function, which is looked up when it is needed.
# Operators of a PMF are the public functions.
EXCEPTIONS = {("_convolve", "fastconv"), ("probability._pmf", "probability._sums")}

ORDER = [name for names in LAYERS.values() for name in names]
SRC = Path(__file__).parents[1] / "src" / "fastconv"
SUFFIXES = (".py", ".pyi", ".pyx", ".pxd", ".pyx.in")
FILES = sorted(path for path in SRC.rglob("*") if path.name.endswith(SUFFIXES))
IMPORT = re.compile(
    r"^(?P<indent>[ \t]*)(?:from[ \t]+(?P<source>[\w.]+)[ \t]+c?import[ \t]+(?P<names>\([^)]*\)|[^#\n]*)"
    r"|c?import[ \t]+(?P<module>[\w.]+))",
    re.MULTILINE,
)

pytestmark = pytest.mark.skipif(not FILES, reason="the sources are not here")


def module_of(path):
    """The module a file belongs to, by its name in LAYERS."""
    name = ".".join(path.relative_to(SRC).parts).partition(".p")[0].removesuffix(".__init__")
    if name == "__init__":
        return "fastconv"
    return name


MODULES = {module_of(path) for path in FILES}


def imports(path):
    """Yield (module of ours, whether the import is at the top of the file)."""
    for match in IMPORT.finditer(path.read_text()):
        top = not match["indent"]
        source = match["source"] or match["module"]
        if source.startswith("."):
            pytest.fail(f"{path.name}: relative import: {match[0].strip()}")
        elif source == "fastconv" or source.startswith("fastconv."):
            within = source.partition(".")[2]
            for name in re.findall(r"(\w+)(?:\s+as\s+\w+)?", match["names"] or ""):
                module = f"{within}.{name}".removeprefix(".")
                yield module if module in MODULES else within or "fastconv", top
            if match["module"]:
                yield within or "fastconv", top


def test_the_list_is_complete():
    assert sorted(MODULES) == sorted(ORDER)


@pytest.mark.parametrize("path", FILES, ids=[str(path.relative_to(SRC)) for path in FILES])
def test_imports_point_down(path):
    module = module_of(path)
    for imported, _ in imports(path):
        assert imported in ORDER, f"{path.name} imports {imported}"
        if imported != module and (module, imported) not in EXCEPTIONS:
            assert ORDER.index(imported) < ORDER.index(module), f"{module} imports {imported} from above"


@pytest.mark.parametrize("module", PURE)
def test_planning_loads_no_compiled_module(module):
    for path in FILES:
        if module_of(path) == module:
            assert {name for name, top in imports(path) if top} <= {*PURE, "_version"}
