"""Neighbours of tiles: search, agreement with known objects, and a contact sheet."""
