import contextlib
import warnings
from concurrent.futures import ThreadPoolExecutor

import cloudpickle
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

import ctsk
from ctsk import CounterfactualTrainedClassifier
from ctsk._columns.user_warnings import ignored_warnings, warn_user
from ctsk.exceptions import UnobservedDomainWarning

X = pd.DataFrame({"age": [20.0, 30.0, 40.0, 50.0], "wage": [3.0, 1.0, 2.0, 4.0]})
Y = [0, 0, 1, 1]
UNOBSERVED = {"age": (240, 480)}


@contextlib.contextmanager
def decorator():
    yield


@decorator()
def decorated():
    warn_user("text", UserWarning)


def test_a_warning_points_past_decorators():
    with pytest.warns(UserWarning, match="text") as caught:
        decorated()
    assert caught[0].filename == __file__


def test_warnings_of_domains_point_to_the_line_of_the_user():
    clf = CounterfactualTrainedClassifier(max_epochs=1, lambda_div=0, lambda_adv=0, lambda_reg=0)
    pipeline = make_pipeline(StandardScaler(), clone(clf)).fit(X, Y)
    clf.fit(X, Y)
    constrained = clone(clf).set_params(domain=UNOBSERVED)
    calls = [
        lambda: constrained.fit(X, Y),
        lambda: clf.explain(X.head(1), T=1, domain=UNOBSERVED),
        lambda: ctsk.explain(clf, X.head(1), T=1, domain=UNOBSERVED),
        lambda: ctsk.explain(pipeline, X.head(1), T=1, domain=UNOBSERVED),
        lambda: make_pipeline(constrained).fit(X, Y),
    ]
    for call in calls:
        with pytest.warns(UserWarning) as caught:
            call()
        (unobserved,) = [w for w in caught if w.category is UnobservedDomainWarning]
        assert unobserved.filename == __file__


def in_another_thread(function):
    """Return the result of a function, or raise its exception."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result()


def enter(block):
    block.__enter__()
    return block


def leave(block):
    block.__exit__(None, None, None)


@pytest.mark.parametrize("ours_ends_first", [False, True])
@pytest.mark.parametrize("ours_begins_first", [False, True])
@pytest.mark.parametrize("other", [warnings.catch_warnings, ignored_warnings])
def test_filters_are_what_they_were_after_overlapping_blocks_of_two_threads(
    other, ours_begins_first, ours_ends_first
):
    """As between our blocks, and those of pandas and scikit-learn in other threads."""
    before = list(warnings.filters)
    ours, theirs = ignored_warnings(), other()
    order = (ours, theirs) if ours_begins_first else (theirs, ours)
    with ThreadPoolExecutor(1) as first, ThreadPoolExecutor(1) as second:
        thread_of = dict(zip((ours, theirs), (first, second), strict=True))
        for block in order:
            thread_of[block].submit(enter, block).result()
        for block in (ours, theirs) if ours_ends_first else (theirs, ours):
            thread_of[block].submit(leave, block).result()
    assert warnings.filters == before


def test_warnings_of_other_threads_are_shown_while_one_ignores_them():
    with ignored_warnings(), pytest.raises(UserWarning, match="of another thread"):
        in_another_thread(lambda: warnings.warn("of another thread", stacklevel=1))


def test_only_warnings_of_the_class_are_ignored_and_only_in_the_block():
    with ignored_warnings(UnobservedDomainWarning):
        warnings.warn("ignored", UnobservedDomainWarning, stacklevel=1)
        with ignored_warnings():
            warnings.warn("ignored, too", UserWarning, stacklevel=1)
        with pytest.raises(UserWarning, match="another class"):
            warnings.warn("another class", UserWarning, stacklevel=1)
    with pytest.raises(UnobservedDomainWarning, match="afterward"):
        warnings.warn("afterward", UnobservedDomainWarning, stacklevel=1)


def test_an_ignored_warning_is_shown_when_it_is_issued_again_at_the_same_place():
    def issue():
        warnings.warn("again", UserWarning, stacklevel=1)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        with ignored_warnings():
            issue()
        issue()
    assert len(caught) == 1


def _warns(X):
    if X.any():
        warnings.warn("of a job", UserWarning, stacklevel=1)
    return X


def test_warnings_of_steps_that_scikit_learn_runs_as_jobs_are_ignored():
    """Its jobs enter copies of the filters, even if there is one job only."""
    columns = ColumnTransformer([("a", FunctionTransformer(_warns), [0, 1])])
    columns.fit(np.zeros((4, 2)))
    with ignored_warnings():
        columns.transform(np.ones((4, 2)))


def test_a_process_that_receives_the_filter_ignores_warnings_in_all_threads():
    with ignored_warnings(UserWarning):
        action, _, category, _, _ = cloudpickle.loads(cloudpickle.dumps(warnings.filters[0]))
    assert action == "ignore"
    assert in_another_thread(lambda: issubclass(UnobservedDomainWarning, category))
    assert not in_another_thread(lambda: issubclass(DeprecationWarning, category))
