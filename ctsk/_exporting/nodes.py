"""The coding of columns, and the layers of the network, as nodes of a graph."""

from itertools import zip_longest

import numpy as np
from torch import nn

_ACTIVATIONS = {nn.Sigmoid: "Sigmoid", nn.Tanh: "Tanh", nn.ReLU: "Relu"}


def encode_columns(graph, inputs, encoder):
    """Return module rows, in the order of `Encoder`."""
    schema, parts = encoder.schema, []
    if len(encoder.numeric):
        special = _special_rows(encoder)
        numbers = inputs.numbers(encoder.numeric.tolist())
        numbers = _with_exact_special_values(graph, numbers, special)
        parts.append(_standardized(graph, numbers, special, encoder))
    slices = iter(encoder.groups.slices)
    for feature in encoder.categorical.tolist():
        parts.append(_one_hot(graph, inputs, schema, feature, encoder.shares[next(slices)]))
    column_of = {feature: column for column, feature in enumerate(encoder.numeric.tolist())}
    for feature in sorted(schema.states):
        column = graph.columns(numbers, [column_of[feature]])
        parts.append(_states(graph, column, schema.states[feature]))
    parts += [inputs.numbers(list(group)) for group in schema.dummies]
    return graph.concatenate(*parts)


def _special_rows(encoder):
    """Return the first special value of each numeric column, then the second one, and so on."""
    values = encoder.schema.special_values
    columns = [values.get(feature, ()) for feature in encoder.numeric.tolist()]
    # NaN, which equals no number, stands for columns that have fewer special values.
    rows = zip_longest(*columns, fillvalue=np.nan)
    return [np.array(row, dtype=np.float64) for row in rows]


def _with_exact_special_values(graph, numbers, special):
    """Return numbers in which special values of float32, such as 999.9, are those of float64."""
    for row in special:
        with np.errstate(over="ignore"):
            rounded = row.astype(np.float32).astype(np.float64)
        if not np.array_equal(rounded, row, equal_nan=True):
            is_rounded = graph.add("Equal", numbers, graph.constant(rounded))
            numbers = graph.add("Where", is_rounded, graph.constant(row), numbers)
    return numbers


def _standardized(graph, numbers, special, encoder):
    """Return numbers in module units; missing and special ones are replaced by their mean."""
    n_numeric = len(encoder.numeric)
    is_state = graph.add("IsNaN", numbers)
    for row in special:
        is_value = graph.add("Equal", numbers, graph.constant(row))
        is_state = graph.add("Or", is_state, is_value)
    numbers = graph.add("Where", is_state, graph.constant(encoder.fill[:n_numeric]), numbers)
    if encoder.curves:
        columns = [graph.columns(numbers, [column]) for column in range(n_numeric)]
        # The curves of an estimator have one stage, unlike those of a pipeline.
        for column, (curve,) in encoder.curves.items():
            columns[column] = _curve(graph, columns[column], curve)
        numbers = graph.concatenate(*columns)
    shifted = graph.add("Sub", numbers, graph.constant(encoder.center[:n_numeric]))
    return graph.add("Div", shifted, graph.constant(encoder.scale[:n_numeric]))


def _curve(graph, numbers, curve):
    """Map numbers of shape (n_rows, 1) by a table with straight lines between its points."""
    points, heights = curve.points, curve.heights
    # The number of points that a number has reached is its interval. The first and the last
    # interval, which lie outside of the table, are constant.
    slopes = np.concatenate([[0.0], np.diff(heights) / np.diff(points), [0.0]])
    is_reached = graph.add("GreaterOrEqual", numbers, graph.constant(points))
    interval = graph.row_sums(graph.cast(is_reached, np.int64))
    start, height, slope = (
        graph.add("Gather", graph.constant(table), interval)
        for table in (np.append(points[0], points), np.append(heights[0], heights), slopes)
    )
    rise = graph.add("Mul", graph.add("Sub", numbers, start), slope)
    return graph.add("Add", height, rise)


def _one_hot(graph, inputs, schema, feature, shares):
    """Return the one-hot columns of a category; unknown categories count as missing ones."""
    cells, known = inputs.cells(feature), inputs.categories[feature]
    is_empty = not len(known)
    if is_empty:
        # All cells of the training rows were missing. A category is invented to compare with.
        known = np.zeros(1) if known.dtype == np.float64 else np.array([""], dtype=object)
    is_known = graph.cast(graph.add("Equal", cells, graph.constant(known)))
    is_unknown = graph.complement(is_known)
    if is_empty:
        return graph.add("Add", is_known, is_unknown)
    if schema.categories[feature].has_missing:
        return graph.concatenate(is_known, is_unknown)
    return graph.add("Add", is_known, graph.add("Mul", is_unknown, graph.constant(shares)))


def _states(graph, numbers, states):
    """Return the one-hot columns of "a number", of special values, and of a missing number."""
    special = np.array([state for state in states if not np.isnan(state)], dtype=np.float64)
    parts = []
    if len(special):
        parts.append(graph.cast(graph.add("Equal", numbers, graph.constant(special))))
    if len(special) < len(states):
        parts.append(graph.cast(graph.add("IsNaN", numbers)))
    in_state = graph.concatenate(*parts)
    return graph.concatenate(graph.complement(in_state), in_state)


def evaluate_network(graph, module, encoded):
    """Return the logits of module rows by a multilayer perceptron."""
    for layer in module:
        if isinstance(layer, nn.Linear):
            weight, bias = (
                graph.constant(tensor.detach().cpu().double().numpy())
                for tensor in (layer.weight, layer.bias)
            )
            encoded = graph.add("Gemm", encoded, weight, bias, transB=1)
        # The other layers, of dropout and of the activation "identity", change nothing.
        elif type(layer) in _ACTIVATIONS:
            encoded = graph.add(_ACTIVATIONS[type(layer)], encoded)
    return encoded
