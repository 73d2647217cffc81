"""Benchmarks of speed, as ratios to a competitor that is timed in the same run."""
