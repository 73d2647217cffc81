"""Command-line arguments of a study."""

from __future__ import annotations

import pytest

from latent_atlas.studies.arguments import parse_arguments
from latent_atlas.studies.run import Request
from latent_atlas.util.console import UserError


def test_defaults_are_a_small_study_of_its_own_images() -> None:
    assert parse_arguments(["tiny"]) == Request("tiny", "small", 1, "", None)


def test_every_argument_is_part_of_the_request() -> None:
    arguments = ["tiny", "--scale", "full", "--jobs", "2", "--only", "beta=1", "--source", "photos"]
    assert parse_arguments(arguments) == Request("tiny", "full", 2, "beta=1", "photos")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--scale", "large"], "argument --scale: invalid choice: 'large'"),
        (["--jobs", "0"], "argument --jobs: found '0', expected a number of 1 or more"),
        (["--jobs", "two"], "argument --jobs: found 'two', expected a number of 1 or more"),
    ],
)
def test_wrong_arguments_are_one_line(arguments: list[str], message: str) -> None:
    with pytest.raises(UserError, match=f"^{message}.*; see `python -m stages.study --help`$"):
        parse_arguments(["tiny", *arguments])
