"""Speed and size measurements. Importing the stages sets up the arithmetic of params.yaml."""

import stages  # noqa: F401
