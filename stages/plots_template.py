"""`python -m stages.plots_template`: write the template for the pages of `dvc plots`."""

from __future__ import annotations

import argparse

from latent_atlas.report.offline import write_template
from latent_atlas.util.console import run_command


def main() -> None:
    """Write `.dvc/offline.html`."""
    argparse.ArgumentParser(
        prog="python -m stages.plots_template", description=__doc__
    ).parse_args()
    write_template()


if __name__ == "__main__":
    run_command(main)
