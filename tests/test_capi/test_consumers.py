"""Extension modules of other projects, built here against the installed package; what the header promises."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fastconv as fc

HERE = Path(__file__).parent
HEADER = Path(fc.get_include(), "fastconv", "fastconv.h")
RUN = "import sys; sys.path.insert(0, sys.argv[1]); "

BLUR = """
import consumer_c, numpy as np
x, w, y = np.ones((30, 40), 'f4'), np.ones((5, 5), 'f4'), np.zeros((30, 40), 'f4')
print(*consumer_c.blur(x, 30, 40, w, 5, y), y.min(), y.max())
"""


def build(project, folder, header=None, macros=None):
    """The project's modules in folder/lib, with another header if one is given."""
    source = folder / project
    shutil.copytree(HERE / project, source)
    options = ["build_ext", "--build-lib", str(folder / "lib"), "--build-temp", str(folder / "temp")]
    if header:
        place = folder / "include" / "fastconv"
        place.mkdir(parents=True)
        (place / "fastconv.h").write_text(header)
        text = (source / "setup.py").read_text()
        (source / "setup.py").write_text(
            text.replace("fastconv.get_include()", repr(str(folder / "include")))
        )
    if macros:
        text = (source / "setup.py").read_text()
        (source / "setup.py").write_text(
            text.replace("include_dirs=", f"define_macros={macros}, include_dirs=")
        )
    done = subprocess.run(
        [sys.executable, "setup.py", "-q", *options], cwd=source, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return folder / "lib"


def run(code, lib):
    """The code's output, or the last line of its error."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", RUN + code, str(lib)], capture_output=True, text=True, timeout=120
    )
    return done.stdout.strip() if done.returncode == 0 else done.stderr.strip().splitlines()[-1]


@pytest.fixture(scope="module")
def libraries(tmp_path_factory):
    return {name: build(name, tmp_path_factory.mktemp(name)) for name in ("consumer_c", "consumer_cython")}


def test_from_c(libraries):
    assert run(BLUR, libraries["consumer_c"]) == "1 0 25.0 25.0"


def test_a_status_becomes_an_exception(libraries):
    code = BLUR.replace("w, 5, y)", "w, 0, y)")
    assert run(code, libraries["consumer_c"]).startswith(
        "ValueError: every axis must have at least one element"
    )


def test_from_cpp(libraries):
    assert (
        run("import consumer_cpp; print(*consumer_cpp.squares())", libraries["consumer_c"]) == "1.0 2.0 1.0"
    )


def test_from_cython(libraries):
    code = """
import consumer_cython, numpy as np, fastconv as fc
r = np.random.default_rng(0)
x, w, y = r.random(1000, 'f4'), r.random(9, 'f4'), np.zeros(992, 'f4')
consumer_cython.matched(x, w, y)
assert np.array_equal(y, fc.correlate(x, w))
x, w, y = r.random((20, 1000)), r.random(15), np.zeros((20, 1000))
consumer_cython.rows(x, w, y)
assert np.array_equal(y, fc.convolve(x, w, 'same', axes=1, boundary='nearest'))
print('equal')
"""
    assert run(code, libraries["consumer_cython"]) == "equal"


# ---- versions -------------------------------------------------------------------------------------------


def later_header(major=1, minor=1):
    text = HEADER.read_text()
    text = text.replace("#define FASTCONV_API_MAJOR 1", f"#define FASTCONV_API_MAJOR {major}")
    return text.replace("#define FASTCONV_API_MINOR 0", f"#define FASTCONV_API_MINOR {minor}")


def test_a_library_that_is_older_than_the_header(tmp_path):
    lib = build("consumer_c", tmp_path, later_header(minor=1))
    said = run(BLUR, lib)
    assert said == (
        f"ImportError: this module was built for fastconv's C API 1.1, but fastconv {fc.__version__} has 1.0"
    )


def test_a_module_that_is_content_with_an_older_library(tmp_path):
    lib = build("consumer_c", tmp_path, later_header(minor=1), [("FASTCONV_API_MINOR_TARGET", "0")])
    assert run(BLUR, lib) == "1 0 25.0 25.0"


def test_a_library_of_another_major_version(tmp_path):
    lib = build("consumer_c", tmp_path, later_header(major=2, minor=0))
    assert run(BLUR, lib).startswith("ImportError: this module was built for fastconv's C API 2.0")


LATER_LIBRARY = """
import sys
sys.path.insert(0, {tests!r})
import ctypes, capi_struct, fastconv
later = capi_struct.Api.from_buffer_copy(capi_struct.api)
later.{field} += 1
fastconv._capi._C_API = capi_struct.capsule(ctypes.addressof(later))
"""


@pytest.mark.parametrize(
    ("field", "says"), [("minor", "1 1 25.0 25.0"), ("major", "ImportError: this module was built for")]
)
def test_a_library_that_is_newer(libraries, field, says):
    code = LATER_LIBRARY.format(tests=str(HERE.parent), field=field) + BLUR
    assert run(code, libraries["consumer_c"]).startswith(says)


# ---- what is promised -----------------------------------------------------------------------------------


def signatures():
    """The members of the exported struct and of those it is called with, each on a line."""
    text = re.sub(r"/\*.*?\*/", "", HEADER.read_text(), flags=re.DOTALL)
    found = []
    for body, struct in re.findall(r"typedef struct \{(.*?)\} (\w+);", text, re.DOTALL):
        found += [f"{struct}: {' '.join(member.split())}" for member in body.split(";") if member.strip()]
    for body in re.findall(r"enum \{(.*?)\}", text, re.DOTALL):
        found += [f"enum: {' '.join(body.split())}"]
    return found


def test_the_interface_is_the_committed_one():
    """A line of signatures.txt never changes within a major version; new ones come after them."""
    assert signatures() == (HERE / "signatures.txt").read_text().splitlines()


def test_cython_sees_what_c_sees():
    text = Path(HEADER.parents[2], "capi.pxd").read_text()
    for line in signatures():
        for word in re.findall(r"FASTCONV_\w+|(?<=\(\*)\w+", line):
            assert re.search(rf"\b{word}\b", text), word


def test_the_module_exports_nothing_else():
    from fastconv import _capi

    assert not hasattr(_capi, "__pyx_capi__")
    assert type(_capi._C_API).__name__ == "PyCapsule"
    assert np.intp().itemsize == np.dtype("n").itemsize
