"""MNIST: handwritten digits."""

import os

import numpy as np
from sklearn.utils import Bunch
from sklearn.utils._param_validation import StrOptions, validate_params

from ctsk.datasets.convert import openml_frame
from ctsk.datasets.files import ARRAYS, StoredFile, load

_N_TRAIN = 60_000
_SIDE = 28
_DESCR = """MNIST: handwritten digits (LeCun, Cortes and Burges).

Source: the original IDX files. Licence, as commonly stated: CC BY-SA 3.0.

60,000 images for training and 10,000 for testing, in the original order; 28 x 28 pixels from 0
(background) to 255. No two images are equal."""


def _obtain(folder):
    """Shape OpenML's rows, of which those for training come first."""
    frame = openml_frame(554)
    y = frame.pop("class").astype("uint8").to_numpy()
    X = frame.to_numpy(dtype=np.uint8).reshape(-1, _SIDE, _SIDE)
    return {
        "X_train": X[:_N_TRAIN],
        "y_train": y[:_N_TRAIN],
        "X_test": X[_N_TRAIN:],
        "y_test": y[_N_TRAIN:],
    }


MNIST = StoredFile(
    "mnist.npz",
    "06b0d1f124c4e5fa796686ade41a9b778edacc8622f2195a352ef479ad44fc16",
    ARRAYS,
    _obtain,
    "It is an archive of numpy.savez with the uint8 arrays X_train (60000, 28, 28), y_train, "
    "X_test (10000, 28, 28) and y_test of the original IDX files.",
)


@validate_params(
    {
        "data_home": [str, os.PathLike, None],
        "download_if_missing": ["boolean"],
        "return_X_y": ["boolean"],
        "as_frame": ["boolean"],
        "subset": [StrOptions({"train", "test", "all"})],
        "scale": ["boolean"],
    },
    prefer_skip_nested_validation=True,
)
def fetch_mnist(
    *,
    data_home=None,
    download_if_missing=True,
    return_X_y=False,
    as_frame=False,
    subset="train",
    scale=True,
):
    """Load MNIST: handwritten digits.

    Parameters
    ----------
    data_home : str, path-like or None, default=None
        Folder that holds, or will hold, ``mnist.npz``. None is the folder that the
        environment variable ``CTSK_DATA_HOME`` names, else scikit-learn's.
    download_if_missing : bool, default=True
        Whether to download the data from OpenML and keep the file if it is not there.
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` in place of a Bunch.
    as_frame : bool, default=False
        Whether to return pandas objects, with columns "pixel_0" to "pixel_783".
    subset : {"train", "test", "all"}, default="train"
        60,000, 10,000 or 70,000 images; under "all" those for training come first.
    scale : bool, default=True
        Whether to map pixels to [-1, 1], as float32; otherwise they are integers from 0
        to 255, as uint8.

    Returns
    -------
    data : Bunch or tuple
        With `return_X_y` only the first two of these:

        data : ndarray or DataFrame of shape (n_rows, 784)
            Pixels, row by row.
        target : ndarray or Series of shape (n_rows,)
            Digits.
        images : ndarray of shape (n_rows, 28, 28)
            The same pixels; a view of data unless `as_frame`.
        frame : DataFrame of shape (n_rows, 785) or None
            Both; None without `as_frame`.
        feature_names : list of str
            Columns of data.
        target_names : list of str
            "0" to "9".
        domain : list of pairs
            (-1, 1), or (0, 255), for each pixel: for the parameter of
            `CounterfactualTrainedClassifier` that is called so.
        mutability : None
            All pixels may change.
        DESCR : str
            Source, licence.

    Raises
    ------
    OSError
        If the file is not there, and cannot be downloaded or is not to be.
    ValueError
        If the file, or what is downloaded, does not hold exactly the data.

    Examples
    --------
    >>> from ctsk.datasets import fetch_mnist
    >>> X, y = fetch_mnist(return_X_y=True)  # doctest: +SKIP
    """
    arrays = load(MNIST, data_home, download_if_missing)
    parts = ["train", "test"] if subset == "all" else [subset]
    images = np.concatenate([arrays[f"X_{part}"] for part in parts])
    y = np.concatenate([arrays[f"y_{part}"] for part in parts]).astype(np.int64)
    if scale:
        images = images.astype(np.float32) / np.float32(127.5) - 1
    data = _bunch(images, y, scale)
    if as_frame:
        _frame(data)
    return (data.data, data.target) if return_X_y else data


def _bunch(images, y, scale):
    n_pixels = _SIDE * _SIDE
    return Bunch(
        data=images.reshape(-1, n_pixels),
        target=y,
        images=images,
        frame=None,
        feature_names=[f"pixel_{position}" for position in range(n_pixels)],
        target_names=[str(digit) for digit in range(10)],
        domain=[(-1, 1) if scale else (0, 255)] * n_pixels,
        mutability=None,
        DESCR=_DESCR,
    )


def _frame(data):
    """Turn the arrays of a Bunch into pandas objects."""
    import pandas as pd

    data.data = pd.DataFrame(data.data, columns=data.feature_names)
    data.target = pd.Series(data.target, name="target")
    data.frame = pd.concat([data.data, data.target], axis=1)
