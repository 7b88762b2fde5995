"""Inputs of every dtype, shape, index and container: the table, and how to try one.

The tests and ``benchmarks/hostile_inputs.py`` share them.
"""

from hostile_frames import axes, cells, columns, containers, labels, libraries, requests
from hostile_frames.attempt import SilentError, UnclearError, attempt

TABLES = (columns, cells, containers, axes, libraries, labels, requests)


def all_cases():
    """Return the cases of all tables."""
    return [case for table in TABLES for case in table.cases()]


__all__ = ["SilentError", "UnclearError", "all_cases", "attempt"]
