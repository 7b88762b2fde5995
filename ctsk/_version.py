"""The version of ctsk."""

__version__ = "0.1.0"
