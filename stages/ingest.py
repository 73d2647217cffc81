"""`python -m stages.ingest <name>`: make `data/<name>/` from `params.data[<name>]`."""

from __future__ import annotations

import argparse
from pathlib import Path

from latent_atlas.config import reading
from latent_atlas.data.sources.detect import open_source
from latent_atlas.data.sources.fetch import scratch
from latent_atlas.data.sources.ingest import ingest
from latent_atlas.data.sources.items import Asked
from latent_atlas.data.synthetic.store import PREFIX, draw
from latent_atlas.util.console import run_command


def main() -> None:
    """Read the parameters, open the source, write the store."""
    parser = argparse.ArgumentParser(prog="python -m stages.ingest", description=__doc__)
    parser.add_argument("name", help="of a data set under `data` in params.yaml")
    name = parser.parse_args().name
    settings = reading.load()
    data = settings.data_set(name)
    folder = Path("data") / name
    if data.source.startswith(PREFIX) and data.count is not None:
        draw(name, data, settings.number(data.count), settings.seed, folder)
        return
    with scratch() as unpacked:
        source = open_source(Asked(name, data, settings.seed, unpacked))
        ingest(name, data, source, folder)


if __name__ == "__main__":
    run_command(main)
