"""Counterfactual training: from parameters to a trained net."""
