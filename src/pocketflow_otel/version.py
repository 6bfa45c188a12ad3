"""This project's version; the distribution's is read from here, for asking the distribution takes 20 ms of start-up."""

__version__ = "0.1.0"
