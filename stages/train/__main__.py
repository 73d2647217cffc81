"""`python -m stages.train <run>`: train a run of params.yaml and write `models/<run>/`.

`torchrun --nproc_per_node 2 -m stages.train <run>` shares each batch among two processes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from stages.lib import loop, params
from stages.lib.console import door
from stages.lib.store import open_store


def main() -> None:
    """Read the parameters, open the store, train."""
    parser = argparse.ArgumentParser(prog="python -m stages.train", description=__doc__)
    parser.add_argument("run", help="a name under `runs` in params.yaml")
    run = params.load().run(parser.parse_args().run)
    store = open_store(Path("data") / run.data)
    loop.train(run, store, Path("models") / run.name, Path(".cache/training") / f"{run.name}.pt")


if __name__ == "__main__":
    door(main)
