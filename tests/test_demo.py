"""`python -m fastconv demo`: what it prints is true, a wrong result is found, the picture is drawn."""

import os
import re
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest

import fastconv
from fastconv import _demo
from fastconv._cli import main


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(_demo, "SECONDS", 1)
    city = _demo._city
    monkeypatch.setattr(_demo, "_city", lambda height, width: city(270, 480))


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_the_command(encoding):
    command = [sys.executable, "-X", "utf8=0", "-m", "fastconv", "demo"]
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    run = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""
    assert run.stdout.count(": right\n") == 3 and "WRONG" not in run.stdout
    for unit in "Msamples/s", "Mpixel/s", "GFLOP/s":
        assert (
            all(float(number) > 0 for number in re.findall(rf"([\d.]+) {unit}", run.stdout))
            and unit in run.stdout
        )


def test_the_table(small, capsys):
    assert main(["demo"]) == 0
    rows = re.findall(r"^ +(\d) +(f\(.*\))  +(\S+) +(\S+)$", capsys.readouterr().out, re.MULTILINE)
    assert [int(c) for c, *_ in rows] == list(range(6))
    assert sum(Fraction(exact) for *_, exact in rows) == 1
    for c, paths, p, exact in rows:
        terms = [(int(a), int(b)) for a, b in re.findall(r"f\((\d)\)·g\((\d)\)", paths)]
        assert terms and all(a + b == int(c) for a, b in terms)
        assert Fraction(p) == Fraction(exact) == sum(Fraction(_demo.F[a] * _demo.G[b], 100) for a, b in terms)


@pytest.mark.parametrize("which", [0, 1, 2])
def test_a_wrong_result_is_found(which, small, capsys, monkeypatch):
    right = fastconv.convolve

    def convolve(a, v, *args, **options):
        y = right(a, v, *args, **options)
        if (v.size, v.ndim) == [(3, 1), (511, 1), (441, 2)][which]:
            y[(-1,) * y.ndim] *= 1.001
        return y

    monkeypatch.setattr(fastconv, "convolve", convolve)
    assert main(["demo"]) == 1
    verdicts = re.findall(r": (right|WRONG)$", capsys.readouterr().out, re.MULTILINE)
    assert verdicts == ["WRONG" if k == which else "right" for k in range(3)]


def test_plot(small, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    picture = tmp_path / "demo.png"
    assert main(["demo", "--plot", str(picture)]) == 0
    assert picture.read_bytes().startswith(b"\x89PNG") and picture.stat().st_size > 50_000
    assert f"drawn: {picture}" in capsys.readouterr().out


def test_plot_where_it_cannot_be_written(small, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    assert main(["demo", "--plot", str(tmp_path / "nowhere" / "demo.png")]) == 2
    assert capsys.readouterr().err.endswith("demo.png: No such file or directory\n")


def test_plot_without_matplotlib():
    code = "import sys; sys.modules['matplotlib'] = None; from fastconv._cli import main; sys.exit(main())"
    run = subprocess.run(
        [sys.executable, "-c", code, "demo", "--plot", "x.png"], capture_output=True, text=True
    )
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr.startswith("fastconv: error: --plot needs matplotlib") and run.stderr.count("\n") == 1


def test_the_definition_it_checks_with():
    x, h = np.arange(1, 6, dtype=np.float32), np.array([1, 10, 100, 1000], np.float32)
    whole = np.convolve(np.pad(x, 3, mode="symmetric"), h, "valid")[1:6]
    assert [sum(_demo._terms(x, h, [i], True)) for i in range(5)] == whole.tolist()
    assert [sum(_demo._terms(x, h, [i], False)) for i in range(5)] == np.convolve(x, h, "same").tolist()
