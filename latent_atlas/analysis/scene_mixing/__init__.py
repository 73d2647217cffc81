"""Measure mixed scenes: against the true picture, by a judge of objects, and by their features."""
