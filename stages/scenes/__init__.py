"""Measure and draw the mixed scenes of all runs on a data set."""
