"""Latent Atlas: the stages of the pipeline and the libraries below them.

Three floors; imports only go down (``tests/test_floors.py`` holds the house to it):

1. the stages, one folder each with a door ``python -m stages.<stage>``;
2. ``stages.lib``: parameters, image store, training loop, fetching, console;
3. ``stages.models`` and ``stages.drawing``: the models and the drawn data themselves.
"""

import os

# Threads that wait for each other spin for some microseconds only and then sleep. With OpenMP's own
# number, a hundred times as many, training was ten to thirty times slower beside other work, and
# with none a fifth slower on a quiet machine. OpenMP reads this when it is loaded.
os.environ.setdefault("GOMP_SPINCOUNT", "2000")
