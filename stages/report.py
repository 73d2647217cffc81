"""`python -m stages.report`: write `report/index.html` from what the other stages made.

With `--list`, only print the five paths worth opening after `make repro`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from latent_atlas.config import reading
from latent_atlas.report.page import render
from latent_atlas.util.console import run_command
from latent_atlas.util.files import write_bytes

WORTH_OPENING = (
    ("report/index.html", "everything on one page"),
    ("plots/clothes_beta_vae/traversal.png", "what each latent of the clothes' model does"),
    ("plots/circles_beta_vae/strip.png", "reconstructions, and the mean of two codes"),
    ("plots/digits_vae/mesh.png", "a whole latent plane of digits"),
    ("metrics/", "the numbers; `dvc metrics diff` after a change"),
)


def main() -> None:
    """Render the page and write it, or list what there is to see."""
    parser = argparse.ArgumentParser(prog="python -m stages.report", description=__doc__)
    parser.add_argument("--list", action="store_true", help="print the paths worth opening")
    if parser.parse_args().list:
        print("Worth opening:")
        for path, what in WORTH_OPENING:
            print(f"  {path:40} {what}")
        return
    page = render(reading.load(), reading.read(reading.PARAMS), Path())
    write_bytes(Path("report/index.html"), page.encode())


if __name__ == "__main__":
    run_command(main)
