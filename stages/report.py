"""`python -m stages.report`: write `report/index.html` from the outputs of the other stages.

With `--list`, only print five paths to open after `make repro`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from latent_atlas.config import reading
from latent_atlas.report.page import render
from latent_atlas.util.console import run_command
from latent_atlas.util.files import write_bytes

WORTH_OPENING = (
    ("report/index.html", "all results on one page"),
    ("plots/clothes_beta_vae/traversal.png", "the effect of each latent of the clothes model"),
    ("plots/circles_beta_vae/strip.png", "reconstructions, and the decoded mean of two codes"),
    ("plots/digits_vae/mesh.png", "the latent plane of the digits"),
    ("metrics/", "the metrics; `dvc metrics diff` after a change"),
)


def main() -> None:
    """Render and write the page, or print the list."""
    parser = argparse.ArgumentParser(prog="python -m stages.report", description=__doc__)
    parser.add_argument("--list", action="store_true", help="print the paths to open")
    if parser.parse_args().list:
        print("Outputs to open:")
        for path, content in WORTH_OPENING:
            print(f"  {path:40} {content}")
        return
    page = render(reading.load(), reading.read(reading.PARAMS), Path())
    write_bytes(Path("report/index.html"), page.encode())


if __name__ == "__main__":
    run_command(main)
