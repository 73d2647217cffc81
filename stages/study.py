"""`python -m stages.study <name>`: finish the cells of a study, and write its results."""

from __future__ import annotations

from latent_atlas.studies.arguments import parse_arguments
from latent_atlas.studies.run import run_study
from latent_atlas.util.console import run_command


def main() -> None:
    """Parse the arguments, and run the study."""
    run_study(parse_arguments())


if __name__ == "__main__":
    run_command(main)
