"""Study of translation models: trainings, scores against the true counterfactual, and tables."""
