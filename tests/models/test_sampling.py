"""Batches shared by several processes: order of rows, and gradients."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.distributed as processes
from torch.multiprocessing.spawn import spawn

from latent_atlas.config.registry import options_of
from latent_atlas.models.base import Autoencoder, Batch, ModelConfig
from latent_atlas.models.build import build
from latent_atlas.models.sampling import of_all_processes, own_rows

COMPARING = ("acai", "annealed_vae", "dip_vae_1", "dip_vae_2", "factor_vae", "tcvae", "tvae")


def small(name: str) -> Autoencoder:
    torch.manual_seed(0)
    small = {"units": 8, "layers": 1, "capacity": 2.0, "maps": 2, "interpolation": 1e6}
    schema = options_of(name)
    options = schema(**{key: small[key] for key in small if key in schema.model_fields})
    return build(
        name, ModelConfig((8, 6, 1), 3, "mlp", "bernoulli", 4.0, {"reconstruction": 1.0}, options)
    )


def new_batch(rows: slice) -> Batch:
    generator = torch.Generator().manual_seed(1)
    images = torch.rand(7, 1, 8, 6, generator=generator)
    noise = torch.randn(7, 6, generator=generator)
    labels = torch.tensor([0, 1, 1, 0, 2, 0, -1])
    return Batch(images[rows], noise[rows], labels[rows], 0.5)


def gradients(name: str, phase: str, rows: slice, world: int) -> torch.Tensor:
    """Gradients of the summed losses of a phase, scaled as in the loop for `world` processes."""
    model = small(name)
    batch = new_batch(rows)
    noise = batch.noise[:, : model.noise_dim]
    loss = model(batch._replace(noise=noise), phase)[model.phases()[phase].loss]
    (loss.sum() * world / 7).backward()
    return torch.cat(
        [
            torch.zeros_like(weight).flatten() if weight.grad is None else weight.grad.flatten()
            for weight in model.parameters()
        ]
    )


def test_a_single_process_has_all_rows() -> None:
    rows = torch.rand(5, 2)
    assert of_all_processes(rows) is rows
    assert torch.equal(rows[own_rows()], rows)


def work(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    processes.init_process_group(
        "gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=2
    )
    mine = own_rows()
    rows = torch.arange(14.0).view(7, 2)
    results: dict[str, torch.Tensor] = {"rows": of_all_processes(rows[mine])}
    for name in COMPARING:
        for phase in small(name).phases():
            part = gradients(name, phase, mine, world=2)
            processes.all_reduce(part)
            results[f"{name} {phase}"] = part / 2
    torch.save(results, Path(folder) / f"{rank}.pt")
    processes.destroy_process_group()


@pytest.mark.slow
def test_two_processes_compare_the_images_of_both(tmp_path: Path) -> None:
    spawn(work, (str(tmp_path),), nprocs=2)  # type: ignore[no-untyped-call]
    for rank in range(2):
        results = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        assert torch.equal(results.pop("rows"), torch.arange(14.0).view(7, 2))
        assert len(results) == 9
        for key, gradient in results.items():
            name, phase = key.split()
            single = gradients(name, phase, slice(None), world=1)
            assert single.abs().sum() > 0
            torch.testing.assert_close(gradient, single, rtol=1e-4, atol=1e-4, msg=key)
