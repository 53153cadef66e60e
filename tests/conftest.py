"""Shared by all tests: seeded random numbers, hypothesis profiles, and what is under test."""

import os

import hypothesis
import numpy as np
import pytest

import fastconv

hypothesis.settings.register_profile("local", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "local")


def pytest_report_header():
    return f"fastconv {fastconv.__version__} from {os.path.dirname(fastconv.__file__)}"


@pytest.fixture
def rng():
    return np.random.default_rng(314159)
