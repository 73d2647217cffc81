"""`python -m stages.dag`: renew the generated parts of dvc.yaml and of the studies' dvc.yaml.

With `--check`, write nothing and fail where a file is out of date.
"""

from __future__ import annotations

import argparse

from latent_atlas.config import dag, reading
from latent_atlas.util.console import UserError, run_command
from latent_atlas.util.files import write_bytes
from latent_atlas.util.imports import ROOT


def main() -> None:
    """Generate every file, and write those that changed."""
    parser = argparse.ArgumentParser(prog="python -m stages.dag", description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail if a file is out of date")
    check = parser.parse_args().check
    params = reading.load()
    for path in dag.files():
        name, old = path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")
        new = dag.generate(old, params, name)
        if new == old:
            continue
        if check:
            raise UserError(f"{name}: does not fit params.yaml or the code; run `make dag`")
        write_bytes(path, new.encode())
        print(f"{name} written")


if __name__ == "__main__":
    run_command(main)
