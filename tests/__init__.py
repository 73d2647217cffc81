"""The tests. Importing the stages sets up the arithmetic before NumPy and PyTorch load."""

import stages  # noqa: F401
