"""docs/ndimage.md shows what docs/gallery.py computes, and its examples do what they show."""

import doctest
import importlib.util
from pathlib import Path

import numpy as np
import pytest

DOCS = Path(__file__).parents[1] / "docs"
PAGE = DOCS / "ndimage.md"

pytestmark = pytest.mark.skipif(not PAGE.exists(), reason="the documentation is not here")


@pytest.fixture(scope="module")
def gallery():
    spec = importlib.util.spec_from_file_location("gallery", DOCS / "gallery.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_filter_runs_and_is_shown(gallery):
    page = PAGE.read_text(encoding="utf-8")
    image = gallery.scene(60, 80)
    found = gallery.results(image)
    for name, code, signs in gallery.FILTERS:
        assert f"`{code}`" in page and f"(ndimage_{name}.png)" in page
        assert found[name].shape == image.shape and np.isfinite(found[name]).all()
        assert gallery.grey(found[name], signs).dtype == np.uint8


def test_modes_are_those_of_pad(gallery):
    image = gallery.scene(20, 30)
    names = {
        "reflect": "symmetric",
        "mirror": "reflect",
        "nearest": "edge",
        "wrap": "wrap",
        "constant": "constant",
    }
    for mode in gallery.MODES:
        want = np.pad(image, 9, names[mode])
        np.testing.assert_allclose(gallery.continued(mode, image, 9), want, err_msg=mode)


def test_pictures(gallery, tmp_path):
    pytest.importorskip("matplotlib")
    gallery.save_pictures(tmp_path)
    made = {path.name for path in tmp_path.glob("*.png")}
    assert made == {path.name for path in DOCS.glob("ndimage_*.png")}
    assert sum(path.stat().st_size for path in DOCS.glob("ndimage_*.png")) < 600_000


def test_examples():
    failed, tried = doctest.testfile(str(PAGE), module_relative=False)
    assert tried > 5 and failed == 0
