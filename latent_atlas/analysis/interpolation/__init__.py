"""Walks from one code to another: which images are joined, by which paths, and what is measured."""
