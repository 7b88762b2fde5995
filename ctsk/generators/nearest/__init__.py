"""The search for the cheapest counterfactual, in its parts."""
