"""This project's version, as its distribution tells it."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("pocketflow-otel")
except PackageNotFoundError:  # run from its source without having been installed
    __version__ = "0+unknown"
