"""Checkpoints: opening trained runs, and errors of missing or damaged files."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import latent_atlas
from latent_atlas.config.runs import Run
from latent_atlas.data.pixels import to_images
from latent_atlas.data.store import Store
from latent_atlas.models.options.tcvae import TCVAEOptions
from latent_atlas.training import loop
from latent_atlas.training.checkpoint import TrainedRun, open_run, open_runs
from latent_atlas.util.console import UserError


@pytest.fixture
def trained(
    make_run: Callable[..., Run], make_store: Callable[..., Store], tmp_path: Path
) -> tuple[TrainedRun, Store, Path]:
    store, out = make_store(), tmp_path / "models" / "run"
    loop.train(make_run(epochs=1), store, out, tmp_path / "state.pt")
    return open_run(out), store, out


def test_codes_and_images_come_from_the_saved_weights(
    trained: tuple[TrainedRun, Store, Path],
) -> None:
    run, store, _ = trained
    codes = run.encode(store.images)
    assert codes.shape == (len(store.images), 3)
    with torch.no_grad():
        expected = run.model.encode(to_images(torch.from_numpy(store.images[:1]))).numpy()
    np.testing.assert_allclose(codes[:1], expected, rtol=1e-5, atol=1e-6)
    images = run.decode(codes)
    assert images.dtype == np.uint8
    assert images.shape == store.images.shape
    assert not run.model.training


@pytest.mark.parametrize("size", [1, 7])
def test_results_do_not_depend_on_the_batch_size(
    trained: tuple[TrainedRun, Store, Path], size: int
) -> None:
    run, store, out = trained
    other = open_run(out, batch_size=size)
    np.testing.assert_allclose(
        other.encode(store.images), run.encode(store.images), rtol=1e-4, atol=1e-5
    )


def test_no_images_give_no_codes(trained: tuple[TrainedRun, Store, Path]) -> None:
    run, store, _ = trained
    assert run.encode(store.images[:0]).shape == (0, 3)


def test_other_images_are_refused(
    trained: tuple[TrainedRun, Store, Path], make_store: Callable[..., Store]
) -> None:
    run, store, _ = trained
    run.check(store)
    with pytest.raises(UserError, match="not the images that run circles_beta_vae was trained on"):
        run.check(make_store(count=61))


def test_a_missing_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"config.json: missing; train the run with `dvc repro`"):
        open_run(tmp_path / "models" / "nothing")


def test_damage_is_named(trained: tuple[TrainedRun, Store, Path]) -> None:
    _, _, out = trained
    whole = (out / "weights.safetensors").read_bytes()
    (out / "weights.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match="damaged checkpoint"):
        open_run(out)


@pytest.mark.parametrize("file", ["config.json", "weights.safetensors", "history.csv"])
def test_a_missing_part_is_named(trained: tuple[TrainedRun, Store, Path], file: str) -> None:
    _, _, out = trained
    (out / file).unlink()
    with pytest.raises(UserError, match=rf"{out / file}: missing; train the run"):
        open_run(out)


@pytest.mark.parametrize("config", [[], {"run": 3, "shape": 3}, {"run": {}, "shape": []}])
def test_a_config_of_another_kind_is_named(
    trained: tuple[TrainedRun, Store, Path], config: object
) -> None:
    _, _, out = trained
    (out / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match="damaged checkpoint"):
        open_run(out)


def test_files_of_the_wrong_kind_are_named(trained: tuple[TrainedRun, Store, Path]) -> None:
    _, _, out = trained
    with pytest.raises(UserError, match=r"history\.csv/config\.json: missing"):
        open_run(out / "history.csv")
    config = json.loads((out / "config.json").read_text()) | {"shape": [30, 30, 3]}
    (out / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match=r"of another network \(.* found 30×30\)"):
        open_run(out)
    (out / "history.csv").unlink()
    (out / "history.csv").mkdir()
    with pytest.raises(UserError, match=r"cannot be read \(.*history\.csv"):
        open_run(out)


def test_weights_of_another_network_are_refused(trained: tuple[TrainedRun, Store, Path]) -> None:
    _, _, out = trained
    config = json.loads((out / "config.json").read_text())
    config["run"]["latent_dim"] = 4
    (out / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match="weights of another network"):
        open_run(out)


def test_runs_are_opened_in_order_and_checked(
    trained: tuple[TrainedRun, Store, Path],
    make_store: Callable[..., Store],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _, store, out = trained
    monkeypatch.chdir(out.parent.parent)
    shutil.copytree(out, out.with_name("other"))
    opened = []

    def opener(path: Path) -> TrainedRun:
        opened.append(path.name)
        return open_run(path)

    assert len(open_runs(["other", "run"], store, "runs.paintings", opener)) == 2
    assert opened == ["other", "run"]
    with pytest.raises(UserError, match=r"runs\.paintings: no run on data 'blobs'; add one"):
        open_runs([], store, "runs.paintings")
    with pytest.raises(UserError, match="not the images that run"):
        open_runs(["run"], make_store(count=90), "runs.paintings")


def test_a_run_with_a_schedule_opens(
    make_run: Callable[..., Run], make_store: Callable[..., Store], tmp_path: Path
) -> None:
    run = make_run(epochs=1, train={"schedule": {5: 0.3, 7: 0.1}})
    loop.train(run, make_store(), tmp_path / "run", tmp_path / "state.pt")
    assert open_run(tmp_path / "run").run == run


def test_an_option_that_a_checkpoint_lacks_has_its_default(
    trained: tuple[TrainedRun, Store, Path],
) -> None:
    run, _, out = trained
    config = json.loads((out / "config.json").read_text())
    assert config["run"].pop("options") == run.run.options.model_dump() == {}
    config["run"]["model"] = "tcvae"
    (out / "config.json").write_text(json.dumps(config))
    assert open_run(out).run.options == TCVAEOptions(images=10_000)


def modules_after(code: str) -> set[str]:
    """The modules that a Python process has imported after `code`."""
    command = [sys.executable, "-c", f"{code}; import sys; print(*sys.modules)"]
    return set(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split())


def test_open_run_is_imported_from_the_package_at_first_use() -> None:
    assert "torch" not in modules_after("import latent_atlas")
    modules = modules_after("from latent_atlas import open_run; assert callable(open_run)")
    assert "latent_atlas.training.checkpoint" in modules
    assert not {"dvc", "lightning_fabric", "matplotlib"} & modules


def test_the_package_has_no_other_lazy_names() -> None:
    assert latent_atlas.open_run is open_run
    with pytest.raises(AttributeError, match="has no attribute 'open_runs'"):
        latent_atlas.open_runs  # noqa: B018
