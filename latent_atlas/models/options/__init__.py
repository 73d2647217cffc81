"""Typed options of the models, one file per model; importable without PyTorch."""
