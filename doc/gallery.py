"""Order of the examples of the gallery, and the data that they need."""

import re
from functools import cache
from pathlib import Path

from ctsk import datasets

EXAMPLES = Path(__file__).parents[1] / "examples"

# Order of the examples in the gallery. Other examples follow, sorted by name.
ORDER = (
    "plot_quickstart",
    "plot_comparison",
    "plot_recourse_csv",
    "plot_audit",
    "plot_digits",
    "plot_fine_tuning",
    "plot_tuning",
    "plot_own_generator",
    "plot_stopping",
    "plot_robustness",
    "plot_nearest",
    "plot_pipeline",
    "plot_calibration",
    "plot_cnn",
    "plot_storing",
    "plot_numeric_embeddings",
    "plot_tabm",
    "plot_optuna",
    "plot_dask",
    "plot_partial_fit",
)

# Functions of ctsk.datasets that fetch what an example needs. An example that is not listed needs
# nothing that scikit-learn or ctsk does not contain.
DATA = {
    "plot_audit": ("fetch_adult",),
    "plot_calibration": ("fetch_credit_default",),
    "plot_numeric_embeddings": ("fetch_california_housing",),
    "plot_optuna": ("fetch_gmsc",),
    "plot_partial_fit": ("fetch_gmsc",),
    "plot_pipeline": ("fetch_adult",),
    "plot_quickstart": ("fetch_german_credit",),
    "plot_recourse_csv": ("fetch_heloc",),
    "plot_stopping": ("fetch_heloc", "fetch_gmsc"),
    "plot_robustness": ("fetch_california_housing",),
    "plot_tabm": ("fetch_heloc",),
}


class ExampleOrder:
    """Sort key of an example: its position in ORDER, then its name."""

    def __init__(self, folder):
        self.folder = folder

    def __call__(self, file_name):
        """Return the sort key of a file."""
        name = Path(file_name).stem
        return (ORDER.index(name) if name in ORDER else len(ORDER), name)


@cache
def is_available(fetch):
    """Return whether a function of ctsk.datasets finds or downloads its data."""
    try:
        getattr(datasets, fetch)()
    except OSError:
        return False
    return True


def examples_to_run():
    """Return the pattern of the file names of all examples whose data are available."""
    names = sorted(file.stem for file in EXAMPLES.glob("plot_*.py"))
    ready = [name for name in names if all(map(is_available, DATA.get(name, ())))]
    return rf"/({'|'.join(map(re.escape, ready))})\.py$"
