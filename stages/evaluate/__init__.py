"""Evaluate a trained run: its pictures (`figures`) and what its latents know (`factors`)."""
