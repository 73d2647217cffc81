"""Ingest: whatever a source is, into an image store.

A source is recognised (`sources`), read as a stable sequence of items (`items`), and each item is
decoded and resized (`decode`) by all cores (`pool`) and written in that order (`ingest`).
"""
