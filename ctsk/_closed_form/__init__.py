"""Gradients in closed form: those of a multilayer perceptron and of the objective.

Automatic differentiation records every operation in a graph and traverses it backward. For small
networks, this takes several times as long as the arithmetic. The derivatives of a multilayer
perceptron are simple, so they are written out here: `layers` and `perceptron` propagate slopes from
the logits to the parameters and to the rows, `epoch_losses` has the slopes of the objective with
respect to the logits, and `flat_update` updates all parameters at once.

Every other module is differentiated by torch (`derivatives`). The numbers are the same, up to
rounding.
"""
