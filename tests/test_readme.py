"""The examples in README.md do what they show."""

import doctest
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"


@pytest.mark.skipif(not README.exists(), reason="README.md is not here")
def test_examples():
    failed, tried = doctest.testfile(str(README), module_relative=False)
    assert tried > 10 and failed == 0
