"""The machine and the versions of a measurement."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

import ctsk

PACKAGES = ("torch", "numpy", "scipy", "scikit-learn", "skorch")


def describe():
    """Return the processor, the number of cores, and the versions of Python and packages."""
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    python = f"Python {platform.python_version()}, ctsk {ctsk.__version__}"
    return f"{processor()}, {os.cpu_count()} cores; {python}, {versions}"


def processor():
    """Return the name of the processor, as far as the system tells it."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())
