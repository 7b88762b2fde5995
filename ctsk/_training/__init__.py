"""Counterfactual training: from the parameters of an estimator to a trained net."""
