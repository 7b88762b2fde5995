"""Export of a fitted classifier to ONNX."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ctsk._classifier import CounterfactualTrainedClassifier
from ctsk._exporting.graph import Graph
from ctsk._exporting.inputs import Inputs, input_names, typed, value_info
from ctsk._exporting.nodes import encode_columns, evaluate_network
from ctsk._torch.networks import MLP

# The first operator set in which text can be compared, and the format that belongs to it, which
# runtimes of earlier years read, too.
_OPSET, _IR_VERSION = 19, 9


def to_onnx(estimator):
    """Return a fitted classifier as an ONNX model, from X's columns to probabilities.

    The model standardizes numbers, codes categories and evaluates the network, so that a program
    without Python or torch predicts from the rows that a user has. It requires the package onnx
    (``pip install ctsk[onnx]``).

    Parameters
    ----------
    estimator : CounterfactualTrainedClassifier
        A fitted estimator with ``module=None``.

    Returns
    -------
    model : onnx.ModelProto
        The outputs are ``label`` of shape (n_rows,) and ``probabilities`` of shape
        (n_rows, n_classes), with the classes in the order of ``classes_``. The inputs are:

        - the columns of a DataFrame by their names, each of shape (n_rows, 1);
        - or ``X`` of shape (n_rows, n_features), of type double, if the estimator was fitted on
          an array.

    Raises
    ------
    ImportError
        If onnx is not installed.
    TypeError
        If `estimator` is not a CounterfactualTrainedClassifier, such as a pipeline.
    ValueError
        If the estimator has a `module` of its own, or if names of columns or categories are
        ambiguous as text.
    sklearn.exceptions.NotFittedError
        If the estimator is not fitted.

    See Also
    --------
    CounterfactualTrainedClassifier.predict_proba : The probabilities, in Python.

    Notes
    -----
    The type of an input depends on the training rows. A column of numbers is a double, or an int64
    if it held integers without a gap. A column of categories is a bool or an int64 if its
    categories are and it had no gap; a double if its categories are numbers and it had gaps; and a
    string otherwise, into which categories are converted by ``str``.

    A gap is NaN in a double. In a column of categories, every value that is no known category is
    treated as `handle_unknown="missing"` does, and so are gaps: an empty string stands for a gap
    unless it is a category. Computations are in float64, as in `predict_proba`.

    A model cannot raise errors. Unknown categories are accepted under `handle_unknown="error"`,
    too, and neither infinite numbers nor groups of one-hot columns without exactly one 1 are
    rejected.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> import ctsk
    >>> X, progression = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
    >>> clf = ctsk.CounterfactualTrainedClassifier(max_epochs=20, random_state=0)
    >>> model = ctsk.to_onnx(clf.fit(X, progression > 140))
    >>> [output.name for output in model.graph.output]
    ['label', 'probabilities']
    """
    module = _checked_module(estimator)
    helper = _import_onnx().helper
    encoder = estimator.encoder_
    classes = typed(estimator.classes_.tolist(), "The classes")
    graph = Graph(input_names(encoder.schema))
    inputs = Inputs(graph, encoder.schema)
    logits = evaluate_network(graph, module, encode_columns(graph, inputs, encoder))
    position = graph.add("ArgMax", logits, axis=1, keepdims=0)
    graph.add("Gather", graph.constant(classes), position, output="label")
    graph.add("Softmax", logits, axis=1, output="probabilities")
    outputs = [
        value_info("label", classes.dtype, ["n_rows"]),
        value_info("probabilities", np.dtype(np.float64), ["n_rows", len(classes)]),
    ]
    return helper.make_model(
        helper.make_graph(graph.nodes, "ctsk", inputs.infos, outputs, graph.constants),
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
        producer_name="ctsk",
    )


def _import_onnx():
    try:
        import onnx
    except ImportError as error:
        raise ImportError(
            "to_onnx requires the package onnx, which is not installed. Install it by "
            "`pip install ctsk[onnx]`, or by `pip install onnx`."
        ) from error
    return onnx


def _checked_module(estimator):
    """Return the network of an estimator, or raise an error that names the reason."""
    if not isinstance(estimator, CounterfactualTrainedClassifier):
        raise TypeError(
            f"estimator is a {type(estimator).__name__}, but only a fitted "
            "CounterfactualTrainedClassifier can be exported. It standardizes numbers and encodes "
            "categories itself, so that it can replace a pipeline: fit it on the rows that enter "
            "the pipeline."
        )
    check_is_fitted(estimator)
    module = estimator.net_.module_
    # A subclass might compute something else.
    if type(module) is not MLP:
        raise ValueError(
            f"The network of estimator is a {type(module).__name__}, which the parameter module "
            "has built; only the multilayer perceptron of module=None can be exported. Refit with "
            "module=None, or export net_.module_ by torch.onnx.export: its inputs are the rows "
            "that encoder_.encode(X) returns."
        )
    return module
