"""The proof that a counterfactual is the cheapest, or that there is none."""
