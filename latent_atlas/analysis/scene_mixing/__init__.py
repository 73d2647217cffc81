"""Mixing of scenes: renderings of mixed codes, their ground truth and metrics, and transfer."""
