"""The training loop: repetition and resumption to the bit, phases, several processes, errors."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from latent_atlas.config.registry import NETWORKS
from latent_atlas.config.runs import Run
from latent_atlas.data.store import Store
from latent_atlas.models import build as building
from latent_atlas.models.base import Autoencoder, Batch, Model, ModelConfig, Phase, Stateful
from latent_atlas.models.build import new_model
from latent_atlas.training import checkpoint, loop
from latent_atlas.training.fabric import make_fabric
from latent_atlas.training.loop import LossSums, Selection, Training
from latent_atlas.util.console import Progress, UserError
from latent_atlas.util.seeds import seed_for
from tests.conftest import ROOT

MakeRun = Callable[..., Run]
MakeStore = Callable[..., Store]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "weights.safetensors")


def assert_equal(first: Path, second: Path) -> None:
    for file in ("weights.safetensors", "history.csv", "config.json"):
        assert (first / file).read_bytes() == (second / file).read_bytes(), file


def test_training_lowers_the_loss_and_repeats_to_the_bit(
    make_run: MakeRun, make_store: MakeStore, tmp_path: Path
) -> None:
    run, store = make_run(epochs=8), make_store()
    loop.train(run, store, tmp_path / "a", tmp_path / "a.pt")
    loop.train(run, store, tmp_path / "b", tmp_path / "b.pt")
    assert_equal(tmp_path / "a", tmp_path / "b")
    history = pd.read_csv(tmp_path / "a" / "history.csv")
    assert list(history["epoch"]) == list(range(1, 9))
    assert history["valid_loss"].iloc[-1] < history["valid_loss"].iloc[0]
    total = history["train_reconstruction"] + run.beta * history["train_kl"]
    np.testing.assert_allclose(history["train_loss"], total, rtol=1e-4)
    assert not list(tmp_path.glob("*.pt"))


def test_a_checkpoint_that_cannot_be_written_replaces_no_other(
    make_run: MakeRun, make_store: MakeStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, store, out = make_run(epochs=1), make_store(), tmp_path / "models" / "run"
    loop.train(run, store, out, tmp_path / "r.pt")
    before = {file.name: file.read_bytes() for file in out.iterdir()}

    def full(path: Path, value: object) -> None:
        raise UserError(f"{path}: cannot be written (No space left on device)")

    monkeypatch.setattr(checkpoint, "write_json", full)
    with pytest.raises(UserError, match=r"config\.json: cannot be written"):
        loop.train(make_run(epochs=2), store, out, tmp_path / "r.pt")
    assert list(out.parent.iterdir()) == [out]
    assert {file.name: file.read_bytes() for file in out.iterdir()} == before


def test_another_seed_gives_other_weights(
    make_run: MakeRun, make_store: MakeStore, tmp_path: Path
) -> None:
    store = make_store()
    for seed in (0, 1):
        loop.train(make_run(seed=seed, epochs=1), store, tmp_path / str(seed), tmp_path / "r.pt")
    first, second = weights(tmp_path / "0"), weights(tmp_path / "1")
    # Biases begin at the same values; weights do not.
    assert all(not torch.equal(first[n], second[n]) for n in first if n.endswith("weight"))


@pytest.mark.parametrize("model", ["tvae", "dip_vae_1", "acai"])
def test_validation_compares_as_many_images_as_training_does(
    make_run: MakeRun,
    make_store: MakeStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    model: str,
) -> None:
    """Terms that compare the images of a batch do not depend on the order of the store."""
    store = make_store()
    by_class = np.argsort(store.labels(), kind="stable")
    index = store.index.iloc[by_class].reset_index(drop=True)
    ordered = Store(store.path, store.images[by_class], index, store.card)
    network = {"network": "conv4"} if model == "acai" else {}
    run = make_run(model=model, epochs=1, beta=1.0 if model != "acai" else 0.0, **network)
    seen: list[torch.Tensor] = []
    original = Training.losses

    def record(self: Training, batch: Batch, phase: str) -> dict[str, torch.Tensor]:
        if not self.module.training:
            seen.append(batch.labels)
        return original(self, batch, phase)

    monkeypatch.setattr(Training, "losses", record)
    for size in (7, 200):
        monkeypatch.setattr(loop, "VALIDATION_BATCH", size)
        loop.train(run, ordered, tmp_path / str(size), tmp_path / "r.pt")
    assert_equal(tmp_path / "7", tmp_path / "200")
    assert max(map(len, seen)) == min(run.train.batch_size, len(ordered.rows("valid")))
    assert any(len(set(labels.tolist())) > 1 for labels in seen)


def test_the_size_of_a_network_is_part_of_the_code(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(network="conv4_quarter")
    before = loop.code_digest(run)
    wider = NETWORKS["conv4_quarter"]._replace(size={"width": 0.5})
    monkeypatch.setitem(NETWORKS, "conv4_quarter", wider)
    assert loop.code_digest(run) != before


class KilledError(Exception):
    """The simulated end of a process at a chosen step."""


@pytest.mark.parametrize("step", [1, 3, 5, 8])
def test_an_interrupted_training_ends_with_the_same_bits(
    make_run: MakeRun,
    make_store: MakeStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    step: int,
) -> None:
    run, store = make_run(train={"checkpoint_seconds": 0}), make_store()
    monkeypatch.setattr(loop, "CHECK_EVERY", 1)
    loop.train(run, store, tmp_path / "whole", tmp_path / "whole.pt")
    steps, original = 0, Training.take_step

    def stop_at(self: Training, *arguments: object) -> None:
        nonlocal steps
        steps += 1
        if steps == step + 1:
            raise KilledError
        original(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Training, "take_step", stop_at)
    with pytest.raises(KilledError):
        loop.train(run, store, tmp_path / "cut", tmp_path / "cut.pt")
    assert (tmp_path / "cut.pt").is_file()
    assert not (tmp_path / "cut").exists()
    loop.train(run, store, tmp_path / "cut", tmp_path / "cut.pt")
    assert_equal(tmp_path / "whole", tmp_path / "cut")
    training = Training(make_fabric(run.train), run, store, tmp_path / "none.pt")
    assert steps == 1 + training.steps * run.epochs, "a saved step was repeated"


@pytest.mark.parametrize(
    "change",
    [
        {"beta": 3.0},
        {"seed": 1},
        {"latent_dim": 2},
        {"epochs": 4},
        {"train": {"checkpoint_seconds": 0, "learning_rate": 0.01}},
    ],
)
def test_a_state_of_other_parameters_is_never_resumed(
    make_run: MakeRun, make_store: MakeStore, tmp_path: Path, change: dict[str, object]
) -> None:
    store = make_store()
    state = tmp_path / "state.pt"
    leave_state(make_run(train={"checkpoint_seconds": 0}), store, state)
    other = make_run(**({"train": {"checkpoint_seconds": 0}} | change))
    training = Training(make_fabric(other.train), other, store, state)
    assert (training.at.epoch, training.at.step) == (1, 0)


def test_a_state_of_other_data_is_never_resumed(
    make_run: MakeRun, make_store: MakeStore, tmp_path: Path
) -> None:
    run, state = make_run(train={"checkpoint_seconds": 0}), tmp_path / "state.pt"
    leave_state(run, make_store(), state)
    training = Training(make_fabric(run.train), run, make_store(count=61), state)
    assert training.at.epoch == 1


def leave_state(run: Run, store: Store, state: Path) -> None:
    """Train one epoch of `run` and keep its state, as an interruption would."""
    training = Training(make_fabric(run.train), run, store, state)
    with Progress("train", None, "images", quiet=True) as progress:
        training.run_epoch(progress)
    again = Training(make_fabric(run.train), run, store, state)
    assert again.at.epoch == 2, "the same parameters are resumed"


def test_a_non_finite_loss_stops_at_once(
    make_run: MakeRun, make_store: MakeStore, tmp_path: Path
) -> None:
    run = make_run(train={"learning_rate": 1e9, "checkpoint_seconds": 0}, epochs=5)
    with pytest.raises(UserError, match=r"non-finite loss at epoch \d+, step \d+.*1e\+09"):
        loop.train(run, make_store(), tmp_path / "out", tmp_path / "state.pt")
    assert not (tmp_path / "out").exists()
    if (tmp_path / "state.pt").exists():
        state = torch.load(tmp_path / "state.pt", weights_only=True)
        assert all(value.isfinite().all() for value in state["parts"]["model"].values())


def test_a_non_finite_term_is_named_in_its_own_step(
    make_run: MakeRun, make_store: MakeStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = 0

    def broken(self: Model, batch: Batch, phase: str = "model") -> dict[str, torch.Tensor]:
        nonlocal steps
        steps += 1
        losses = original(self, batch, phase)
        return losses | ({"kl": losses["kl"] * torch.nan} if steps == 6 else {})

    run, store = make_run(train={"checkpoint_seconds": 0}), make_store()
    original = type(new_model(run, store.shape)).forward
    monkeypatch.setattr(type(new_model(run, store.shape)), "forward", broken)
    # Three steps and one batch of validation are an epoch here.
    expected = r"epoch 2, step 2 \(kl\); the last state before it is kept in .*state.pt"
    with pytest.raises(UserError, match=expected):
        loop.train(run, store, tmp_path / "out", tmp_path / "state.pt")
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    assert state["parts"]["position"]["epoch"] == 2
    assert steps == 6


def test_non_finite_weights_replace_no_good_state(
    make_run: MakeRun, make_store: MakeStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a finite loss with a gradient of NaN, the state before that step is kept."""
    run, store = make_run(train={"checkpoint_seconds": 0}), make_store()
    monkeypatch.setattr(loop, "CHECK_EVERY", 1)
    step, steps = torch.optim.Adam.step, 0

    def step_with_nan(self: torch.optim.Adam, closure: None = None) -> None:
        nonlocal steps
        steps += 1
        if steps == 2:
            self.param_groups[0]["params"][0].grad.fill_(torch.nan)
        step(self, closure)

    monkeypatch.setattr(torch.optim.Adam, "step", step_with_nan)
    with pytest.raises(
        UserError, match=r"epoch 1, step 2 \(weights \S+( and \d+ more)?\).*kept in"
    ):
        loop.train(run, store, tmp_path / "out", tmp_path / "state.pt")
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    assert state["parts"]["position"]["step"] == 1
    assert all(value.isfinite().all() for value in state["parts"]["model"].values())
    assert not (tmp_path / "out").exists()


