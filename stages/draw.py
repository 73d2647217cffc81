"""`python -m stages.draw <name>`: draw `data/<name>/`, a data set whose source is a drawing.

It reads no images, so stages of drawn data do not depend on the code that does.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from latent_atlas.config import reading
from latent_atlas.data.synthetic.store import PREFIX, draw_data_set
from latent_atlas.util.console import UserError, fields_of, run_command


def main() -> None:
    """Read the parameters, and draw the store."""
    parser = argparse.ArgumentParser(prog="python -m stages.draw", description=__doc__)
    parser.add_argument("name", help="name of a data set under `data` in params.yaml")
    name = parser.parse_args().name
    settings = reading.load()
    data = settings.data_set(name)
    if not data.source.startswith(PREFIX) or data.count is None:
        raise UserError(
            f"data.{name}.source: found {data.source!r}, expected {PREFIX}<name>; "
            f"`python -m stages.ingest {name}` makes a store from any source"
        )
    with fields_of(f"data.{name}"):
        draw_data_set(name, data, data.count, settings.seed, Path("data") / name)


if __name__ == "__main__":
    run_command(main)
