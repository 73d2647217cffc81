"""A network that learns features from the clusters of its own features."""
