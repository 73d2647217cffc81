"""How fast the parts are, as ratios to a competitor that is timed in the same run."""
