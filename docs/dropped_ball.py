"""The pictures of dropped_ball.md: python docs/dropped_ball.py (needs matplotlib, which brings Pillow)."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import numpy as np
from matplotlib import pyplot
from matplotlib.animation import FuncAnimation, PillowWriter

from fastconv.probability import PMF

HERE = Path(__file__).parent
F, G = np.array([0.1, 0.3, 0.4, 0.2]), np.array([0.2, 0.5, 0.3])
COLOURS = ("#1b4965", "#5fa8d3", "#f2a65a", "#d1495b")  # one for each first roll a
GREY = "#8d99ae"


def clean(axes, title, xlabel, most=None):
    axes.set_title(title, fontsize=11)
    axes.set_xlabel(xlabel)
    axes.spines[["top", "right"]].set_visible(False)
    axes.xaxis.get_major_locator().set_params(integer=True)
    if most:
        axes.set_ylim(0, most)


def two_rolls():
    figure, (one, two) = pyplot.subplots(1, 2, figsize=(9, 2.6), layout="constrained", sharey=True)
    one.bar(range(4), F, color=COLOURS)
    clean(one, "first drop: it rolls a with probability f(a)", "a")
    one.set_ylabel("probability")
    two.bar(range(3), G, color=GREY)
    clean(two, "second drop: it rolls b with probability g(b)", "b")
    two.set_xticks(range(3))
    return figure


def ground(axes, paths):
    """Rolls as arcs above the ground: the first from 0 to a, the second from a to a + b."""
    axes.axhline(0, color="black", linewidth=1)
    for a, b in paths:
        for begin, roll, colour in ((0, a, COLOURS[a]), (a, b, GREY)):
            t = np.linspace(0, np.pi, 60)
            if roll:
                axes.plot(begin + roll * (1 - np.cos(t)) / 2, 0.45 * roll * np.sin(t), color=colour, lw=2)
            else:
                axes.plot(begin, 0.12, "v", color=colour, ms=7)
    axes.set(xlim=(-0.4, 5.4), ylim=(-0.1, 1.5), xticks=range(6), yticks=[], xlabel="place")
    axes.spines[["top", "right", "left"]].set_visible(False)


def one_path():
    figure, axes = pyplot.subplots(figsize=(6, 2.2), layout="constrained")
    ground(axes, [(2, 1)])
    axes.plot(3, 0, "o", color="black", ms=11, clip_on=False)
    axes.text(1, 1.0, "a = 2, f(2) = 0.4", ha="center", color=COLOURS[2])
    axes.text(2.55, 0.6, "b = 1, g(1) = 0.5", ha="left", color="#5c677d")
    axes.set_title("one path to 3: 0.4 · 0.5 = 0.20", fontsize=11)
    return figure


def all_paths():
    figure, panels = pyplot.subplots(1, 3, figsize=(9, 2.2), layout="constrained")
    for axes, a in zip(panels, (1, 2, 3)):
        ground(axes, [(a, 3 - a)])
        axes.plot(3, 0, "o", color="black", ms=9, clip_on=False)
        axes.set_title(
            f"f({a})·g({3 - a}) = {F[a]:.1f} · {G[3 - a]:.1f} = {F[a] * G[3 - a]:.2f}", fontsize=11
        )
    figure.suptitle("P(total = 3) = 0.09 + 0.20 + 0.04 = 0.33", weight="bold", fontsize=11)
    return figure


def the_sum():
    figure, axes = pyplot.subplots(figsize=(7, 3.2), layout="constrained")
    floor = np.zeros(6)
    for a, colour in enumerate(COLOURS):
        c = a + np.arange(3)
        axes.bar(c, F[a] * G, bottom=floor[c], color=colour, edgecolor="white", label=f"a = {a}")
        for b, share in enumerate(F[a] * G):
            if share >= 0.035:
                place = {"ha": "center", "va": "center", "color": "white", "fontsize": 8}
                axes.text(a + b, floor[a + b] + share / 2, f"f({a})·g({b})", **place)
        floor[c] += F[a] * G
    total = (PMF(F) + PMF(G)).values
    axes.plot(range(6), total, "_", color="black", ms=40, mew=2, label="PMF(f) + PMF(g)")
    axes.legend(frameon=False, loc="upper left", markerscale=0.4, fontsize=9)
    clean(axes, "every total collects its paths: the convolution of f and g", "c = a + b", 0.37)
    axes.set_ylabel("probability")
    return figure


def normal_limit():
    figure, panels = pyplot.subplots(2, 4, figsize=(10, 4.4), layout="constrained")
    for (above, below), n in zip(panels.T, (1, 3, 10, 100)):
        total = n * PMF(F)
        x, p = total.support, total.probabilities
        z = (x - total.mean) / total.var**0.5
        normal = np.exp(-z * z / 2) / np.sqrt(2 * np.pi * total.var)
        near = np.abs(z) < 4.5
        above.bar(x[near], p[near], color=COLOURS[1], width=0.9)
        above.plot(x[near], normal[near], color=COLOURS[3], lw=1.5)
        clean(above, f"{n} drop{'s' * (n > 1)}", "")
        below.semilogy(x, p, color=COLOURS[0], lw=2)
        below.semilogy(x, np.maximum(normal, p.min()), color=COLOURS[3], lw=1.2)
        clean(below, "", "total")
    panels[0, 0].set_ylabel("probability")
    panels[1, 0].set_ylabel("the same, log scale")
    figure.suptitle(
        "n drops (blue) and the normal curve (red): alike in the middle, not in the tails", fontsize=11
    )
    return figure


def animation(file):
    """f slides along, c grows: the products over the overlap are added up."""
    figure, (above, below) = pyplot.subplots(
        2, 1, figsize=(4.6, 4.2), dpi=70, layout="constrained", sharex=True, height_ratios=(3, 2)
    )
    total = np.convolve(F, G)

    def draw(c):
        for axes in (above, below):
            axes.clear()
        above.bar(np.arange(4) - 0.2, F, 0.38, color=COLOURS)
        above.bar(c - np.arange(3) + 0.2, G, 0.38, color=GREY)
        paths = [(a, c - a) for a in range(4) if 0 <= c - a < 3]
        for a, b in paths:
            above.text(a, max(F[a], G[b]) + 0.02, f"{F[a] * G[b]:.2f}", ha="center", fontsize=9)
        clean(above, f"c = {c}:  " + " + ".join(f"f({a})g({b})" for a, b in paths), "", 0.62)
        below.bar(range(c + 1), total[: c + 1], color=[GREY] * c + ["#2b2d42"])
        below.text(c, total[c] + 0.01, f"{total[c]:.2f}", ha="center", fontsize=9)
        clean(below, "P(total = c)", "c", 0.42)
        below.set(xlim=(-2.6, 7.6))

    FuncAnimation(figure, draw, range(6)).save(file, PillowWriter(fps=1))


def main():
    for draw in (two_rolls, one_path, all_paths, the_sum, normal_limit):
        figure = draw()
        figure.savefig(HERE / f"dropped_ball_{draw.__name__}.png", dpi=90)
        pyplot.close(figure)
    animation(HERE / "dropped_ball.gif")


if __name__ == "__main__":
    main()
