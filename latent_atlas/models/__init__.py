"""Models: one file per model, from its networks to its loss."""
