"""Scores of generated and translated images: the true counterfactual, attributes, distributions."""
