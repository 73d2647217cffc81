"""Latent Atlas: the stages of the pipeline and the libraries below them.

Three floors; imports only go down (``tests/test_floors.py`` holds the house to it):

1. the stages, one folder each with a door ``python -m stages.<stage>``;
2. ``stages.lib``: parameters, image store, training loop, fetching, console;
3. ``stages.models`` and ``stages.drawing``: the models and the drawn data themselves.
"""

import os

# Threads that wait for each other sleep instead of spinning. OpenMP reads this when it is loaded.
# On a machine that does other work too, spinning made training ten to thirty times slower.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
