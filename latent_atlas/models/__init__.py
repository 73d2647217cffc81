"""The models: a file each, from its networks' use to its loss, and `registry` with their names."""
