"""The picture of `python -m fastconv demo --plot FILE`: the jobs of `_demo`, drawn with matplotlib."""

import importlib
from typing import Any

import numpy as np

try:
    Figure: Any = importlib.import_module("matplotlib.figure").Figure
except ImportError as error:
    raise ValueError("--plot needs matplotlib: pip install matplotlib, or fastconv[plot]") from error

from fastconv._demo import CUTOFF, RATE, Job

PATHS = ("#1b4965", "#5fa8d3", "#f2a65a", "#d1495b")  # one colour for each first roll a


def draw(path: str, ball: Job, sound: Job, image: Job) -> None:
    """Draw the three jobs, a row each, into the file `path`."""
    figure = Figure(figsize=(13, 12.5), layout="constrained")
    figure.get_layout_engine().set(h_pad=0.12, w_pad=0.08)
    rows = figure.subfigures(3, 1, height_ratios=(1, 1.05, 1.25))
    _ball(rows[0], ball)
    _sound(rows[1], sound)
    _image(rows[2], image)
    figure.savefig(path, dpi=110)


def _ball(figure: Any, job: Job) -> None:
    figure.suptitle("A dropped ball: P(total = c) collects every path a + b = c", weight="bold")
    first, second, both = figure.subplots(1, 3, width_ratios=(4, 3, 8), sharey=True)
    first.bar(range(job.x.size), job.x, color=PATHS)
    first.set(title="first roll f(a)", xlabel="a", ylabel="probability")
    second.bar(range(job.h.size), job.h, color="#8d99ae")
    second.set(title="second roll g(b)", xlabel="b")
    floor = np.zeros(job.y.size)
    for a, (p, colour) in enumerate(zip(job.x, PATHS)):
        c = a + np.arange(job.h.size)
        both.bar(c, p * job.h, bottom=floor[c], color=colour, edgecolor="white", label=f"a = {a}")
        for b, share in enumerate(p * job.h):
            if share >= 0.03:
                height = floor[a + b] + share / 2
                both.text(a + b, height, f"f({a})·g({b})", ha="center", va="center", color="white", size=8)
        floor[c] += p * job.h
    marks = {"color": "black", "markersize": 34, "markeredgewidth": 2}
    both.plot(range(job.y.size), job.y, "_", label="fastconv.convolve(f, g)", **marks)
    both.set(title="total (f * g)(c)", xlabel="c")
    both.legend(frameon=False, loc="upper left", markerscale=0.5)
    for axes in (first, second, both):
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.yaxis.set_major_formatter("{x:.0%}")
        axes.spines[["top", "right"]].set_visible(False)


def _sound(figure: Any, job: Job) -> None:
    figure.suptitle(f"A minute of sound: low-pass at {CUTOFF / 1000:g} kHz, {job.h.size} taps", weight="bold")
    panels = figure.subplots(1, 2, sharex=True, sharey=True)
    for axes, sound, title in zip(panels, (job.x, job.y), ("a rising tone and hiss", "filtered")):
        *_, mesh = axes.specgram(sound, NFFT=2048, Fs=RATE, noverlap=0, vmin=-140, vmax=-40, cmap="magma")
        axes.axhline(CUTOFF, color="white", linewidth=0.8, linestyle="--")
        axes.set(title=title, xlabel="time in s")
    panels[0].set_yticks(range(0, 24_001, 4_000), [f"{kilo}" for kilo in range(0, 25, 4)])
    panels[0].set_ylabel("frequency in kHz")
    figure.colorbar(mesh, ax=panels, label="dB per Hz", pad=0.01)


def _image(figure: Any, job: Job) -> None:
    (height, width), taps = job.x.shape, job.h.shape
    figure.suptitle(
        f"An image of {width} × {height} pixels: out of focus, {taps[0]} × {taps[1]} taps", weight="bold"
    )
    panels = figure.subplots(1, 2)
    for axes, picture, title in zip(panels, (job.x, job.y), ("sharp", "filtered")):
        axes.imshow(np.clip(picture, 0, 1) ** (1 / 2.2), cmap="inferno", vmin=0, vmax=1)
        axes.set_title(title)
        axes.set_axis_off()
