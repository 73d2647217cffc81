"""`python -m stages.probe IMAGES SOURCE…`: probe features for information about image classes.

IMAGES is any labelled source that the ingestion reads. A SOURCE is a backbone, or a part of a run:
encoder:models/scenes_mixing, discriminator:…, random:… (the untrained encoder),
transfer-encoder:… and transfer-discriminator:… (an AlexNet trained on clusters of the features).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd
from pydantic import ValidationError

from latent_atlas.analysis.probe.feature_sources import open_source
from latent_atlas.analysis.probe.run import ProbeSettings, probe_sources
from latent_atlas.config.schema import DataSet
from latent_atlas.data.sources.ingest import ingest
from latent_atlas.util.console import FieldError, UserError, run_command, say
from latent_atlas.util.files import write_bytes
from latent_atlas.util.locks import exclusive_lock

CACHE = Path(".cache/probe")


def main() -> None:
    """Open the sources, read the images, probe, and write the table."""
    arguments = _parser().parse_args()
    settings, out = _settings(arguments), arguments.out
    sources = [open_source(name, settings.seed) for name in arguments.sources]
    side = settings.size
    data = DataSet(source=arguments.images, height=side, width=side, channels=3, fit="crop")
    lock = CACHE.with_name(f"{CACHE.name}.lock")
    try:
        for source in sources:
            source.check(side)
        with exclusive_lock(lock, "another probe is running"):  # it would replace the images
            table = probe_sources(sources, ingest("probe", data, CACHE), settings)
    except FieldError as error:
        argument = "images" if error.field == "source" else _option(error.field)
        raise UserError(f"{argument}: {error.problem}") from error
    write_bytes(out, table.to_csv(index=False).encode())
    print(_markdown(table))
    say(f"{settings.folds} folds of {settings.fold_size} images: {out}")


def _markdown(table: pd.DataFrame) -> str:
    lines = ["| features | how | accuracy (%) | classifier parameters |", "|---|---|---:|---:|"]
    for _, row in table.iterrows():
        lines.append(
            f"| {row['features']} | {row['how']} | {row['accuracy_percent']:.1f} ± {row['sd']:.1f} "
            f"| {row['classifier_parameters']:,} |"
        )
    return "\n".join(lines)


def _option(field: str) -> str:
    return f"--{field.replace('_', '-')}"


_HELP = {
    "size": "height and width of the images",
    "folds": "random training sets",
    "fold_size": "training images per fold",
    "finetune": "epochs of fine-tuning; 0 for none",
    "rate": "learning rate of fine-tuning",
    "clusters": "clusters of the features, for knowledge transfer",
    "student_epochs": "epochs of the AlexNet of knowledge transfer",
    "student_width": "factor on the number of maps of that AlexNet",
    "seed": "seed of folds and weights",
}
"""Fields of `ProbeSettings` → description of the option."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m stages.probe",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("images", help="folder, archive, CSV or URL of labelled images")
    parser.add_argument("sources", nargs="+", metavar="source", help="feature source to probe")
    for field, text in _HELP.items():
        default = ProbeSettings.model_fields[field].default
        parser.add_argument(
            _option(field), type=type(default), default=default, help=f"{text} ({default})"
        )
    parser.add_argument("--out", type=Path, default=Path("probe.csv"), help="CSV to write")
    return parser


def _settings(arguments: argparse.Namespace) -> ProbeSettings:
    try:
        return ProbeSettings.model_validate({field: getattr(arguments, field) for field in _HELP})
    except ValidationError as error:
        problem = error.errors()[0]
        expected = problem["msg"].removeprefix("Input should be ")
        option = _option(str(problem["loc"][0]))
        raise UserError(f"{option}: found {problem['input']}, expected {expected}") from None


if __name__ == "__main__":
    run_command(main)
