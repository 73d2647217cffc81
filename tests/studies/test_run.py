"""Runs of a study: in parallel, failing, killed, interrupted."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import psutil
import pytest
from filelock import FileLock

from latent_atlas.studies import run as study_run
from latent_atlas.studies import workers
from latent_atlas.studies.run import Request, run_study, source_label
from latent_atlas.util.console import UserError
from tests.conftest import ROOT
from tests.studies.conftest import Writer
from tests.studies.test_workers import worker_processes

# Many short steps, and a state that is saved often: a training that tests can interrupt.
LONG = {"train": {"batch_size": 1, "epochs": {"sample": 2, "full": 2}}}
ONE = "beta=1 latent_dim=2"
RESUMED = "resuming at epoch"

COMMAND = [sys.executable, "-m", "stages.study", "tiny"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


def study(**arguments: Any) -> None:
    """Run the tiny study from this process, its cells in worker processes."""
    run_study(Request("tiny", **arguments))


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until a condition is true, for two minutes at most."""
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end, "the condition did not become true"
        time.sleep(0.02)


def in_training() -> bool:
    """Whether a cell has saved the state of its training."""
    return any(Path(".cache").glob("studies/tiny/cells/*/training.pt"))


def results(scale: str = "small") -> Path:
    """The folder of the results."""
    return Path("studies/tiny/results") / scale


@pytest.mark.slow
def test_the_number_of_jobs_changes_nothing(
    tiny: Writer, capfd: pytest.CaptureFixture[str]
) -> None:
    tiny()
    study(jobs=1)
    assert "5 of 5 cells are finished" in capfd.readouterr().err
    sequential = (results() / "results.csv").read_bytes()
    assert sequential.count(b"\n") == 6
    shutil.rmtree(".cache")
    study(jobs=2)
    assert (results() / "results.csv").read_bytes() == sequential
    assert {file.name for file in results().iterdir()} == {
        "results.csv",
        "metrics.json",
        "table.md",
        "reconstruction_loss.png",
        "active_latents.png",
    }
    capfd.readouterr()
    study()  # nothing remains to be done
    assert "images/s" not in capfd.readouterr().err
    assert (results() / "results.csv").read_bytes() == sequential


def test_files_of_an_earlier_run_are_removed(
    tiny: Writer, capfd: pytest.CaptureFixture[str]
) -> None:
    tiny({"tables": {"5.1": {"beta": [1], "latent_dim": [2]}, "5.10": {"beta": [1]}}})
    study(only="latent_dim=2")
    (results() / "old.png").write_bytes(b"of another run")
    study(only="latent_dim=2")
    assert not (results() / "old.png").exists()
    assert (results() / "table.md").exists()
    with pytest.raises(UserError, match="--source: found nothing, expected a path or URL"):
        study(source="")


