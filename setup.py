"""What pyproject.toml cannot say: which extensions there are, and the compiler flags of each.

A kernel module _kernels.<name>_<isa> is the template _kernels/<name>.pyx.in for one instruction set, expanded
here into build/cython/kernels/<name>_<isa>.pyx.

Environment: FASTCONV_OPENMP=0|1 (never | required; default: wherever a test program links),
FASTCONV_DEBUG=1 (bounds-checked memoryviews, for tests). Delete build/ after changing either.
"""

import os
import re
import shutil
import tempfile
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

SRC = Path("src", "fastconv")
KERNELS = SRC / "_kernels"
BUILD = Path("build", "cython")
EXPANDED = BUILD / "kernels"
DEBUG = os.environ.get("FASTCONV_DEBUG", "") not in ("", "0")

DIRECTIVES = {
    "language_level": 3,
    "boundscheck": DEBUG,
    "initializedcheck": DEBUG,
    "wraparound": False,
    "cdivision": True,
    "binding": True,
    "autotestdict": False,
    "freethreading_compatible": True,
}

# Never -ffast-math: it changes what NaN and infinity mean, and GCC before 13 then links start-up code that
# switches subnormal numbers off for the whole process.
FLAGS = ["-O3", "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=fast", "-fvisibility=hidden"]
AMX = ["-mamx-tile", "-mamx-bf16", "-mamx-int8"]
X86 = {
    "x86_v2": ["-march=x86-64-v2"],
    "x86_v3": ["-march=x86-64-v3"],
    "x86_v4": ["-march=x86-64-v4", "-mprefer-vector-width=512"],
    "x86_vnni": ["-march=x86-64-v4", "-mprefer-vector-width=512", "-mavx512vnni"],
    "x86_amx": ["-march=x86-64-v4", "-mprefer-vector-width=512", "-mavx512vnni", *AMX],
}
BEYOND = {  # the templates that gain from it; for all others it is the set before it
    "x86_vnni": ("bytes", "dot8"),
    "x86_amx": ("bf16x6", "dot8"),
}
ONLY = {"bf16x6": ("x86_amx",)}  # the only sets that a template is for
ARM = {"neon": []}
ANY = {"baseline": []}  # what the compiler takes for granted
RUN_FIRST = ("fastconv._cpu", "fastconv._threads")  # before a processor without kernels is refused

OPENMP = [(["-fopenmp"], ["-fopenmp"]), (["-Xpreprocessor", "-fopenmp"], ["-lomp"])]
OPENMP_MSVC = [(["/openmp"], [])]
OPENMP_PROBE = """
#include <omp.h>
int probe(void) {
    int n = 0;
    #pragma omp parallel reduction(+:n)
    n += 1;
    return n == 0 || omp_get_max_threads() < 1;
}
"""