def test_images_without_labels_are_refused_by_a_model_that_needs_them(
    make_run: MakeRun, make_store: MakeStore, tmp_path: Path
) -> None:
    options = {"triplet": 1.0, "margin": 1.0, "distance": "euclidean", "mining": "semi_hard"}
    run = make_run(model="tvae", options=options)
    expected = r"run \w+: model tvae learns from labels, and these images have none \(\d+ training"
    with pytest.raises(UserError, match=expected) as caught:
        loop.train(run, make_store(classes=0), tmp_path / "out", tmp_path / "state.pt")
    assert "choose another source for data set blobs" in str(caught.value)
    with pytest.raises(UserError, match="all of these have the same"):
        loop.train(run, make_store(classes=1), tmp_path / "out", tmp_path / "state.pt")
    loop.train(run, make_store(), tmp_path / "out", tmp_path / "state.pt")
    assert "valid_triplet" in pd.read_csv(tmp_path / "out" / "history.csv")


def test_a_store_of_one_image_is_refused(
    make_run: MakeRun, make_store: MakeStore, tmp_path: Path
) -> None:
    expected = r"no image in the \w+ split; change valid_share of data set blobs"
    with pytest.raises(UserError, match=expected):
        loop.train(make_run(), make_store(count=1), tmp_path / "out", tmp_path / "state.pt")


