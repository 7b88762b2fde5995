import contextlib
import threading
import warnings

import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

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


def test_warnings_that_two_threads_ignore_at_once_are_shown_afterward():
    before = list(warnings.filters)
    first_is_inside, second_is_inside = threading.Event(), threading.Event()

    def first():
        with ignored_warnings():
            first_is_inside.set()
            # The second block would end after this one, and restore the filters of this one.
            second_is_inside.wait(timeout=0.2)

    def second():
        first_is_inside.wait()
        with ignored_warnings():
            second_is_inside.set()
            threads[0].join()

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert warnings.filters == before
