"""Reproduce a commit in a clone of its own and compare."""
