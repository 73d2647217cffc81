"""Drawn shop: products with known attributes and drawn photos, served by a real HTTP server."""
