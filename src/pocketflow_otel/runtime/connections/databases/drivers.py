"""Packages that tables and databases need."""

from __future__ import annotations

import importlib


class MissingPackage(ImportError):  # noqa: N818 - it says what is the matter
    """A package that is not installed; the message says which extra brings it."""


def required(package: str, extra: str) -> None:
    """Makes sure that a package is there.

    Args:
        package: As it is imported.
        extra: Which extra of ours brings it.

    Raises:
        MissingPackage: It is not there, or can't be imported.
    """
    try:
        importlib.import_module(package)
    except ImportError as error:
        raise MissingPackage(f"{package} is needed ({error}): pip install 'pocketflow-otel[{extra}]'") from error
