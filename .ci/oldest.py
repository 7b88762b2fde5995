"""Print constraints.txt with the oldest supported versions of the dependencies and of pandas.

The lower bounds in setup.cfg replace the tested versions, except that of torch: the package index
has no older builds of torch for the CPU alone, and those with CUDA take gigabytes. All other
packages, which only plots, clusters, tests and documentation use, keep their tested versions.
"""

import configparser
from pathlib import Path

ROOT = Path(__file__).parent.parent


def oldest_versions():
    """Return the lower bounds in setup.cfg by package."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    dependencies = config["options"]["install_requires"]
    pandas = config["options.extras_require"]["pandas"]
    oldest = dict(line.split(">=") for line in (dependencies + pandas).split())
    del oldest["torch"]
    return oldest


def main():
    """Print the constraints, one package a line."""
    oldest = oldest_versions()
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        name = line.partition("==")[0]
        print(f"{name}=={oldest[name]}" if name in oldest else line)


if __name__ == "__main__":
    main()
