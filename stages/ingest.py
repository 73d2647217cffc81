"""`python -m stages.ingest <name>`: make `data/<name>/` from `data.<name>` in params.yaml."""

from __future__ import annotations

import argparse
from pathlib import Path

from latent_atlas.config import reading
from latent_atlas.data.sources.ingest import ingest
from latent_atlas.data.synthetic.store import PREFIX, draw_data_set
from latent_atlas.util.console import fields_of, run_command


def main() -> None:
    """Read the parameters, and draw or ingest the store."""
    parser = argparse.ArgumentParser(prog="python -m stages.ingest", description=__doc__)
    parser.add_argument("name", help="name of a data set under `data` in params.yaml")
    name = parser.parse_args().name
    settings = reading.load()
    data, folder = settings.data_set(name), Path("data") / name
    with fields_of(f"data.{name}"):
        if data.source.startswith(PREFIX) and data.count is not None:
            draw_data_set(name, data, data.count, settings.seed, folder)
        else:
            ingest(name, data, folder, settings.seed)


if __name__ == "__main__":
    run_command(main)
