"""What a test can't do without."""

import os
from pathlib import Path

import pytest

from backends import install


def program(name: str) -> Path:
    """The program of a backend; where it can't be had the test is skipped, but not in CI."""
    try:
        return install.BACKENDS[name].install()
    except install.CannotInstallError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
