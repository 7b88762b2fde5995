"""Fitted classifiers as files without code, and certificates of their explanations."""

from pathlib import Path

from sklearn.utils.validation import check_is_fitted

from ctsk._classifier import CounterfactualTrainedClassifier
from ctsk._columns.validation import InvalidParameterError
from ctsk._storing.certificates import certify
from ctsk._storing.files import open_files, write_files
from ctsk._storing.models import check_files, files_of, fitted_attributes, parameters_of
from ctsk._torch.utils import default_torch_modes
from ctsk._version import __version__
from ctsk.exceptions import ModelFileError


def save(estimator, path, *, resume=False):
    """Store a fitted classifier in files that hold no code.

    Parameters
    ----------
    estimator : CounterfactualTrainedClassifier
        A fitted classifier.
    path : str or path-like
        A folder, or one zip file if the path ends with ``.zip``. A model that is already there is
        replaced.
    resume : bool, default=False
        Whether to store the state of the optimizer and the random state, too, so that
        ``partial_fit`` and warm starts go on with equal bits. The optimizer takes about twice the
        space of the weights.

    Raises
    ------
    TypeError
        If `estimator` is no such classifier, or if a parameter or what a generator has learned is
        of a type that is not stored.
    FileNotFoundError
        If the folder that is to contain `path` does not exist.
    FileExistsError
        If there is something else than a model at the path.
    OSError
        If the files cannot be written. A model that was at the path is then still there.
    sklearn.exceptions.NotFittedError
        If the estimator is not fitted.

    See Also
    --------
    load : Loads the classifier.
    certificate : Documents explanations so that they can be checked against the files.

    Notes
    -----
    The files are ``weights.safetensors``, the weights in a format that many programs read;
    ``model.json``, which holds everything else as text; ``card.md``, a summary for people; and with
    ``resume=True``, ``resume.safetensors``. The file ``model.json`` holds digests of all others,
    and of itself, so that damage is noticed. See :ref:`storing`, and :ref:`security` for what a
    digest does not promise. Equal classifiers have equal files.

    Parameters that are code are not stored: a `module`, a `generator` of a class of your own, an
    `optimizer` that is no name, and `callbacks`. Pass them to :func:`load`. The weights of the
    module, and tensors and numbers that the generator has learned, are stored. A parameter that is
    an Index or a Series is stored as a list.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sklearn.datasets import load_iris
    >>> import ctsk
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = ctsk.CounterfactualTrainedClassifier(max_epochs=10, lr=0.01, random_state=0)
    >>> _ = clf.fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ctsk.save(clf, Path(folder) / "iris")
    ...     sorted(path.name for path in (Path(folder) / "iris").iterdir())
    ['card.md', 'model.json', 'weights.safetensors']
    """
    _check_estimator(estimator, "estimator")
    parameters = estimator.get_params(deep=False)
    files = files_of(vars(estimator), parameters, __version__, resume=resume)
    write_files(Path(path), files)


def load(path, *, module=None, generator=None, optimizer=None, callbacks=None):
    """Load a classifier that `save` has stored.

    Parameters
    ----------
    path : str or path-like
        A folder, or a zip file.
    module, generator, optimizer, callbacks : object, default=None
        Parameters of the classifier that are code, and therefore not stored. Pass what was passed
        in training, and nothing for parameters that are stored.

    Returns
    -------
    estimator : CounterfactualTrainedClassifier
        Its predictions and explanations are those of the stored one, bit for bit on the same
        machine.

    Raises
    ------
    ModelFileError
        If a file is damaged, or holds anything that no model holds.
    OSError
        If there is no file at the path, or it cannot be read.
    ValueError
        If a parameter must be passed, or must not be passed, or does not fit the weights.

    Warns
    -----
    UserWarning
        If the device of the classifier is unavailable. The CPU takes its place.

    See Also
    --------
    save : Stores the classifier.

    Notes
    -----
    Nothing in the files is executed, and nothing is imported that they name. All sizes, dtypes,
    shapes and names are checked before anything is built. What you pass as `module` and so on is
    your own code, which is executed. Whoever can change the files can change the predictions; see
    :ref:`security` for signatures.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sklearn.datasets import load_iris
    >>> import ctsk
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = ctsk.CounterfactualTrainedClassifier(max_epochs=10, lr=0.01, random_state=0)
    >>> _ = clf.fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ctsk.save(clf, Path(folder) / "iris.zip")
    ...     loaded = ctsk.load(Path(folder) / "iris.zip")
    >>> bool((loaded.predict_proba(X) == clf.predict_proba(X)).all())
    True
    """
    objects = {
        "module": module,
        "generator": generator,
        "optimizer": optimizer,
        "callbacks": callbacks,
    }
    passed = {name: value for name, value in objects.items() if value is not None}
    with open_files(Path(path)) as read:
        document, checked = check_files(read)
    names = CounterfactualTrainedClassifier._get_param_names()
    estimator = CounterfactualTrainedClassifier(**parameters_of(document, names, passed))
    try:
        estimator._validate_params()
    except InvalidParameterError as error:
        raise ModelFileError(f"The file is damaged or edited: {error}") from error
    vars(estimator).update(fitted_attributes(checked, estimator, passed))
    return estimator


@default_torch_modes()
def certificate(model, explanation):
    """Return a certificate of an explanation, which others can check against the stored model.

    Parameters
    ----------
    model : CounterfactualTrainedClassifier
        The fitted classifier, without a `module` of your own.
    explanation : Explanation
        What its method ``explain`` has returned, or some rows of it.

    Returns
    -------
    certificate : str
        JSON with the digest of the model; and for each row, the factual, the counterfactual, the
        constraints of the request, the probabilities of both, and the status of the proof.

    Raises
    ------
    TypeError
        If `model` is no such classifier.
    ValueError
        If the model has a module of your own, or did not make the explanation.
    sklearn.exceptions.NotFittedError
        If the model is not fitted.

    See Also
    --------
    save : Stores the model, against which a certificate is checked.
    Explanation.to_text : The explanation as a letter.

    Notes
    -----
    The script ``check_certificate.py``, which needs NumPy only, computes the digests, encodes the
    rows, evaluates the network in float64, and compares all of this with the certificate, as well
    as the constraints. It is shown in :ref:`storing`. A proof is checked by explaining the rows
    with ``prove=True`` again. A certificate shows that a model and rows belong together. Who
    has issued it is shown by a signature only; see :ref:`security`.

    Examples
    --------
    >>> import json
    >>> from sklearn.datasets import load_iris
    >>> import ctsk
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = ctsk.CounterfactualTrainedClassifier(max_epochs=10, lr=0.01, random_state=0)
    >>> _ = clf.fit(X, y)
    >>> certified = json.loads(ctsk.certificate(clf, clf.explain(X[:2], target=1)))
    >>> certified["rows"][0]["factual"]
    [5.1, 3.5, 1.4, 0.2]
    """
    _check_estimator(model, "model")
    return certify(model, explanation, __version__)


def _check_estimator(estimator, name):
    """Raise an error unless an estimator is a fitted classifier of ctsk."""
    if type(estimator) is not CounterfactualTrainedClassifier:
        raise TypeError(
            f"{name} is a {type(estimator).__name__}; only a CounterfactualTrainedClassifier has "
            "files and certificates. Of a pipeline, pass the last step, and store the other steps "
            "by skops or joblib."
        )
    check_is_fitted(estimator)
