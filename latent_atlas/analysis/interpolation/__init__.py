"""Interpolation between codes: pairs of images, curves, their measures, tables and plots."""
