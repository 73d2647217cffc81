"""Trainings and measurements for the noise: seeds, continuation, failures, and their folders."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from latent_atlas.config import reading
from latent_atlas.data.store import Store
from latent_atlas.metrics.noise import Noise
from latent_atlas.report.noise import FOLDER, measure_noise
from latent_atlas.util.console import UserError
from tests.conftest import ROOT

RUN = "circles_vae"
TRAINED = [("train", "0", 0), ("train", "1", 1), ("train", "2", 2)]
MEASURED = [("evaluate", "0", 0), ("evaluate", "1", 0), ("evaluate", "2", 0)]


class Commands(NamedTuple):
    """Replaced commands: each writes what the stage would write.

    Attributes:
        started: stage, folder, and seed in its params.yaml.
        failing: (stage, folder) → exit status, or an error to raise.
    """

    started: list[tuple[str, str, int]]
    failing: dict[tuple[str, str], int | BaseException]

    def run(
        self, command: list[str], cwd: Path, stdout: Any, **_: object
    ) -> subprocess.CompletedProcess[str]:
        stage, name = command[2].removeprefix("stages."), command[3]
        params = reading.load(cwd / "params.yaml")
        assert (name, params.threads) == (RUN, 1)
        self.started.append((stage, cwd.name, params.seed))
        failure = self.failing.get((stage, cwd.name), 0)
        if isinstance(failure, BaseException):
            raise failure
        if failure:
            stdout.write(b"loading\nerror: non-finite loss\n")
            return subprocess.CompletedProcess(command, failure)
        output = f"models/{name}/config.json" if stage == "train" else f"metrics/{name}.json"
        path = cwd / output
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({name: {"psnr": 20.0 + 2 * int(cwd.name)}}))
        return subprocess.CompletedProcess(command, 0)


@pytest.fixture
def commands(
    tmp_path: Path, make_store: Callable[..., Store], monkeypatch: pytest.MonkeyPatch
) -> Commands:
    monkeypatch.chdir(tmp_path)
    make_store(name="circles_mono")
    replaced = Commands([], {})
    monkeypatch.setattr(subprocess, "run", replaced.run)
    return replaced


def measure(seeds: int = 3, **overlay: Any) -> tuple[list[Noise], list[str]]:
    values = reading.merge(reading.read(ROOT / "params.yaml"), overlay)
    return measure_noise(reading.validate(values, "params.yaml"), values, [RUN], seeds, jobs=1)


def test_only_the_seed_of_the_training_differs(commands: Commands) -> None:
    (row,), failures = measure()
    assert commands.started == TRAINED + MEASURED
    assert row[:5] == (RUN, "psnr", 3, 22.0, 2.0)
    assert failures == []


def test_finished_work_is_not_done_again(commands: Commands) -> None:
    first = measure(seeds=2)
    commands.started.clear()
    assert measure(seeds=2) == first
    assert commands.started == []
    measure(seeds=3)
    assert commands.started == [TRAINED[2], MEASURED[2]]


def test_a_changed_parameter_trains_again(commands: Commands) -> None:
    (before,), _ = measure()
    commands.started.clear()
    (after,), _ = measure(latent_dim=7)
    assert commands.started == TRAINED + MEASURED
    assert before.digest != after.digest


def test_a_changed_measurement_trains_nothing(commands: Commands) -> None:
    measure()
    commands.started.clear()
    measure(evaluate={"bins": 10})
    assert commands.started == MEASURED


def test_other_images_train_again(commands: Commands, make_store: Callable[..., Store]) -> None:
    measure()
    commands.started.clear()
    make_store(name="circles_mono", count=61)
    measure()
    assert commands.started == TRAINED + MEASURED


def test_a_failure_stops_nothing_else_and_is_repeated(commands: Commands) -> None:
    commands.failing["train", "1"] = 1
    (row,), (failure,) = measure()
    assert commands.started == [*TRAINED, MEASURED[0], MEASURED[2]]
    assert row[:4] == (RUN, "psnr", 2, 22.0)
    assert failure == (
        f"train {RUN} with seed 1 failed with 1: non-finite loss "
        f"(the log is {FOLDER}/1/logs/train-{RUN}.txt)"
    )
    commands.failing.clear()
    commands.started.clear()
    (row,), failures = measure()
    assert commands.started == [TRAINED[1], MEASURED[1]]
    assert (row.seeds, failures) == (3, [])


def test_an_interrupted_command_is_started_again(commands: Commands) -> None:
    commands.failing["train", "1"] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        measure()
    commands.failing.clear()
    commands.started.clear()
    measure()
    assert commands.started == [*TRAINED[1:], *MEASURED]


def test_a_removed_output_is_made_again(commands: Commands) -> None:
    measure()
    commands.started.clear()
    (FOLDER / "2" / "metrics" / f"{RUN}.json").unlink()
    measure()
    assert commands.started == [MEASURED[2]]


def test_a_folder_shares_the_data_and_keeps_its_models(commands: Commands, tmp_path: Path) -> None:
    for name in (RUN, "scenes-deepcluster"):
        (tmp_path / "models" / name).mkdir(parents=True)
    measure(seeds=2)
    folder = FOLDER / "0"
    assert (folder / "data").resolve() == tmp_path / "data"
    assert (folder / "models" / "scenes-deepcluster").is_symlink()
    assert not (folder / "models" / RUN).is_symlink()
    assert list((tmp_path / "models" / RUN).iterdir()) == []
    assert not (folder / ".cache").exists()


def test_an_unknown_run_is_refused(commands: Commands) -> None:
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    params = reading.validate(values, "params.yaml")
    with pytest.raises(UserError, match=r"no run 'circle_vae' in params\.yaml"):
        measure_noise(params, values, ["circle_vae"], 2, 1)
    assert commands.started == []


def test_a_translation_is_measured_beside_the_vae_of_its_baseline(
    commands: Commands, make_store: Callable[..., Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_store(name="clothes")
    task = {"from": {"label": "class0"}, "to": {"label": "class1"}}
    run = {"data": "clothes", "model": "cyclegan", "task": task}
    values = reading.merge(
        reading.read(ROOT / "params.yaml"), {"runs": {"translation": {"other": run}}}
    )
    params = reading.validate(values, "params.yaml")
    started = []

    def start(command: list[str], cwd: Path, **_: Any) -> subprocess.CompletedProcess[str]:
        stage, name = command[2].removeprefix("stages."), command[3]
        started.append((stage, name, cwd.name))
        output = f"models/{name}/config.json" if stage == "train" else f"metrics/{name}.json"
        (cwd / output).parent.mkdir(parents=True, exist_ok=True)
        (cwd / output).write_text(json.dumps({name: {"success": float(cwd.name)}}))
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(subprocess, "run", start)
    (row,), failures = measure_noise(params, values, ["other"], 2, 1)
    assert failures == []
    assert row[:4] == ("other", "success", 2, 0.5)
    trained = [(name, folder) for stage, name, folder in started if stage == "train"]
    vae = params.translation.vae
    assert trained == [("other", "0"), (vae, "0"), ("other", "1"), (vae, "1")]
    assert [one for one in started if one[0] == "translation"] == [
        ("translation", "other", "0"),
        ("translation", "other", "1"),
    ]
