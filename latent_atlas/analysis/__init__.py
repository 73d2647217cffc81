"""Analyses of trained models: computation, tables and plots, a package per question."""
