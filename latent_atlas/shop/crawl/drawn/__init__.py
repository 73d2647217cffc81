"""A shop that is drawn: products with known attributes and photos, behind a real HTTP server."""