def test_tables_are_written_if_charts_cannot_be_drawn(
    tiny: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> NoReturn:
        raise UserError("pictures: found none, expected some; add them")

    failures = {"one": "it was killed", "another": "it was killed too"}
    monkeypatch.setattr(workers, "finish_cells", lambda *_: failures)
    monkeypatch.setattr(study_run, "draw_charts", fail)
    tiny()
    with pytest.raises(UserError) as error:
        study()
    assert str(error.value) == (
        "2 of 5 cells failed: one (it was killed) and 1 more; "
        "not all charts are drawn: pictures: found none, expected some; add them"
    )
    assert {file.name for file in results().iterdir()} == {
        "results.csv",
        "metrics.json",
        "table.md",
    }


@pytest.mark.slow
def test_cells_of_several_machines_can_be_copied_together(
    tiny: Writer, capfd: pytest.CaptureFixture[str]
) -> None:
    tiny()
    cells = Path(".cache/studies/tiny/cells")
    study(only="beta=4")
    shutil.move(cells, "elsewhere")
    shutil.rmtree(".cache")
    study(only="beta=1,8")
    for folder in Path("elsewhere").iterdir():
        shutil.move(folder, cells)
    capfd.readouterr()
    study()
    output = capfd.readouterr().err
    assert "5 of 5 cells are finished" in output
    assert "images/s" not in output, "a cell was trained again"
    together = (results() / "results.csv").read_bytes()
    shutil.rmtree(".cache")
    study()
    assert (results() / "results.csv").read_bytes() == together


@pytest.mark.slow
def test_a_killed_cell_is_named_and_resumed(
    tiny: Writer, capfd: pytest.CaptureFixture[str]
) -> None:
    tiny(LONG)
    study(only=ONE)
    uninterrupted = (results() / "results.csv").read_bytes()
    shutil.rmtree(".cache")

    def kill_workers() -> None:
        wait_for(in_training)
        for worker in worker_processes(os.getpid()):
            worker.kill()

    killer = threading.Thread(target=kill_workers)
    killer.start()
    name = "circles_mono_beta_vae_conv_bernoulli_b1_z2_s0"
    reason = "its process ended by signal 9; run the study again to continue"
    with pytest.raises(UserError, match=f"1 of 1 cells failed: {name} .{reason}"):
        study(only=ONE)
    killer.join()
    assert (results() / "results.csv").read_bytes() != uninterrupted
    study(only=ONE)
    (log,) = Path(".cache").glob("studies/tiny/cells/*/log.txt")
    assert RESUMED in log.read_text()
    assert (results() / "results.csv").read_bytes() == uninterrupted


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_no_worker_outlives_its_study(tiny: Writer, how: signal.Signals) -> None:
    tiny(LONG)
    process = subprocess.Popen(
        [*COMMAND, "--jobs", "2"],
        env=ENVIRONMENT,
        stderr=subprocess.PIPE,
        text=True,
        # A shell that started the tests in the background may ignore SIGINT.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler) and None,
    )
    wait_for(in_training)
    wait_for(lambda: len(worker_processes(process.pid)) == 2)
    children = worker_processes(process.pid)
    process.send_signal(how)
    _, output = process.communicate(timeout=60)
    if how is signal.SIGINT:
        assert process.returncode == 130
        assert output.splitlines()[-1] == "interrupted; finished work is kept"
        assert "Traceback" not in output
    _, alive = psutil.wait_procs(children, timeout=20)
    assert [worker for worker in alive if worker.status() != psutil.STATUS_ZOMBIE] == []


def last_save() -> int:
    """Time of the last saved state of a training, in ns; 0 if there is none."""
    times = [0]
    for path in Path(".cache").glob("studies/tiny/cells/*/training.pt"):
        with contextlib.suppress(FileNotFoundError):  # the training has just ended
            times.append(path.stat().st_mtime_ns)
    return max(times)


def _saved_since(last: int) -> bool:
    return last_save() > last


@pytest.mark.slow
def test_five_kills_at_random_moments_change_nothing(tiny: Writer) -> None:
    longer = {"train": {"batch_size": 1, "epochs": {"sample": 3, "full": 3}}}
    tiny(longer)
    study(only="beta=1")
    names = ("results.csv", "table.md", "metrics.json", "reconstruction_loss.png")
    uninterrupted = {name: (results() / name).read_bytes() for name in names}
    shutil.rmtree(".cache")
    shutil.rmtree(results())

    moments = np.random.default_rng(0)
    for kill in range(5):
        process = subprocess.Popen(
            [*COMMAND, "--only", "beta=1"],
            env=ENVIRONMENT,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        for _ in range(moments.integers(1, 5)):  # of about thirty states in the whole study
            wait_for(partial(_saved_since, last_save()))
        time.sleep(moments.uniform(0, 0.1))  # not only right after a state was saved
        children = worker_processes(process.pid)
        assert process.poll() is None and children, "it ended before it was killed"
        if kill % 2:  # the worker at the same time; else it ends with its study
            children[0].kill()
        process.kill()
        process.wait()
        _, alive = psutil.wait_procs(children, timeout=20)
        assert not alive
        assert not results().exists()
    study(only="beta=1")
    logs = [path.read_text() for path in Path(".cache").glob("studies/tiny/cells/*/log.txt")]
    assert sum(text.count(RESUMED) for text in logs) >= 4
    assert {name: (results() / name).read_bytes() for name in names} == uninterrupted


@pytest.mark.slow
def test_the_other_cells_are_finished_if_one_fails(tiny: Writer) -> None:
    tiny({"tables": {"5.1": {"beta": [1e300, 1], "latent_dim": [2]}, "5.10": {"beta": [1]}}})
    with pytest.raises(UserError) as error:
        study()
    line = str(error.value)
    assert line.startswith(
        "1 of 3 cells failed: circles_mono_beta_vae_conv_bernoulli_b1e_300_z2_s0 (run "
    )
    assert "non-finite loss" in line
    text = (results() / "results.csv").read_text()
    assert [row.split(",")[4:6] for row in text.splitlines()[1:]] == [["1.0", "2"], ["1.0", "3"]]


@pytest.mark.slow
def test_other_images_have_their_own_results(tiny: Writer) -> None:
    tiny()
    study(source="sklearn:digits", only=ONE)
    assert "sklearn:digits" in (results("small-digits") / "table.md").read_text()
    assert not results().exists()
    study(source="sklearn:digits", only=ONE)
    before = (results("small-digits") / "results.csv").read_bytes()
    with pytest.raises(
        UserError, match=r"found /other/digits, but .*small-digits holds the results with sklearn:"
    ):
        study(source="/other/digits", only=ONE)
    assert (results("small-digits") / "results.csv").read_bytes() == before


@pytest.mark.parametrize(
    ("source", "label"),
    [
        ("~/mnist/", "mnist"),
        ("torchvision:MNIST", "MNIST"),
        ("https://example.org/clothes.tar.gz", "clothes"),
        ("https://me:word@example.org/clothes?signature=secret/too", "clothes"),
        ("/data/2024.01-clothes", "2024.01-clothes"),
        ("/data/2024.02-clothes.ZIP", "2024.02-clothes"),
        ("https://example.org/v1.2.csv", "v1.2"),
        ("..", "source"),
        ("/data/.zip", "source"),
    ],
)
def test_results_are_named_after_the_source(source: str, label: str) -> None:
    assert source_label(source) == label


def test_a_study_runs_once_at_a_time(tiny: Writer) -> None:
    tiny()
    Path(".cache/studies/tiny").mkdir(parents=True)
    with (
        FileLock(".cache/studies/tiny/small.lock"),
        pytest.raises(UserError, match="this study is running already"),
    ):
        study()


def test_a_cache_that_cannot_be_written_is_one_line(tiny: Writer) -> None:
    tiny()
    Path(".cache").mkdir()
    Path(".cache/studies").touch()
    with pytest.raises(
        UserError, match=r"^\.cache/studies/tiny: cannot be written \(.*\), expected"
    ):
        study()
    Path(".cache/studies").unlink()
    Path(".cache/studies/tiny/small.lock").mkdir(parents=True)
    with pytest.raises(
        UserError, match=r"^\.cache/studies/tiny: cannot be written \(.*\), expected"
    ):
        study()