@pytest.mark.parametrize("split", ["train", "valid"])
def test_an_empty_split_is_refused(
    make_run: MakeRun, make_store: MakeStore, tmp_path: Path, split: str
) -> None:
    store = make_store()
    store.index["split"] = {"train": "valid", "valid": "train"}[split]
    with pytest.raises(UserError, match=f"no image in the {split} split"):
        loop.train(make_run(), store, tmp_path / "out", tmp_path / "state.pt")


def test_patience_stops_early(make_run: MakeRun, make_store: MakeStore, tmp_path: Path) -> None:
    run = make_run(train={"patience": 2, "learning_rate": 1e-30}, epochs=50)
    loop.train(run, make_store(), tmp_path / "out", tmp_path / "state.pt")
    assert len(pd.read_csv(tmp_path / "out" / "history.csv")) == 3


def test_the_schedule_is_step_wise(make_run: MakeRun) -> None:
    run = make_run(train={"schedule": {3: 0.1, 5: 0.01}})
    rates = [loop.learning_rate(run, epoch, 0.5) for epoch in range(1, 7)]
    np.testing.assert_allclose(rates, [1e-3, 1e-3, 1e-4, 1e-4, 1e-5, 1e-5])


def test_the_modern_rate_rises_and_falls_and_the_schedule_multiplies_it(make_run: MakeRun) -> None:
    run = make_run(recipe="modern", train={"schedule": {3: 0.1}})
    rates = [loop.learning_rate(run, 1, done) for done in (0.0, 0.05, 0.1, 0.8, 1.0)]
    np.testing.assert_allclose(rates, [0, 5e-4, 1e-3, 5e-4, 0], atol=1e-12)
    assert loop.learning_rate(run, 3, 0.1) == pytest.approx(1e-4)


