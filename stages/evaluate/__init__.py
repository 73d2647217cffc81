"""Evaluate a trained run: its numbers (`stages.lib.measure`) and its pictures (`figures`)."""
