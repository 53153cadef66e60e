"""The pictures of docs/ndimage.md: each filter of fastconv.ndimage on one image that is made here.

    python docs/gallery.py [FOLDER]

Writes a PNG for each line of `FILTERS`, one of the image itself, one of the modes and one of a box's drift.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from fastconv import ndimage

# picture, what the page shows, whether the result has both signs
FILTERS = [
    ("gaussian", "ndimage.gaussian_filter(image, 2)", False),
    ("uniform", "ndimage.uniform_filter(image, 9)", False),
    ("unsharp", "ndimage.unsharp_mask(image, 2, amount=1.5)", False),
    ("correlate", "ndimage.correlate(image, np.eye(11) / 11)", False),
    ("convolve1d", "ndimage.convolve1d(image, np.ones(15) / 15, axis=0)", False),
    ("sep_filter", "ndimage.sep_filter(image, ([1, 2, 1], [-1, 0, 1]))", True),
    ("sobel", "ndimage.sobel(image, axis=1)", True),
    ("scharr", "ndimage.scharr(image, axis=0)", True),
    ("prewitt", "ndimage.prewitt(image, axis=1)", True),
    ("laplace", "ndimage.laplace(image)", True),
    ("log", "ndimage.gaussian_laplace(image, 2)", True),
    ("magnitude", "ndimage.gaussian_gradient_magnitude(image, 1.5) * 4", False),
]
MODES = ("reflect", "mirror", "nearest", "wrap", "constant")


def scene(height: int = 120, width: int = 160) -> np.ndarray:
    """Discs, bars that become narrower, a slope and noise: float32 from 0 to 255."""
    rng = np.random.default_rng(7)
    r, c = np.mgrid[:height, :width] / height
    image = 60 + 60 * c
    for row, column, radius, value in ((0.3, 0.32, 0.2, 230), (0.36, 0.4, 0.08, 30), (0.7, 0.55, 0.12, 20)):
        image = np.where((r - row) ** 2 + (c - column) ** 2 < radius**2, value, image)
    bars = np.sin(2 * np.pi * 3 * (c - 0.75) ** 2 * 12) > 0
    image = np.where((c > 0.78) & (r > 0.12) & (r < 0.5), np.where(bars, 240, 20), image)
    image = np.where(np.abs(r + c - 1.62) < 0.02, 250, image)
    checks = (np.floor(r * 12) + np.floor(c * 12)) % 2
    image = np.where((r > 0.75) & (c < 0.4), 40 + 170 * checks, image)
    return np.clip(image + rng.normal(0, 8, image.shape), 0, 255).astype(np.float32)


def results(image: np.ndarray) -> dict[str, np.ndarray]:
    """Every filter's result."""
    names: dict[str, Any] = {"ndimage": ndimage, "np": np, "image": image}
    return {name: eval(code, names) for name, code, _ in FILTERS}


def continued(mode: str, image: np.ndarray, by: int) -> np.ndarray:
    """The image as a filter sees it: the middle of wide windows of zeros and a one."""
    shift = np.zeros(2 * by + 1)
    height, width = image.shape
    wide = np.zeros((height + 2 * by, width + 2 * by))
    for down in (0, by, 2 * by):
        for right in (0, by, 2 * by):
            rows, columns = shift.copy(), shift.copy()
            rows[down] = columns[right] = 1
            wide[down : down + height, right : right + width] = ndimage.sep_filter(
                image, (rows, columns), mode=mode, cval=0
            )
    return wide


def running(line: np.ndarray, m: int) -> np.ndarray:
    """The means of m elements by a running sum in the dtype of the line."""
    total = line[:m].sum()
    means = [total]
    for new, old in zip(line[m:], line[:-m]):
        total = total + new - old
        means.append(total)
    return np.array(means) / m


def grey(values: np.ndarray, signs: bool) -> np.ndarray:
    """Bytes for a picture: black to white, or grey for 0."""
    if signs:
        values = 127.5 + 127.5 * values / np.percentile(np.abs(values), 99)
    return ndimage.correlate(np.clip(values, 0, 255), [[1.0]], np.uint8, rounding="nearest")


def save_pictures(folder: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    image = scene()
    found = results(image)
    pictures = {"image": grey(image, False)}
    pictures |= {name: grey(found[name], signs) for name, _, signs in FILTERS}
    for name, picture in pictures.items():
        double = np.kron(picture, np.ones((2, 2), np.uint8))
        pyplot.imsave(folder / f"ndimage_{name}.png", double, cmap="gray")

    figure, axes = pyplot.subplots(1, len(MODES), figsize=(10, 2))
    for place, mode in zip(axes, MODES):
        place.imshow(continued(mode, image[20:80, 40:110], 24), cmap="gray", vmin=0, vmax=255)
        place.add_patch(pyplot.Rectangle((23.5, 23.5), 70, 60, fill=False, edgecolor="tab:orange"))
        place.set_title(f'"{mode}"', fontsize=9)
        place.axis("off")
    figure.savefig(folder / "ndimage_modes.png", dpi=80, bbox_inches="tight")

    line = np.ones(60, np.float32)
    line[10] = 1e9
    figure, place = pyplot.subplots(figsize=(6, 1.8))
    place.plot(ndimage.uniform_filter1d(line, 5), label="fastconv")
    place.plot(np.arange(2, 58), running(line, 5), "--", label="a running sum")
    place.set_ylim(-0.5, 2.5)
    place.legend(fontsize=8)
    figure.savefig(folder / "ndimage_drift.png", dpi=80, bbox_inches="tight")


if __name__ == "__main__":
    save_pictures(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
