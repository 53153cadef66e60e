"""The installed package: what show_config() tells, the choice of instruction set, what an import loads.

What the kernels compute is tested elsewhere, under every instruction set.
"""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

import fastconv as fc
from fastconv import _cpu, _kernels

SMALL = """
import json, numpy as np, fastconv as fc
x = np.arange(300.0).reshape(15, 20)
results = {}
for dtype in ["f", "d", "D", "h", "i", "q"]:
    y = fc.convolve(x.astype(dtype), np.array([[1, 2, 3], [4, 5, 6]], dtype), "same", boundary="mirror")
    results[dtype] = y.real.tolist()
print(json.dumps([fc.show_config("dicts"), results]))
"""


def run(code, **environment):
    """Run `code` in a new process, away from the source tree."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("FASTCONV_")}
    return subprocess.run(
        [sys.executable, "-P", "-c", code], env=env | environment, capture_output=True, text=True, timeout=120
    )


def test_show_config_prints_what_it_returns(capsys):
    assert fc.show_config() is None
    printed = capsys.readouterr().out
    config = fc.show_config("dicts")
    assert config["fastconv"]["version"] == fc.__version__
    assert config["instruction sets"]["chosen"] == _kernels.isa
    assert config["threads"]["number"] == fc.get_num_threads()
    for section, entries in config.items():
        assert f"{section}:\n" in printed
        for name in entries:
            assert f"  {name}: " in printed
    json.dumps(config)


def test_show_config_rejects_an_unknown_mode():
    with pytest.raises(ValueError, match="mode must be"):
        fc.show_config("text")


def test_threads_say_what_set_them():
    with fc.threads(1):
        threads = fc.show_config("dicts")["threads"]
    assert threads["number"] == 1
    assert threads["set by"]


def test_the_best_available_instruction_set_is_chosen():
    assert set(_kernels.available()) == set(_kernels.built()) & set(_cpu.supported_isas())
    done = run("from fastconv import _kernels; print(_kernels.isa, _kernels.isa_source)")
    assert done.stdout.split() == [_kernels.available()[0], "processor"], done.stderr


def test_every_available_instruction_set_gives_the_same():
    expected = None
    for isa in _kernels.available():
        done = run(SMALL, FASTCONV_ISA=isa)
        assert done.returncode == 0, done.stderr
        config, results = json.loads(done.stdout)
        assert config["instruction sets"]["chosen"] == isa
        assert config["instruction sets"]["chosen by"] == "FASTCONV_ISA"
        expected = expected or results
        for dtype, result in results.items():
            np.testing.assert_allclose(result, expected[dtype], rtol=1e-6, err_msg=f"{isa} {dtype}")


def test_an_unknown_instruction_set_is_an_import_error():
    done = run("import fastconv", FASTCONV_ISA="mmx")
    assert done.returncode == 1
    message = done.stderr.splitlines()[-1]
    assert "ImportError: FASTCONV_ISA='mmx'" in message
    assert all(isa in message for isa in _kernels.available())


def test_an_instruction_set_that_the_processor_lacks_is_an_import_error():
    lacking = [isa for isa in _kernels.ISAS if isa not in _kernels.available()]
    done = run("import fastconv", FASTCONV_ISA=lacking[0])
    assert done.returncode == 1
    assert f"ImportError: FASTCONV_ISA='{lacking[0]}'" in done.stderr.splitlines()[-1]


def test_a_processor_without_kernels_is_an_import_error():
    done = run(
        "import sys, types\n"
        "sys.modules['fastconv._cpu'] = types.SimpleNamespace(supported_isas=lambda: ['abacus'])\n"
        "import fastconv"
    )
    assert done.returncode == 1
    message = done.stderr.splitlines()[-1]
    assert message.startswith("ImportError: fastconv was built for")
    assert "abacus" in message


def test_an_import_loads_little():
    done = run("import sys, numpy; old = set(sys.modules); import fastconv; print(*(set(sys.modules) - old))")
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert "fastconv" in loaded, done.stderr
    assert not loaded & {"scipy", "matplotlib", "dask", "argparse", "asyncio", "multiprocessing", "wave"}


def test_no_denormals_are_switched_off():
    done = run("import fastconv; x = 1e-310; print(x * 1.5 > x)")
    assert done.stdout.strip() == "True", done.stderr


def test_no_import_switches_the_gil_on():
    """Every module is imported; a free-threaded Python warns where one does not say that it needs no GIL."""
    done = run(
        "import importlib, pkgutil, re, sys, numpy, fastconv\n"
        "gil = getattr(sys, '_is_gil_enabled', lambda: True)\n"
        "before = gil()\n"
        "for module in pkgutil.walk_packages(fastconv.__path__, 'fastconv.'):\n"
        "    if not re.search('_kernels[.]|__main__|_demo_plot', module.name):\n"
        "        importlib.import_module(module.name)\n"
        "        assert gil() == before, module.name\n"
        "print(len(sys.modules))",
        PYTHONWARNINGS="error::RuntimeWarning",
    )
    assert int(done.stdout) > 100, done.stderr
