"""logos: run LOGOS, the open scientific language model, on your own machine."""

__version__ = "0.1.0"
