"""The stages of the pipeline and the user commands: one module each, `python -m stages.<name>`.

Importing this package sets up the arithmetic of params.yaml, before a numerical library loads.
"""

import multiprocessing

from latent_atlas.util import arithmetic
from latent_atlas.util.console import UserError

try:
    if multiprocessing.parent_process() is None:  # a worker has the variables of its parent
        arithmetic.set_up(*arithmetic.read())
except UserError as _error:
    raise SystemExit(f"error: {_error}") from None
