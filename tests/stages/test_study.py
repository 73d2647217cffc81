"""The whole of a study: side by side, failing, killed, interrupted."""

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
from typing import NoReturn

import numpy as np
import psutil  # type: ignore[import-untyped]
import pytest
from filelock import FileLock

from latent_atlas.data.sources.ingested import environment
from latent_atlas.studies import workers as crew
from latent_atlas.studies.charts import grid
from latent_atlas.util.console import UserError
from stages.study import _label, main
from tests.conftest import ROOT
from tests.studies.conftest import Writer

# Many short steps, and the state saved at every look: something to interrupt, within seconds.
LONG = {"train": {"batch_size": 1, "epochs": {"sample": 2, "full": 2}}}
ONE = "beta=1 latent_dim=2"

Study = Callable[..., None]


@pytest.fixture
def study(monkeypatch: pytest.MonkeyPatch) -> Study:
    """``study("--jobs", "2")``: run the tiny study from this process, its cells in others."""

    def run(*options: str) -> None:
        monkeypatch.setattr(sys, "argv", ["study", "tiny", *options])
        main()

    return run


def wait_for(happened: Callable[[], bool]) -> None:
    """Wait until something has happened, for two minutes."""
    end = time.monotonic() + 120
    while not happened():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def in_training() -> bool:
    """Whether a cell has a state to go on from."""
    return any(Path(".cache").glob("studies/tiny/cells/*/training.pt"))


def results(scale: str = "small") -> Path:
    """The folder of the results."""
    return Path("studies/tiny/results") / scale


@pytest.mark.slow
def test_the_number_of_jobs_changes_nothing(
    tiny: Writer, study: Study, capfd: pytest.CaptureFixture[str]
) -> None:
    tiny()
    study("--jobs", "1")
    assert "5 of 5 cells are finished" in capfd.readouterr().err
    alone = (results() / "results.csv").read_bytes()
    assert alone.count(b"\n") == 6
    shutil.rmtree(".cache")
    study("--jobs", "2")
    assert (results() / "results.csv").read_bytes() == alone
    assert {file.name for file in results().iterdir()} == {
        "results.csv",
        "metrics.json",
        "table.md",
        "generation.png",
        "active_latents.png",
    }
    capfd.readouterr()
    study()  # once more: there is nothing left to do
    assert "images/s" not in capfd.readouterr().err
    assert (results() / "results.csv").read_bytes() == alone


def test_no_figure_of_an_earlier_run_stays_behind(
    tiny: Writer, study: Study, capfd: pytest.CaptureFixture[str]
) -> None:
    tiny({"tables": {"5.1": {"beta": [1], "latent_dim": [2]}, "5.10": {"beta": [1]}}})
    study("--only", "latent_dim=2")
    (results() / "old.png").write_bytes(b"of another run")
    study("--only", "latent_dim=2")
    assert not (results() / "old.png").exists()
    assert (results() / "table.md").exists()
    with pytest.raises(UserError, match="--source: found nothing, expected a path or URL"):
        study("--source", "")


