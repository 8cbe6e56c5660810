"""What is left out is told by warnings, of which there would be thousands here."""

import logging

import pytest
import seisbench


@pytest.fixture(autouse=True)
def quiet():
    level = seisbench.logger.level
    seisbench.logger.setLevel(logging.CRITICAL)
    yield
    seisbench.logger.setLevel(level)
