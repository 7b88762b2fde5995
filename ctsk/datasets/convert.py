"""Conversion of published data to exactly the text that the data home holds."""

from sklearn.datasets import fetch_openml

from ctsk.datasets.files import NotDownloadable


def from_openml(data_id, features, convert=lambda frame: frame):
    """Return a function that obtains the text of a table from OpenML.

    Parameters
    ----------
    data_id : int
    features : dict of str to Feature
        Columns of OpenML's table but the last, which is the label. All numbers are integers.
    convert : callable, default=identity
        Maps OpenML's DataFrame, with our column names, to ours.

    Returns
    -------
    obtain : callable
        See `StoredFile`.
    """

    def obtain(folder):
        frame = openml_frame(data_id).set_axis([*features, "target"], axis=1)
        # Values of a pandas categorical cannot be replaced freely, those of an object column can.
        frame = frame.astype(dict.fromkeys(frame.select_dtypes("category"), "object"))
        frame = convert(frame)
        integers = [name for name, feature in features.items() if feature.categories is None]
        return as_text(frame.astype(dict.fromkeys([*integers, "target"], "int64")))

    return obtain


def from_original(name, convert):
    """Return a function that converts a published file which the user has downloaded.

    Parameters
    ----------
    name : str
        Name of the file, as it is published.
    convert : callable
        Maps the DataFrame of strings that the file holds to ours.

    Returns
    -------
    obtain : callable
        See `StoredFile`.
    """

    def obtain(folder):
        import pandas as pd

        path = folder / name
        if not path.exists():
            raise NotDownloadable(f"there is no {path}")
        # Strings keep numbers digit for digit, as the digest of the text demands.
        raw = pd.read_csv(path, dtype=str, keep_default_na=False)
        return as_text(convert(raw))

    return obtain


def openml_frame(data_id):
    """Return a data set of OpenML as a DataFrame, label included."""
    return fetch_openml(data_id=data_id, as_frame=True, parser="auto", cache=False).frame


def as_text(frame):
    """Return the text of a table as it is stored in the data home."""
    return frame.to_csv(index=False, lineterminator="\n").encode()
