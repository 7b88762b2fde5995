"""Warnings and errors of ctsk."""


class ColumnKindWarning(UserWarning):
    """Warning used if numeric columns look like codes or dummies of categories.

    See Also
    --------
    ctsk.CounterfactualTrainedClassifier :
        Its parameters `categorical_features`, `one_hot_groups` and `special_values` declare what
        the numbers are.

    Examples
    --------
    >>> import warnings
    >>> import numpy as np
    >>> from ctsk import CounterfactualTrainedClassifier
    >>> from ctsk.exceptions import ColumnKindWarning
    >>> rng = np.random.default_rng(0)
    >>> X = np.column_stack([rng.normal(size=300), rng.choice([101, 205, 307], size=300)])
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", ColumnKindWarning)
    ...     CounterfactualTrainedClassifier().fit(X, X[:, 0] > 0)
    Traceback (most recent call last):
        ...
    ctsk.exceptions.ColumnKindWarning: The whole numbers of these columns...
    """


class InertDivergenceWarning(UserWarning):
    """Warning used if so few counterfactuals mature that the divergence has no effect.

    See Also
    --------
    ctsk.CounterfactualTrainedClassifier :
        Its parameters `tau`, `T` and `lambda_reg` decide how many mature.

    Examples
    --------
    >>> import warnings
    >>> from sklearn.datasets import load_iris
    >>> from ctsk import CounterfactualTrainedClassifier
    >>> from ctsk.exceptions import InertDivergenceWarning
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = CounterfactualTrainedClassifier(tau=0.999, T=1, max_epochs=5, random_state=0)
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", InertDivergenceWarning)
    ...     clf.fit(X, y)
    Traceback (most recent call last):
        ...
    ctsk.exceptions.InertDivergenceWarning: In each of the last 5 epochs...
    """


class ModelFileError(ValueError):
    """Error used if the file of a model is damaged, or holds what no model holds.

    See Also
    --------
    ctsk.load : The function that reads model files.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import ctsk
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "model.zip"
    ...     _ = path.write_bytes(b"no model")
    ...     ctsk.load(path)
    Traceback (most recent call last):
        ...
    ctsk.exceptions.ModelFileError: ...
    """


class NonFiniteLossWarning(RuntimeWarning):
    """Warning used if an update is skipped because the loss or its gradient is not finite.

    See Also
    --------
    NonFiniteLossError : Raised if no update is possible.

    Examples
    --------
    >>> import warnings
    >>> from sklearn.datasets import load_iris
    >>> from ctsk import CounterfactualTrainedClassifier
    >>> from ctsk.exceptions import NonFiniteLossWarning
    >>> X, y = load_iris(return_X_y=True)
    >>> X[7] = 3e38
    >>> clf = CounterfactualTrainedClassifier(standardize=False, max_epochs=2, random_state=0)
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", NonFiniteLossWarning)
    ...     clf.fit(X, y)
    Traceback (most recent call last):
        ...
    ctsk.exceptions.NonFiniteLossWarning: The loss or its gradient was not finite in...
    """


class NonFiniteLossError(ValueError):
    """Error raised if every update of an epoch is skipped, so that training cannot continue.

    See Also
    --------
    NonFiniteLossWarning : Warns of single updates that are skipped.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from ctsk import CounterfactualTrainedClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = CounterfactualTrainedClassifier(optimizer="sgd", lr=1e30, random_state=0)
    >>> clf.fit(X, y)
    Traceback (most recent call last):
        ...
    ctsk.exceptions.NonFiniteLossError: The loss or its gradient was not finite...
    """


class OtherConstraintsWarning(UserWarning):
    """Warning used if constraints differ from those of the pipeline's classifier in training.

    See Also
    --------
    ctsk.explain : Emits the warning.

    Examples
    --------
    >>> import warnings
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from ctsk import CounterfactualTrainedClassifier, explain
    >>> from ctsk.exceptions import OtherConstraintsWarning
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = CounterfactualTrainedClassifier(mutability={0: "none"}, max_epochs=1, random_state=0)
    >>> pipeline = make_pipeline(StandardScaler(), clf).fit(X, y)
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", OtherConstraintsWarning)
    ...     explain(pipeline, X[:1], mutability={0: "both"})
    Traceback (most recent call last):
        ...
    ctsk.exceptions.OtherConstraintsWarning: mutability or domain of 'x0'...
    """


