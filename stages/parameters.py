"""`python -m stages.parameters`: write docs/reference/parameters.md from the schema.

With `--check`, write nothing and fail if the file is out of date.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from latent_atlas.config.reference import parameter_reference
from latent_atlas.util.console import UserError, run_command
from latent_atlas.util.files import write_bytes

OUT = Path("docs/reference/parameters.md")


def main() -> None:
    """Generate the reference, and write or compare it."""
    parser = argparse.ArgumentParser(prog="python -m stages.parameters", description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail if the file is out of date")
    check = parser.parse_args().check
    text = parameter_reference()
    if OUT.is_file() and OUT.read_text(encoding="utf-8") == text:
        return
    if check:
        raise UserError(f"{OUT}: differs from the schema; run `python -m stages.parameters`")
    OUT.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(OUT, text.encode())
    print(f"{OUT} written")


if __name__ == "__main__":
    run_command(main)