def test_the_rate_of_a_phase_follows_its_own_steps(
    make_run: MakeRun, make_store: MakeStore, tmp_path: Path
) -> None:
    run = make_run(recipe="modern", epochs=10)
    training = Training(make_fabric(run.train), run, make_store(), tmp_path / "s.pt")
    late, peak = Phase(begin=0.5), run.train.learning_rate
    rates = []
    for training.at.epoch in range(6, 11):
        rates.append(training.rate(late))
    assert rates[0] == pytest.approx(peak * 0.5 / (0.1 * 5 * training.steps))
    assert rates[1] == rates[2] == peak
    assert 0 < rates[-1] < 0.5 * peak
    training.at.step = training.steps  # as after the last step
    assert training.rate(late) == 0
    training.at.epoch, training.at.step = 1, 0
    assert training.rate(Phase()) == pytest.approx(peak * 0.5 / (0.1 * 10 * training.steps))


@pytest.mark.parametrize(("recipe", "beta2"), [("modern", 0.98), ("published", 0.999)])
def test_adam_takes_its_betas_from_the_phase_or_the_recipe(
    alternating: SetPhases,
    make_run: MakeRun,
    make_store: MakeStore,
    tmp_path: Path,
    recipe: str,
    beta2: float,
) -> None:
    alternating({"pull": Phase(), "push": Phase(loss="push", betas=(0.5, 0.9))})
    training = training_of(make_run(recipe=recipe), make_store(), tmp_path / "s.pt")
    betas = {name: one.param_groups[0]["betas"] for name, one in training.optimizers.items()}
    assert betas == {"pull": (0.9, beta2), "push": (0.5, 0.9)}


def test_noise_depends_on_its_seed_parts_only() -> None:
    assert torch.equal(loop.normal(5, 3, 0, "train", 1, 2), loop.normal(5, 3, 0, "train", 1, 2))
    assert not torch.equal(loop.normal(5, 3, 0, "train", 1, 2), loop.normal(5, 3, 0, "train", 2, 1))
    many = loop.normal(100_000, 1, 0)
    assert abs(float(many.mean())) < 0.02
    assert abs(float(many.std()) - 1) < 0.02


