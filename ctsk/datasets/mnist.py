"""MNIST: handwritten digits (LeCun, Cortes and Burges).

Source: the original IDX files. License, as commonly stated: CC BY-SA 3.0.

60,000 training images and 10,000 test images, in the original order, of 28 x 28 pixels from 0
(background) to 255. No two images are equal.
"""

import os

import numpy as np
from sklearn.utils import Bunch
from sklearn.utils._param_validation import StrOptions, validate_params

from ctsk.datasets.convert import openml_frame
from ctsk.datasets.files import ARRAYS, StoredFile, load

_N_TRAIN = 60_000
_SIDE = 28


def _obtain(folder):
    """Reshape OpenML's rows, in which the training images come first."""
    # OpenML's 554 is "mnist_784": the 60,000 training images, then the 10,000 test images.
    frame = openml_frame(554)
    # OpenML's labels are categories of strings.
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
    "The file is an archive of numpy.savez with the uint8 arrays X_train (60000, 28, 28), y_train, "
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
    """Load MNIST: images of handwritten digits.

    Parameters
    ----------
    data_home, download_if_missing, return_X_y
        See :mod:`ctsk.datasets`. The file is ``mnist.npz``.
    as_frame : bool, default=False
        Whether to return pandas objects with columns "pixel_0" to "pixel_783".
    subset : {"train", "test", "all"}, default="train"
        Whether to load the 60,000 training images, the 10,000 test images, or all of them,
        training images first.
    scale : bool, default=True
        Whether to scale pixels to [-1, 1], as float32. Otherwise, pixels are uint8 integers from
        0 to 255.

    Returns
    -------
    data : Bunch or tuple
        A Bunch with these attributes, or only the first two of them if `return_X_y` is True:

        data : ndarray or DataFrame of shape (n_rows, 784)
            Pixels in row-major order.
        target : ndarray or Series of shape (n_rows,)
            Digits.
        images : ndarray of shape (n_rows, 28, 28)
            The same pixels as images. This is a view of `data` unless `as_frame` is True.
        frame : DataFrame of shape (n_rows, 785) or None
            `data` and `target`. None if `as_frame` is False.
        feature_names : list of str
            Names of the columns of `data`.
        target_names : list of str
            "0" to "9".
        domain : list of pairs
            (-1, 1), or (0, 255) if `scale` is False, for each pixel, to be passed to
            :class:`~ctsk.CounterfactualTrainedClassifier`.
        mutability : None
            All pixels may change.
        special_values : None
            No pixel holds a code.
        DESCR : str
            Source and license of the data.

    Raises
    ------
    OSError
        If the file is missing and cannot be downloaded, or `download_if_missing` is False.
    ValueError
        If a parameter is invalid, or the content of the file or of the download is not exactly
        the expected one.

    See Also
    --------
    sklearn.datasets.load_digits : Smaller images of digits, which ship with scikit-learn.

    Examples
    --------
    >>> from ctsk.datasets import fetch_mnist
    >>> X, y = fetch_mnist(return_X_y=True)  # doctest: +SKIP
    """
    images, y = _read(data_home, download_if_missing, subset)
    if scale:
        # Half of 255 maps 0 to -1 and 255 to 1.
        images = images.astype(np.float32) / np.float32(127.5) - 1
    data = _bunch(images, y, scale)
    if as_frame:
        _convert_to_frame(data)
    return (data.data, data.target) if return_X_y else data


def _read(data_home, download_if_missing, subset):
    """Return the images of a subset as uint8, and their digits."""
    # int64 labels, because unsigned ones wrap around in differences such as y - 1.
    arrays = load(MNIST, data_home, download_if_missing)
    parts = ["train", "test"] if subset == "all" else [subset]
    images = np.concatenate([arrays[f"X_{part}"] for part in parts])
    y = np.concatenate([arrays[f"y_{part}"] for part in parts])
    return images, y.astype(np.int64)


def _bunch(images, y, scale):
    n_pixels = _SIDE * _SIDE
    # The reshape is a view, so that the images are in memory only once.
    return Bunch(
        data=images.reshape(-1, n_pixels),
        target=y,
        images=images,
        frame=None,
        feature_names=[f"pixel_{position}" for position in range(n_pixels)],
        target_names=[str(digit) for digit in range(10)],
        domain=[(-1, 1) if scale else (0, 255)] * n_pixels,
        mutability=None,
        special_values=None,
        DESCR=__doc__,
    )


def _convert_to_frame(data):
    """Convert the arrays of a Bunch to pandas objects."""
    import pandas as pd

    # The images stay an array: pandas has no third dimension.
    data.data = pd.DataFrame(data.data, columns=data.feature_names)
    data.target = pd.Series(data.target, name="target")
    data.frame = pd.concat([data.data, data.target], axis=1)
