"""`python -m stages.study <name>`: finish the cells of a study, and write its results."""

from __future__ import annotations

from importlib import import_module

from latent_atlas.studies import plan
from latent_atlas.studies.arguments import parse_arguments
from latent_atlas.studies.run import run_study
from latent_atlas.util.console import run_command

TRANSLATION = "latent_atlas.studies.translation.run"
"""Imported by name, so that a change of it puts no other study out of date."""


def main() -> None:
    """Parse the arguments, and run the study."""
    request = parse_arguments()
    if plan.is_of_translation(request.name):
        import_module(TRANSLATION).run_study(request)
    else:
        run_study(request)


if __name__ == "__main__":
    run_command(main)