def test_validation_does_not_depend_on_its_batch_size(
    make_run: MakeRun, make_store: MakeStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, store = make_run(), make_store()
    training = Training(make_fabric(run.train), run, store, tmp_path / "s.pt")
    whole = training.validate()
    monkeypatch.setattr(loop, "VALIDATION_BATCH", 3)
    for name, value in training.validate().items():
        assert value == pytest.approx(whole[name], rel=1e-6)


def test_mean_image(make_store: MakeStore) -> None:
    store = make_store()
    rows = store.rows("train")
    expected = store.images[rows].mean(0) / 255
    np.testing.assert_allclose(
        loop.mean_image(store, rows).permute(1, 2, 0).numpy(), expected, rtol=1e-5
    )


def test_channel_statistics_are_those_of_the_pixels(make_store: MakeStore) -> None:
    store = make_store()
    rows = store.rows("train")
    mean, covariance = loop.channel_statistics(store, rows)
    pixels = store.images[rows].reshape(-1, 3) / 255
    np.testing.assert_allclose(mean, pixels.mean(0), rtol=1e-12)
    np.testing.assert_allclose(covariance, np.cov(pixels.T, bias=True), rtol=1e-9, atol=1e-12)


def test_a_modern_training_decorrelates_the_inputs(
    make_run: MakeRun, make_store: MakeStore, tmp_path: Path
) -> None:
    run, store = make_run(recipe="modern"), make_store()
    loop.train(run, store, tmp_path / "out", tmp_path / "state.pt")
    saved = weights(tmp_path / "out")
    mean, _ = loop.channel_statistics(store, store.rows("train"))
    torch.testing.assert_close(saved["encoder.inputs.mean"], mean.float())
    assert not torch.equal(saved["encoder.inputs.matrix"], torch.eye(3))


@pytest.mark.parametrize("mean_start", [True, False])
def test_a_training_starts_at_the_mean_image_if_configured(
    make_run: MakeRun, make_store: MakeStore, tmp_path: Path, mean_start: bool
) -> None:
    run, store = make_run(mean_start=mean_start), make_store()
    training = Training(make_fabric(run.train), run, store, tmp_path / "s.pt")
    untrained = new_model(run, store.shape)
    assert isinstance(training.model, Autoencoder)
    if mean_start:
        untrained.start_from(loop.mean_image(store, store.rows("train")))
    codes = torch.zeros(1, run.latent_dim)
    torch.testing.assert_close(training.model.decode(codes), untrained.decode(codes))
    plain = new_model(run, store.shape).decode(codes)
    assert torch.allclose(training.model.decode(codes), plain) != mean_start


SCRIPT = """
import sys
from pathlib import Path
from latent_atlas.models import build as building
from latent_atlas.models.build import new_model
from latent_atlas.training import checkpoint, loop
from latent_atlas.training.fabric import make_fabric
from latent_atlas.training.loop import LossSums, Selection, Training
from latent_atlas.config.runs import Run
from latent_atlas.data.store import open_store
run = Run.model_validate_json(Path(sys.argv[1]).read_text())
loop.CHECK_EVERY = 1
loop.train(run, open_store(Path(sys.argv[2])), Path(sys.argv[3]), Path(sys.argv[3] + ".pt"))
"""


def start(
    run: Run, store: Store, out: Path, launcher: tuple[str, ...] = ()
) -> subprocess.Popen[bytes]:
    """Train in a separate process."""
    script, parameters = out.parent / "train_it.py", out.parent / "run.json"
    script.write_text(SCRIPT)
    parameters.write_text(run.model_dump_json())
    command = [sys.executable, *launcher, str(script), str(parameters), str(store.path), str(out)]
    return subprocess.Popen(
        command, cwd=ROOT, env={**one_thread(), "PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE
    )


def one_thread() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1"}


@pytest.mark.slow
def test_kill_9_and_resume_ends_bit_equal(
    make_run: MakeRun, make_store: MakeStore, tmp_path: Path
) -> None:
    run, store = make_run(epochs=60, train={"checkpoint_seconds": 0}), make_store(count=200)
    assert start(run, store, tmp_path / "whole").wait() == 0
    kills = 0
    for _ in range(3):
        process = start(run, store, tmp_path / "cut")
        state, limit = tmp_path / "cut.pt", time.monotonic() + 60
        before = state.stat().st_mtime_ns if state.exists() else 0
        while process.poll() is None and time.monotonic() < limit:
            if state.exists() and state.stat().st_mtime_ns > before:
                time.sleep(0.05 * (kills + 1))
                process.send_signal(signal.SIGKILL)
                break
            time.sleep(0.002)
        kills += process.wait() == -signal.SIGKILL
    assert kills >= 2, "the training ended before it could be killed"
    final = start(run, store, tmp_path / "cut")
    assert final.wait() == 0
    assert b"resuming at epoch" in (final.stderr.read() if final.stderr else b"")
    assert_equal(tmp_path / "whole", tmp_path / "cut")


@pytest.mark.slow
def test_two_processes_agree_with_one(
    make_run: MakeRun, make_store: MakeStore, tmp_path: Path
) -> None:
    # 17 images a batch: the two processes get 9 and 8, and the last batch is odd too.
    run, store = make_run(epochs=2, train={"batch_size": 17}), make_store()
    assert start(run, store, tmp_path / "one").wait() == 0
    torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    process = start(run, store, tmp_path / "two", torchrun)
    _, errors = process.communicate()
    assert process.returncode == 0, errors.decode()
    one, two = weights(tmp_path / "one"), weights(tmp_path / "two")
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, rtol=1e-3, atol=1e-5)
    histories = [pd.read_csv(tmp_path / name / "history.csv") for name in ("one", "two")]
    np.testing.assert_allclose(histories[0], histories[1], rtol=1e-4)
    environment = json.loads((tmp_path / "two.environment.json").read_text())
    assert environment["processes"] == 2


def test_bfloat16_trains_too(make_run: MakeRun, make_store: MakeStore, tmp_path: Path) -> None:
    store = make_store()
    for precision in ("32-true", "bf16-mixed"):
        run = make_run(train={"precision": precision}, epochs=4)
        loop.train(run, store, tmp_path / precision, tmp_path / "s.pt")
    losses = [
        pd.read_csv(tmp_path / name / "history.csv")["valid_loss"].iloc[-1]
        for name in ("32-true", "bf16-mixed")
    ]
    assert losses[0] != losses[1], "bf16 was not used"
    assert losses[1] == pytest.approx(losses[0], rel=0.02)


class Alternating(Model):
    """Two linear layers with opposite objectives, each in its own phase."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.latent_dim, self.noise_dim = 1, 1
        self.left, self.right = nn.Linear(1, 1), nn.Linear(1, 1)

    def phases(self) -> dict[str, Phase]:
        return {
            "pull": Phase(parts=("left",), repeat=2),
            "push": Phase(parts=("right",), loss="push", rate=lambda step: 0.5**step),
        }

    def start_from(self, mean_image: torch.Tensor) -> None:
        pass

    def forward(self, batch: Batch, phase: str = "model") -> dict[str, torch.Tensor]:
        gap = (self.left(batch.noise) - self.right(batch.noise)).square().squeeze(1)
        if batch.others is not None and batch.distances is not None:
            gap = gap + batch.others.mean((1, 2, 3, 4)) * batch.distances.mean(1)
        return {"loss": gap} if phase == "pull" else {"push": -gap}


class RandomPartners:
    """Two random partner images per image."""

    digest, images = "two at random", None

    def draw(
        self, rows: npt.NDArray[np.int64], random: np.random.Generator
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        return random.integers(60, size=(len(rows), 2)), random.random((len(rows), 2), np.float32)


SetPhases = Callable[[dict[str, Phase]], None]


@pytest.fixture
def alternating(monkeypatch: pytest.MonkeyPatch) -> SetPhases:
    """Make the loop build `Alternating`; the returned function replaces its phases."""
    monkeypatch.setattr(building, "build", lambda name, config: Alternating(config))
    return lambda phases: monkeypatch.setattr(Alternating, "phases", lambda self: phases)


def training_of(run: Run, store: Store, state: Path) -> Training:
    return Training(make_fabric(run.train), run, store, state, RandomPartners())


def train_until_killed(
    run: Run, store: Store, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Train with partners, and die at the end of the second epoch."""
    closed = Training.close_epoch

    def stop(self: Training, train: dict[str, float]) -> None:
        if self.at.epoch == 2:
            raise KilledError
        closed(self, train)

    with monkeypatch.context() as patch:
        patch.setattr(Training, "close_epoch", stop)
        with pytest.raises(KilledError):
            loop.train(run, store, folder / "cut", folder / "cut.pt", RandomPartners())


def test_a_phase_updates_its_parts_only(
    alternating: SetPhases,
    make_run: MakeRun,
    make_store: MakeStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    training = training_of(make_run(), make_store(), tmp_path / "state.pt")
    updates: list[tuple[str, float]] = []
    for name, optimizer in training.optimizers.items():
        step = optimizer.step

        def watched(name: str = name, step: Callable[[], object] = step) -> None:
            before = {key: value.clone() for key, value in training.model.state_dict().items()}
            step()
            after = training.model.state_dict()
            moved = {
                key.split(".")[0] for key in before if not torch.equal(before[key], after[key])
            }
            assert moved == {"left" if name == "pull" else "right"}
            updates.append((name, training.optimizers[name].param_groups[0]["lr"]))

        monkeypatch.setattr(optimizer, "step", watched)
    for training.at.step in (0, 1):
        training.take_step(training.rows[:16], LossSums(training.fabric))
    rate = training.run.train.learning_rate
    pulls = [("pull", rate)] * 2
    assert updates == [*pulls, ("push", rate), *pulls, ("push", rate / 2)]


def test_alternating_phases_with_partners_resume_to_the_bit(
    alternating: SetPhases,
    make_run: MakeRun,
    make_store: MakeStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run, store = make_run(train={"checkpoint_seconds": 0}), make_store()
    loop.train(run, store, tmp_path / "whole", tmp_path / "whole.pt", RandomPartners())
    train_until_killed(run, store, tmp_path, monkeypatch)
    loop.train(run, store, tmp_path / "cut", tmp_path / "cut.pt", RandomPartners())
    assert_equal(tmp_path / "whole", tmp_path / "cut")
    history = pd.read_csv(tmp_path / "cut" / "history.csv")
    assert {"train_loss", "train_push", "valid_loss", "valid_push"} <= set(history)


def test_a_phase_that_is_due_in_every_third_step(
    alternating: SetPhases, make_run: MakeRun, make_store: MakeStore, tmp_path: Path
) -> None:
    phases = {
        "pull": Phase(("left",), every=3),
        "push": Phase(("right",), "push", decay=lambda _: 0),
    }
    alternating(phases)
    training = training_of(make_run(), make_store(), tmp_path / "state.pt")
    sums, moved = LossSums(training.fabric), []
    start = {key: value.clone() for key, value in training.model.state_dict().items()}
    for training.at.step in range(5):
        before = training.model.state_dict()["left.bias"].clone()
        training.take_step(training.rows[:8], sums)
        moved.append(not torch.equal(before, training.model.state_dict()["left.bias"]))
    assert moved == [False, False, True, False, False]
    assert torch.equal(start["right.bias"], training.model.state_dict()["right.bias"])
    assert sums.counts == {"loss": 8, "push": 40}
    totals = sums.totals()
    assert sums.means() == {"loss": totals["loss"] / 8, "push": totals["push"] / 40}


class Restless(Alternating):
    """Draws numbers in each phase, remembers the last ones, and reports collapse at will."""

    random, watched = True, True

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.drawn = Counted()

    def memory(self) -> dict[str, Stateful]:
        return {"drawn": self.drawn}

    def forward(self, batch: Batch, phase: str = "model") -> dict[str, torch.Tensor]:
        terms = super().forward(batch, phase)
        factor = torch.rand(()) + self.drawn.value
        if self.training:
            self.drawn.value = float(factor) / 2
        return {name: value * factor for name, value in terms.items()}

    def end_step(self) -> None:
        self.drawn.value += 0.25

    def collapse(self, row: Mapping[str, float]) -> str:
        return "enough" if row["epoch"] == 3 else ""


class Counted:
    """A number with a state."""

    value = 0.0

    def state_dict(self) -> dict[str, float]:
        return {"value": self.value}

    def load_state_dict(self, state: dict[str, float], /) -> None:
        self.value = state["value"]


def test_random_numbers_memory_and_collapse_resume_to_the_bit(
    make_run: MakeRun,
    make_store: MakeStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(building, "build", lambda name, config: Restless(config))
    run, store = make_run(epochs=5, train={"checkpoint_seconds": 0}), make_store()
    loop.train(run, store, tmp_path / "whole", tmp_path / "whole.pt", RandomPartners())
    assert "stopped after epoch 3: enough" in capsys.readouterr().err
    history = pd.read_csv(tmp_path / "whole" / "history.csv")
    assert len(history) == 3
    assert (history[["train_pull_gradient", "train_push_gradient"]] > 0).all(axis=None)
    train_until_killed(run, store, tmp_path, monkeypatch)
    torch.manual_seed(77)  # another process has drawn other numbers
    loop.train(run, store, tmp_path / "cut", tmp_path / "cut.pt", RandomPartners())
    assert_equal(tmp_path / "whole", tmp_path / "cut")


def test_a_selection_of_rows_with_attributes(
    alternating: SetPhases, make_run: MakeRun, make_store: MakeStore, tmp_path: Path
) -> None:
    run, store = make_run(), make_store()
    attributes = np.arange(2 * len(store.images)).reshape(-1, 2)
    rows = np.repeat(store.rows("train")[:7], 3)
    selection = Selection(rows, store.rows("valid"), attributes, "d", {"values": ["a", "b"]})
    state = tmp_path / "state.pt"
    model = Alternating(None)  # type: ignore[arg-type]
    training = Training(
        make_fabric(run.train), run, store, state, RandomPartners(), model, selection
    )
    assert training.model is model
    assert training.steps == 2  # 21 samples of 16
    batch = training.new_batch(rows[5:9], torch.zeros(4, 1), np.random.default_rng(3))
    others = np.random.default_rng(3).integers(60, size=(4, 2))
    assert batch.attributes is not None
    assert batch.targets is not None
    np.testing.assert_array_equal(batch.attributes, attributes[rows[5:9]])
    np.testing.assert_array_equal(batch.targets, attributes[others[:, 0]])
    other = Selection(rows, store.rows("valid"), attributes, "e", {})
    changed = Training(make_fabric(run.train), run, store, state, None, model, other)
    assert changed.resume.fingerprint != training.resume.fingerprint
    loop.train(run, store, tmp_path / "out", state, RandomPartners(), model, selection)
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert config["data"]["values"] == ["a", "b"]
    assert config["data"]["train_images"] == 21


def test_a_phase_acts_in_its_own_epochs_only(
    alternating: SetPhases, make_run: MakeRun, make_store: MakeStore, tmp_path: Path
) -> None:
    alternating(
        {"pull": Phase(parts=("left",), end=0.5), "push": Phase(("right",), "push", begin=0.5)}
    )
    run, store = make_run(epochs=4), make_store()
    before = training_of(run, store, tmp_path / "none.pt").model.state_dict()
    half = make_run(epochs=4, train={"schedule": {3: 1e-30}})
    loop.train(half, store, tmp_path / "half", tmp_path / "half.pt", RandomPartners())
    after = weights(tmp_path / "half")
    moved = {key for key in before if not torch.equal(before[key], after[key])}
    assert moved == {"left.weight", "left.bias"}
    loop.train(run, store, tmp_path / "whole", tmp_path / "whole.pt", RandomPartners())
    assert all(torch.equal(after[key], weights(tmp_path / "whole")[key]) for key in moved)
    history = pd.read_csv(tmp_path / "whole" / "history.csv")
    for column in ("loss", "push"):
        for split in ("train", "valid"):
            present = list(history[f"{split}_{column}"].notna())
            assert present == [column == "loss"] * 2 + [column == "push"] * 2


def test_a_training_too_short_for_a_phase_is_refused(
    alternating: SetPhases, make_run: MakeRun, make_store: MakeStore, tmp_path: Path
) -> None:
    alternating({"pull": Phase(end=0.8), "push": Phase(loss="push", begin=0.8)})
    training_of(make_run(epochs=5), make_store(), tmp_path / "state.pt")
    with pytest.raises(UserError, match="4 epochs leave none for phase 'push'"):
        training_of(make_run(epochs=4), make_store(), tmp_path / "state.pt")


def test_patience_waits_for_the_last_phases(
    alternating: SetPhases, make_run: MakeRun, make_store: MakeStore, tmp_path: Path
) -> None:
    alternating({"first": Phase(("left",), "push", end=0.5), "pull": Phase(("left",), begin=0.5)})
    run = make_run(epochs=12, train={"patience": 2, "learning_rate": 1e-30})
    loop.train(run, make_store(), tmp_path / "out", tmp_path / "state.pt", RandomPartners())
    history = pd.read_csv(tmp_path / "out" / "history.csv")
    assert list(history["valid_push"].notna()) == 6 * [True] + 3 * [False]


def test_partners_come_from_the_store_and_change_the_fingerprint(
    alternating: SetPhases, make_run: MakeRun, make_store: MakeStore, tmp_path: Path
) -> None:
    run, store = make_run(), make_store()
    training = training_of(run, store, tmp_path / "state.pt")
    rows = training.rows[:5]
    noise = loop.normal(5, 1, 0)
    batch = training.new_batch(rows, noise, training.partner_generator(3))
    random = np.random.default_rng(seed_for("company", 3))
    others, distances = RandomPartners().draw(rows, random)
    assert batch.others is not None
    assert batch.distances is not None
    assert batch.others.shape == (5, 2, 3, 32, 32)
    np.testing.assert_array_equal(batch.distances.numpy(), distances)
    shown = (batch.others.permute(0, 1, 3, 4, 2) * 255).round().numpy()
    np.testing.assert_array_equal(shown, store.images[others])
    plain = Training(training.fabric, run, store, tmp_path / "state.pt")
    assert plain.resume.fingerprint != training.resume.fingerprint
    assert plain.partner_generator(3) is None
    assert plain.new_batch(rows, noise, None).others is None


def test_progress_rises_from_0_to_1(
    make_run: MakeRun, make_store: MakeStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[float] = []
    share = Training.new_batch

    def watched(self: Training, *arguments: object) -> Batch:
        batch = share(self, *arguments)  # type: ignore[arg-type]
        seen.append(batch.progress)
        return batch

    monkeypatch.setattr(Training, "new_batch", watched)
    loop.train(make_run(), make_store(), tmp_path / "out", tmp_path / "state.pt")
    assert seen[0] == 0
    assert seen[-1] == 1
    assert seen == sorted(seen)
