"""Ingestion of JPEG files against a plain loop with Pillow; its memory; random access to the store.

The ingestion runs as a command, as DVC starts it, and prints its own rate, which excludes the start
of Python. It and the plain loop use the same single core.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmarks.results import Result, Target, number, rates, ratio
from benchmarks.size import Size
from latent_atlas.config import reading
from latent_atlas.data.store import open_store
from latent_atlas.data.synthetic.garments import garments
from latent_atlas.util.console import Progress, UserError
from latent_atlas.util.files import write_json

HEIGHT, WIDTH = 96, 64
SMALL, LARGE = 2, 8
"""Sides of the JPEG files, as multiples of those of the stored images."""

GROUP = 5
DISTINCT = 500

NO_GROWTH = Target("at most", 1.1)

_ROOT = Path(__file__).resolve().parents[1]
_RATE = re.compile(r"([\d,.]+) images/s")
# Starts a command and prints its peak memory. A process inherits the peak of the one that starts
# it, which must therefore be a small one.
_LAUNCHER = (
    "import os, subprocess, sys\n"
    "_, status, usage = os.wait4(subprocess.Popen(sys.argv[1:]).pid, 0)\n"
    "print(usage.ru_maxrss)\n"
    "sys.exit(os.waitstatus_to_exitcode(status))"
)


def measure_ingestion(size: Size, folder: Path) -> list[Result]:
    """Rate, memory and random access; `folder` is for the files and the stores."""
    files = {
        "few": write_jpegs(folder / "few", size.files, SMALL),
        "many": write_jpegs(folder / "many", size.many, SMALL),
        "large": write_jpegs(folder / "large", size.files, LARGE),
    }
    _write_params(folder, list(files))
    with one_core():
        _, little = ingest(folder, "few")
        against_pillow, peaks = [], []
        for name, scale in (("many", SMALL), ("large", LARGE)):
            result, peak = _against_pillow(name, files[name], scale, size.ingests, folder)
            against_pillow.append(result)
            peaks.append(peak)
    memory = Result(
        f"peak memory of ingest, {size.many:,} / {size.files:,} files",
        "×",
        [peaks[0] / little],
        NO_GROWTH,
        f"{number(_megabytes(peaks[0]))} against {number(_megabytes(little))} MB",
    )
    return [
        *against_pillow,
        memory,
        _random_access(files["few"], folder / "data" / "few", size),
    ]


def write_jpegs(folder: Path, count: int, scale: int) -> list[Path]:
    """Write `count` JPEG files of drawn garments, no two with the same bytes.

    Args:
        folder: is made.
        count: how many; after `DISTINCT` pictures the files differ in their comment only.
        scale: their sides, in those of the stored images.
    """
    factors = garments.factors(min(count, DISTINCT), 0)
    pictures = garments.render(factors, HEIGHT * SMALL, WIDTH * SMALL)
    folder.mkdir()
    files = [folder / f"{index:05d}.jpg" for index in range(count)]
    for index, file in enumerate(files):
        picture = Image.fromarray(pictures[index % DISTINCT])
        picture = picture.resize((WIDTH * scale, HEIGHT * scale))
        picture.save(file, "JPEG", quality=90, comment=f"number {index}")
    return files


def ingest(folder: Path, name: str) -> tuple[float, int]:
    """Ingest the files in ``folder/name`` into ``folder/data/name``.

    Returns:
        Images per second, as the stage prints them, and its peak memory in the system's unit.

    Raises:
        UserError: if it fails.
    """
    path = os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH")]))
    process = subprocess.run(
        [sys.executable, "-c", _LAUNCHER, sys.executable, "-m", "stages.ingest", name],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path, "LATENT_ATLAS_ROOT": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    printed = _RATE.findall(process.stderr)
    if process.returncode or not printed:
        raise UserError(f"bench: the ingestion of {folder / name} failed: {process.stderr}")
    return float(printed[-1].replace(",", "")), int(process.stdout)


@contextlib.contextmanager
def one_core() -> Iterator[None]:
    """Keep this process, and those that it starts, on one core, where the system can."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def _write_params(folder: Path, names: list[str]) -> None:
    values = reading.without_runs(reading.read(_ROOT / reading.PARAMS))
    values["data"] = {
        name: {"source": str(folder / name), "height": HEIGHT, "width": WIDTH} for name in names
    }
    write_json(folder / reading.PARAMS, values)  # JSON is YAML


def _against_pillow(
    name: str, files: list[Path], scale: int, rounds: int, folder: Path
) -> tuple[Result, int]:
    """Rate of the ingestion against the plain loop, in alternation, and its highest peak memory."""
    ours, theirs, highest = [], [], 0
    with Progress(f"bench ingest {name}", rounds, "rounds") as progress:
        for _ in range(rounds):
            rate, peak = ingest(folder, name)
            highest = max(highest, peak)
            ours.append(len(files) / rate)
            started = time.perf_counter()
            for file in files:
                plain(file)
            theirs.append(time.perf_counter() - started)
            progress.advance()
    title = f"ingest, JPEGs of {HEIGHT * scale}×{WIDTH * scale} / Pillow"
    note = f"{rates(len(files), ours, theirs)} a core"
    return Result(title, "×", ratio(ours, theirs), None, note), highest


def plain(file: Path) -> npt.NDArray[np.uint8]:
    """A file as a plain loop reads it: open, convert, resize; uint8 H×W×3."""
    with Image.open(file) as image:
        small = image.convert("RGB").resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)
    return np.asarray(small)


def _random_access(files: list[Path], store: Path, size: Size) -> Result:
    """An image and its four neighbours: five slices of the store, or five files to decode."""
    images = open_store(store).images
    random = np.random.default_rng(0)
    ours, theirs = [], []
    for _ in range(min(size.rounds, 9)):
        groups = random.integers(len(files), size=(size.reads, GROUP))
        started = time.perf_counter()
        for group in groups:
            images[group]
        between = time.perf_counter()
        for group in groups:
            np.stack([plain(files[row]) for row in group])
        ours.append(between - started)
        theirs.append(time.perf_counter() - between)
    name = f"random access, {GROUP} from the store / {GROUP} JPEGs"
    note = f"{rates(size.reads * GROUP, ours, theirs)}, all from the page cache"
    return Result(name, "×", ratio(ours, theirs), None, note)


def _megabytes(peak: int) -> float:
    """``ru_maxrss`` is in KiB on Linux and in bytes on macOS."""
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6