class PoorReconstructionWarning(UserWarning):
    """Warning used if an autoencoder reconstructs rows too poorly for a search among its codes.

    See Also
    --------
    ctsk.REVISEGenerator : Emits the warning.

    Examples
    --------
    >>> import warnings
    >>> import numpy as np
    >>> from ctsk import CounterfactualTrainedClassifier, REVISEGenerator
    >>> from ctsk.exceptions import PoorReconstructionWarning
    >>> X = np.random.default_rng(0).normal(size=(300, 20))
    >>> generator = REVISEGenerator(n_latent=2, max_iter=20)
    >>> clf = CounterfactualTrainedClassifier(generator=generator, random_state=0)
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", PoorReconstructionWarning)
    ...     clf.fit(X, X[:, 0] > 0)
    Traceback (most recent call last):
        ...
    ctsk.exceptions.PoorReconstructionWarning: ...
    """


class OtherVersionWarning(UserWarning):
    """Warning used if another version of ctsk has pickled an estimator that is unpickled.

    It has the purpose of scikit-learn's ``InconsistentVersionWarning``. The files of
    :func:`ctsk.save` need no such warning: their format has a version, and later versions of ctsk
    read those of all earlier ones.

    See Also
    --------
    ctsk.save : Stores a classifier for later versions.

    Examples
    --------
    >>> import warnings
    >>> from ctsk import CounterfactualTrainedClassifier
    >>> from ctsk.exceptions import OtherVersionWarning
    >>> clf = CounterfactualTrainedClassifier()
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", OtherVersionWarning)
    ...     clf.__setstate__({**clf.__getstate__(), "ctsk_version": "0.0.1"})
    Traceback (most recent call last):
        ...
    ctsk.exceptions.OtherVersionWarning: The estimator was pickled by ctsk 0.0.1, but this is...
    """


class UnboundedEnergyWarning(UserWarning):
    """Warning used if the divergence drives energies far beyond what a classification needs.

    See Also
    --------
    ctsk.CounterfactualTrainedClassifier : Its parameter `lambda_reg` bounds the energies.

    Examples
    --------
    >>> import warnings
    >>> from sklearn.datasets import make_blobs
    >>> from ctsk import CounterfactualTrainedClassifier
    >>> from ctsk.exceptions import UnboundedEnergyWarning
    >>> X, y = make_blobs(50, centers=[[-5, -5], [5, 5]], random_state=0)
    >>> clf = CounterfactualTrainedClassifier(
    ...     lambda_reg=0, lr=1.0, weight_decay=0, max_epochs=30, random_state=0
    ... )
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", UnboundedEnergyWarning)
    ...     clf.fit(X, y)
    Traceback (most recent call last):
        ...
    ctsk.exceptions.UnboundedEnergyWarning: Energies are of the order of...
    """


class UnknownValueWarning(UserWarning):
    """Warning used if X or a domain holds values that the training rows did not have.

    See Also
    --------
    ctsk.CounterfactualTrainedClassifier : Its parameter `handle_unknown` rejects such values.

    Examples
    --------
    >>> import warnings
    >>> import pandas as pd
    >>> from ctsk import CounterfactualTrainedClassifier
    >>> from ctsk.exceptions import UnknownValueWarning
    >>> X = pd.DataFrame({"income": [20, 30, 40, 50], "job": ["cook", "pilot", "cook", "pilot"]})
    >>> clf = CounterfactualTrainedClassifier(max_epochs=1, random_state=0).fit(X, [0, 0, 1, 1])
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", UnknownValueWarning)
    ...     clf.predict(X.replace("cook", "judge"))
    Traceback (most recent call last):
        ...
    ctsk.exceptions.UnknownValueWarning: X holds values that were absent...
    """


class UnobservedDomainWarning(UserWarning):
    """Warning used if no training value of a feature lies in the domain that the user passed.

    See Also
    --------
    ctsk.CounterfactualTrainedClassifier : Its parameter `domain` causes the warning.

    Examples
    --------
    >>> import warnings
    >>> from sklearn.datasets import load_iris
    >>> from ctsk import CounterfactualTrainedClassifier
    >>> from ctsk.exceptions import UnobservedDomainWarning
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = CounterfactualTrainedClassifier(domain={0: (100, 200)})
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", UnobservedDomainWarning)
    ...     clf.fit(X, y)
    Traceback (most recent call last):
        ...
    ctsk.exceptions.UnobservedDomainWarning: The domain of some features...
    """
