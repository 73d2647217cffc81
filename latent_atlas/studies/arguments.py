"""Command-line arguments of `stages.study`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NoReturn

from latent_atlas.studies import plan
from latent_atlas.studies.run import Request
from latent_atlas.util.console import UserError


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Report a wrong argument as all other errors, in one line."""
        raise UserError(f"{message}; see `{self.prog} --help`")


def parse_arguments(arguments: Sequence[str] | None = None) -> Request:
    """Parse `arguments`, by default those of the command line."""
    parser = _Parser(prog="python -m stages.study", description="Run a study.")
    parser.add_argument("name", help=f"one of {', '.join(plan.names())}")
    parser.add_argument(
        "--scale",
        choices=("small", "full"),
        default="small",
        help="small takes minutes and tests the study; full has the sizes of study.yaml",
    )
    parser.add_argument("--jobs", type=_positive, default=1, help="cells at once, a thread each")
    parser.add_argument(
        "--only",
        default="",
        help="some cells, e.g. 'data=circles_mono beta=1,4 latent_dim=3', or names of runs",
    )
    parser.add_argument("--source", help="other images, as data.<name>.source in params.yaml")
    return Request(**vars(parser.parse_args(arguments)))


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"found {text!r}, expected a number of 1 or more")
    return int(text)