def test_figures_that_cannot_be_drawn_cost_no_table(
    tiny: Writer, study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> NoReturn:
        raise UserError("pictures: found none, expected some; add them")

    failures = {"one": "it was killed", "another": "it was killed too"}
    monkeypatch.setattr(crew, "carry_out", lambda *_: failures)
    monkeypatch.setattr(grid, "draw", fail)
    tiny()
    with pytest.raises(UserError) as error:
        study()
    assert str(error.value) == (
        "2 of 5 cells failed: one (it was killed) and 1 more; "
        "not all figures are drawn: pictures: found none, expected some; add them"
    )
    assert {file.name for file in results().iterdir()} == {
        "results.csv",
        "metrics.json",
        "table.md",
    }


@pytest.mark.slow
def test_cells_of_several_machines_come_together(
    tiny: Writer, study: Study, capfd: pytest.CaptureFixture[str]
) -> None:
    tiny()
    cells = Path(".cache/studies/tiny/cells")
    study("--only", "beta=4")
    shutil.move(cells, "elsewhere")
    shutil.rmtree(".cache")
    study("--only", "beta=1,8")
    for folder in Path("elsewhere").iterdir():
        shutil.move(folder, cells)
    capfd.readouterr()
    study()
    said = capfd.readouterr().err
    assert "5 of 5 cells are finished" in said
    assert "images/s" not in said, "a cell was trained again"
    together = (results() / "results.csv").read_bytes()
    shutil.rmtree(".cache")
    study()
    assert (results() / "results.csv").read_bytes() == together


@pytest.mark.slow
def test_a_killed_cell_is_named_and_goes_on(
    tiny: Writer, study: Study, capfd: pytest.CaptureFixture[str]
) -> None:
    tiny(LONG)
    study("--only", ONE)
    uninterrupted = (results() / "results.csv").read_bytes()
    shutil.rmtree(".cache")

    def kill_workers() -> None:
        wait_for(in_training)
        for worker in psutil.Process().children():
            worker.kill()

    killer = threading.Thread(target=kill_workers)
    killer.start()
    name = "circles_mono_beta_vae_conv_bernoulli_b1_z2_s0"
    with pytest.raises(UserError, match=f"1 of 1 cells failed: {name} .its process ended by sig"):
        study("--only", ONE)
    killer.join()
    assert (results() / "results.csv").read_bytes() != uninterrupted
    study("--only", ONE)
    (log,) = Path(".cache").glob("studies/tiny/cells/*/log.txt")
    assert "going on from epoch" in log.read_text()
    assert (results() / "results.csv").read_bytes() == uninterrupted


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_no_worker_outlives_its_study(tiny: Writer, how: signal.Signals) -> None:
    tiny(LONG)
    process = subprocess.Popen(
        [sys.executable, "-m", "stages.study", "tiny", "--jobs", "2"],
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
        # A shell that starts this in the background may have made it deaf to Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler) and None,
    )
    wait_for(in_training)
    workers = psutil.Process(process.pid).children()
    assert len(workers) == 2
    process.send_signal(how)
    _, said = process.communicate(timeout=60)
    if how is signal.SIGINT:
        assert process.returncode == 130
        assert said.splitlines()[-1] == "stopped by the keyboard; finished work is kept"
    _, alive = psutil.wait_procs(workers, timeout=20)
    assert [worker for worker in alive if worker.status() != psutil.STATUS_ZOMBIE] == []


def state() -> int:
    """When a cell last saved the state of its training, in ns; 0 for never."""
    times = [0]
    for path in Path(".cache").glob("studies/tiny/cells/*/training.pt"):
        with contextlib.suppress(FileNotFoundError):  # its training has just ended
            times.append(path.stat().st_mtime_ns)
    return max(times)


def _saved_since(last: int) -> bool:
    return state() > last


@pytest.mark.slow
def test_five_kills_at_random_moments_change_nothing(tiny: Writer, study: Study) -> None:
    longer = {"train": {"batch_size": 1, "epochs": {"sample": 3, "full": 3}}}
    tiny(longer)
    study("--only", "beta=1")
    names = ("results.csv", "table.md", "metrics.json", "generation.png", "active_latents.png")
    uninterrupted = {name: (results() / name).read_bytes() for name in names}
    shutil.rmtree(".cache")
    shutil.rmtree(results())

    moments = np.random.default_rng(0)
    command = [sys.executable, "-m", "stages.study", "tiny", "--only", "beta=1"]
    for kill in range(5):
        process = subprocess.Popen(
            command, env=environment(), stderr=subprocess.DEVNULL, start_new_session=True
        )
        for _ in range(moments.integers(1, 5)):  # of some thirty states in the whole study
            wait_for(partial(_saved_since, state()))
        time.sleep(moments.uniform(0, 0.1))  # not only right after a state was saved
        workers = psutil.Process(process.pid).children()
        assert process.poll() is None and workers, "it ended before it was killed"
        if kill % 2:  # the worker too, at once; else it hears that its study is gone
            workers[0].kill()
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        psutil.wait_procs(workers, timeout=20)
        assert not results().exists()
    study("--only", "beta=1")
    logs = [path.read_text() for path in Path(".cache").glob("studies/tiny/cells/*/log.txt")]
    assert sum(text.count("going on from epoch") for text in logs) >= 4
    assert {name: (results() / name).read_bytes() for name in names} == uninterrupted


@pytest.mark.slow
def test_a_failing_cell_loses_no_other(tiny: Writer, study: Study) -> None:
    tiny({"tables": {"5.1": {"beta": [1e300, 1], "latent_dim": [2]}, "5.10": {"beta": [1]}}})
    with pytest.raises(UserError) as error:
        study()
    line = str(error.value)
    assert line.startswith(
        "1 of 3 cells failed: circles_mono_beta_vae_conv_bernoulli_b1e_300_z2_s0 (run "
    )
    assert "the loss is not a number any more" in line
    text = (results() / "results.csv").read_text()
    assert [row.split(",")[4:6] for row in text.splitlines()[1:]] == [["1.0", "2"], ["1.0", "3"]]


@pytest.mark.slow
def test_other_images_have_results_of_their_own(tiny: Writer, study: Study) -> None:
    tiny()
    shutil.copy(ROOT / "params.yaml", ".")
    study("--source", "sklearn:digits", "--only", ONE)
    assert "sklearn:digits" in (results("small-digits") / "table.md").read_text()
    assert not results().exists()
    study("--source", "sklearn:digits", "--only", ONE)
    before = (results("small-digits") / "results.csv").read_bytes()
    with pytest.raises(
        UserError, match=r"found /other/digits, but .*small-digits holds the results on sklearn:dig"
    ):
        study("--source", "/other/digits", "--only", ONE)
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
def test_results_on_other_images_are_called_after_them(source: str, label: str) -> None:
    assert _label(source) == label


def test_one_study_at_a_time(tiny: Writer, study: Study) -> None:
    tiny()
    Path(".cache/studies/tiny").mkdir(parents=True)
    with (
        FileLock(".cache/studies/tiny/small.lock"),
        pytest.raises(UserError, match="this study is running already"),
    ):
        study()


def test_a_place_that_cannot_hold_the_cells_is_one_line(tiny: Writer, study: Study) -> None:
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


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--scale", "large"), "argument --scale: invalid choice: 'large'"),
        (("--jobs", "0"), "argument --jobs: found '0', expected a number of 1 or more"),
        (("--only", "beta=7"), "--only: no cell has beta '7'"),
    ],
)
def test_wrong_options_are_one_line(
    tiny: Writer, study: Study, options: tuple[str, ...], message: str
) -> None:
    tiny()
    with pytest.raises(UserError, match=f"^{message}"):
        study(*options)
    assert not Path(".cache").exists()
