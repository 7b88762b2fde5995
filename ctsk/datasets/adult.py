"""Adult, or Census Income: people from the 1994 US census (Becker and Kohavi).

Source: UCI Machine Learning Repository, data set 2, doi:10.24432/C5XW20; the training part,
adult.data. License: CC BY 4.0.

32,561 rows: 24,720 people earn at most 50,000 dollars a year (class 0), 7,841 earn more (class 1).
Values are missing for workclass in 1,836 rows, for occupation in 1,843 and for native_country in
583.

24 rows are duplicates. fnlwgt is a sampling weight. education and education_num hold the same
information. capital_gain is capped at 99,999 and age at 90.
"""

from ctsk.datasets.convert import from_openml
from ctsk.datasets.tables import Feature, Table, check_options, csv_file, fetch, with_words

# Rows of adult.data; the other 16,281 of OpenML's table are adult.test.
_N_ROWS = 32_561
_FIXED = Feature("none", categories=...)
# In the order of education_num, from 1 to 16; the alphabet would put 10th before 1st.
_EDUCATION = (
    "Preschool",
    "1st-4th",
    "5th-6th",
    "7th-8th",
    "9th",
    "10th",
    "11th",
    "12th",
    "HS-grad",
    "Some-college",
    "Assoc-voc",
    "Assoc-acdm",
    "Bachelors",
    "Masters",
    "Prof-school",
    "Doctorate",
)
_FEATURES = {
    "age": Feature("none", (0, 120)),
    "workclass": Feature(categories=...),
    # The weight of a row in the census sample; nobody has it as a property.
    "fnlwgt": Feature("none", (0, None)),
    "education": Feature("increase", categories=_EDUCATION, ordered=True),
    "education_num": Feature("increase", (1, 16)),
    "marital_status": _FIXED,
    "occupation": Feature(categories=...),
    # A change of family or origin is no recourse that a decision may ask for.
    "relationship": _FIXED,
    "race": _FIXED,
    "sex": _FIXED,
    # 99,999 is the cap of the census: larger gains do not occur.
    "capital_gain": Feature(domain=(0, 99_999)),
    "capital_loss": Feature(domain=(0, None)),
    # Both bounds occur in the data.
    "hours_per_week": Feature(domain=(1, 99)),
    "native_country": _FIXED,
}
_WORDS = {
    "age": ("age", "years"),
    "workclass": ("class of worker", ""),
    "fnlwgt": ("weight in the census sample", ""),
    "education": ("education", ""),
    "education_num": ("level of education", ""),
    "marital_status": ("marital status", ""),
    "occupation": ("occupation", ""),
    "relationship": ("relationship", ""),
    "capital_gain": ("capital gain", "dollars"),
    "capital_loss": ("capital loss", "dollars"),
    "hours_per_week": ("work per week", "hours"),
    "native_country": ("native country", ""),
}


def _convert(frame):
    """Keep UCI's training part, which follows the test part in OpenML's table."""
    frame = frame.tail(_N_ROWS)
    return frame.assign(target=frame["target"].map({"<=50K": 0, ">50K": 1}))


ADULT = Table(
    csv_file(
        "adult",
        "9494cad0dbc553f690f4d152cf3d1d41d1f3245efb5a153987b5cf775446c101",
        from_openml(1590, _FEATURES, _convert),
        "The original is adult.data of data set 2 of the UCI Machine Learning Repository.",
    ),
    with_words(_FEATURES, _WORDS),
    target_names=["<=50K", ">50K"],
    favorable=1,
    descr=__doc__,
)


@check_options
def fetch_adult(
    *,
    data_home=None,
    download_if_missing=True,
    return_X_y=False,
    as_frame=True,
    drop_missing=False,
    balance=False,
    random_state=None,
):
    """Load Adult: predict whether a person earns more than 50,000 dollars a year.

    Parameters
    ----------
    data_home, download_if_missing, return_X_y, as_frame, drop_missing, balance, random_state
        See :mod:`ctsk.datasets`.

    Returns
    -------
    data : Bunch or tuple
        See :mod:`ctsk.datasets`. The data have 14 columns, 8 of which are categorical. The
        favorable class is 1, the people who earn more.

    Raises
    ------
    OSError
        If the file is missing and cannot or must not be obtained.
    ValueError
        If a parameter is invalid, or the content of the file or of the download is not exactly
        the expected one.

    Notes
    -----
    `education` is ordered by `education_num`, which holds the same information: a
    counterfactual that changes only one of them contradicts itself. Train without one of them,
    as in ``X.drop(columns="education_num")``, and remove it from `mutability` and `domain`.

    `workclass`, `occupation` and `native_country` have missing values. The classifier treats
    them as a separate category, which a counterfactual can leave but never enter. `drop_missing`
    keeps 30,162 rows, 7,508 of which belong to class 1.

    Age, marital status, relationship, race, sex and native country are immutable, and so is
    `fnlwgt`, which is not an attribute of a person. Education can only increase.

    Examples
    --------
    >>> from ctsk.datasets import fetch_adult
    >>> X, y = fetch_adult(return_X_y=True)  # doctest: +SKIP
    """
    return fetch(
        ADULT,
        data_home,
        download_if_missing,
        return_X_y,
        as_frame,
        drop_missing,
        balance,
        random_state,
    )
