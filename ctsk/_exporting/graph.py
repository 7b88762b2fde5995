"""A graph of ONNX in the making."""

import numpy as np


class Graph:
    """The nodes and the constants of an ONNX graph, which are named by their number.

    Parameters
    ----------
    inputs : list of str
        Names of the inputs, from which all other names differ.
    """

    def __init__(self, inputs):
        self.inputs = inputs
        self.nodes = []
        self.constants = []
        # Every name of a graph must be unique, whatever the columns are called.
        self._prefix = "_"
        while any(name.startswith(self._prefix) for name in inputs):
            self._prefix += "_"

    def _new_name(self):
        return f"{self._prefix}{len(self.nodes) + len(self.constants)}"

    def constant(self, values):
        """Add a constant, and return its name."""
        from onnx import numpy_helper

        name = self._new_name()
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def add(self, operator, *inputs, output=None, **attributes):
        """Add a node, and return the name of its output."""
        from onnx import helper

        output = output or self._new_name()
        self.nodes.append(helper.make_node(operator, list(inputs), [output], **attributes))
        return output

    def cast(self, value, dtype=np.float64):
        """Convert a value to another type."""
        from onnx import helper

        return self.add("Cast", value, to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def concatenate(self, *parts):
        """Place values of shape (n_rows, n_columns) side by side."""
        return parts[0] if len(parts) == 1 else self.add("Concat", *parts, axis=1)

    def columns(self, value, idx):
        """Return some columns of a value of shape (n_rows, n_columns)."""
        return self.add("Gather", value, self.constant(np.asarray(idx, dtype=np.int64)), axis=1)

    def row_sums(self, value):
        """Return the sum of each row; of shape (n_rows, 1)."""
        return self.add("ReduceSum", value, self.constant(np.array([1])), keepdims=1)

    def complement(self, flags):
        """Return 1 for each row without a flag, and 0 for others; of shape (n_rows, 1)."""
        return self.add("Sub", self.constant(np.ones(1)), self.row_sums(flags))