class BuildExt(build_ext):
    """Chooses kernel modules and flags, then runs Cython: neither is needed for metadata or an sdist."""

    def build_extensions(self):
        if self.parallel is None:
            self.parallel = os.cpu_count() or 1
        isas = self.find_isas()
        omp_compile, omp_link = self.find_openmp()
        self.extensions = [ext for ext in self.extensions if isa_of(ext) in (None, *isas)]
        for ext in self.extensions:
            isa = isa_of(ext)
            if isa:
                flags = isas[isa]
            else:
                flags = [] if ext.name in RUN_FIRST else isas.get("x86_v2", [])
            ext.extra_compile_args = self.spell(FLAGS + flags)
            if not isa:  # kernels are serial
                ext.extra_compile_args += omp_compile
                ext.extra_link_args = omp_link
        self.cythonize()
        super().build_extensions()

    def get_source_files(self):
        return []  # for an sdist, whose files MANIFEST.in names

    def cythonize(self):
        from Cython import Tempita
        from Cython.Build import cythonize

        EXPANDED.mkdir(parents=True, exist_ok=True)
        for ext in self.extensions:
            if isa := isa_of(ext):
                path = Path(ext.sources[0])
                template = KERNELS / f"{path.stem.removesuffix(f'_{isa}')}.pyx.in"
                write_if_changed(path, Tempita.sub(template.read_text(), isa=isa))
        done = cythonize(
            self.extensions,
            build_dir=str(BUILD),
            include_path=["src"],
            compiler_directives=DIRECTIVES,
            nthreads=self.parallel,
        )
        sources = {ext.name: ext.sources for ext in done}
        for ext in self.extensions:
            ext.sources = sources[ext.name]

    def find_isas(self):
        """Kernel modules for the machine that is built for, each with its flags."""
        if self.compiler.compiler_type == "msvc":
            clang = shutil.which("clang-cl")
            if not clang:
                print("fastconv: clang-cl not found; MSVC has no vector types: building slow scalar kernels")
                return ANY
            self.compiler.initialize()
            self.compiler.cc = clang
        machines = [(r"x86[_-]64|amd64", X86), (r"aarch64|arm64", ARM)]
        isas = next((isas for name, isas in machines if re.search(name, self.plat_name)), ANY)
        built = {isa: flags for isa, flags in isas.items() if self.links(self.spell(flags))}
        for isa in isas.keys() - built:
            print(f"fastconv: the compiler cannot build {isa}; left out")
        return built or ANY

    def find_openmp(self):
        """Flags to compile and to link with OpenMP; none for a serial build."""
        wish = os.environ.get("FASTCONV_OPENMP", "")
        if wish != "0":
            msvc = self.compiler.compiler_type == "msvc"
            for compile_args, link_args in OPENMP_MSVC if msvc else OPENMP:
                if self.links(compile_args, link_args, OPENMP_PROBE):
                    return compile_args, link_args
            if wish == "1":
                raise RuntimeError("fastconv: FASTCONV_OPENMP=1, but no OpenMP test program links")
            print("fastconv: no OpenMP found; building without threads")
        return [], []

    def spell(self, flags):
        """GNU flags as this compiler writes them; without debug symbols unless they are asked for."""
        if self.compiler.compiler_type == "msvc":
            return [f"/clang:{flag}" for flag in flags] if "clang" in str(self.compiler.cc) else ["/O2"]
        symbols = DEBUG or "-g" in os.environ.get("CFLAGS", "").split()
        return flags if symbols else [*flags, "-g0"]

    def links(self, compile_args, link_args=None, source="int probe(void) { return 0; }\n"):
        """Do these flags build a shared object? (So LDFLAGS count, and a cross compiler can be asked too.)"""
        with tempfile.TemporaryDirectory() as tmp:
            path = Path(tmp, "probe.c")
            path.write_text(source)
            cc = self.compiler
            try:
                objects = cc.compile([str(path)], output_dir=tmp, extra_postargs=compile_args)
                cc.link_shared_object(
                    objects, str(path.with_suffix(".so")), extra_postargs=link_args, export_symbols=["probe"]
                )
            except Exception:  # each compiler class raises its own
                return False
        return True


def isa_of(ext):
    """The instruction set of a kernel module; None for any other extension."""
    _, found, name = ext.name.rpartition("._kernels.")
    return name.partition("_")[2] if found else None


def write_if_changed(path, text):
    """Keep the time stamp of an unchanged file, so that nothing is rebuilt for it."""
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def extensions():
    import numpy

    headers = [str(path) for path in SRC.rglob("*.h")]
    sources = sorted(SRC.rglob("*.pyx"))
    modules = {".".join(path.relative_to("src").with_suffix("").parts): path for path in sources}
    for template in sorted(KERNELS.glob("*.pyx.in")):
        name = template.name.removesuffix(".pyx.in")
        for isa in (*X86, *ARM, *ANY):
            if name in BEYOND.get(isa, (name,)) and isa in ONLY.get(name, (isa,)):
                modules[f"fastconv._kernels.{name}_{isa}"] = EXPANDED / f"{name}_{isa}.pyx"
    for module, path in modules.items():
        yield Extension(
            module,
            [str(path)],
            include_dirs=[str(KERNELS), str(SRC / "include"), numpy.get_include()],
            define_macros=[("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION")],
            depends=headers,
        )


if __name__ == "__main__":  # and not in the processes that run Cython
    setup(ext_modules=list(extensions()), cmdclass={"build_ext": BuildExt})
