"""`python -m stages.ingest <name>`: make `data/<name>/` from `params.data[<name>]`."""

from __future__ import annotations

import argparse
from pathlib import Path

from stages.ingest.ingest import ingest
from stages.ingest.items import Asked
from stages.ingest.sources import open_source
from stages.lib import params
from stages.lib.console import door
from stages.lib.drawn import PREFIX, draw
from stages.lib.fetch import scratch


def main() -> None:
    """Read the parameters, open the source, write the store."""
    parser = argparse.ArgumentParser(prog="python -m stages.ingest", description=__doc__)
    parser.add_argument("name", help="of a data set under `data` in params.yaml")
    name = parser.parse_args().name
    settings = params.load()
    data = settings.data_set(name)
    folder = Path("data") / name
    if data.source.startswith(PREFIX) and data.count is not None:
        draw(name, data, settings.number(data.count), settings.seed, folder)
        return
    with scratch() as unpacked:
        source = open_source(Asked(name, data, settings.seed, unpacked))
        ingest(name, data, source, folder)


if __name__ == "__main__":
    door(main)
