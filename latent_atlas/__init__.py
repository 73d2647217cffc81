"""Latent Atlas: a library that maps what image models learn.

Imports go down only (``tests/test_architecture.py``): studies, report and shop use analysis; that
uses plots, metrics and training; then come models, data, config and util.
"""

import os

# OpenMP reads this variable when it is loaded: threads that wait for each other spin for a few
# microseconds and then sleep. With OpenMP's default, a hundred times as long, training beside other
# work was ten to thirty times slower; without spinning it was a fifth slower on a quiet machine.
os.environ.setdefault("GOMP_SPINCOUNT", "2000")
