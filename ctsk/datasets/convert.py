"""From where data sets are published to exactly the text that the data home holds."""

from sklearn.datasets import fetch_openml

from ctsk.datasets.files import NotDownloadable


def from_openml(data_id, convert):
    """Return how to obtain the text of a table from OpenML.

    Parameters
    ----------
    data_id : int
    convert : callable
        From OpenML's DataFrame to ours.

    Returns
    -------
    obtain : callable
        See `StoredFile`.
    """
    return lambda _: as_text(convert(openml_frame(data_id)))


def from_original(name, convert, **how_to_read):
    """Return how to obtain the text of a table from a file that the user got by hand.

    Parameters
    ----------
    name : str
        Of the file, as it is published.
    convert : callable
        From the DataFrame of words that the file holds to ours.
    **how_to_read
        For :func:`pandas.read_csv`.

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
        words = pd.read_csv(path, dtype=str, keep_default_na=False, **how_to_read)
        return as_text(convert(words))

    return obtain


def openml_frame(data_id):
    """Return a data set of OpenML as a DataFrame, label included."""
    return fetch_openml(data_id=data_id, as_frame=True, parser="auto", cache=False).frame


def as_text(frame):
    """Return the text of a table as the data home holds it."""
    return frame.to_csv(index=False, lineterminator="\n").encode()
