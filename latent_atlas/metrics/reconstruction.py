"""How well a model gives its images back, at which price, and which latents it uses."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from skimage.metrics import structural_similarity

from latent_atlas.data.store import Images, Store
from latent_atlas.models.vae import kl_to_standard_normal
from latent_atlas.training.checkpoint import TrainedRun

LAST_EPOCHS = 5
"""The published tables are means over the last five epochs."""


def measure(trained: TrainedRun, store: Store, active_threshold: float) -> dict[str, float]:
    """All numbers of a run.

    Returns:
        ``<split>_reconstruction`` and ``<split>_kl``: the last epoch's losses in nats an image,
        and with the suffix ``_last5`` the mean of the last five epochs; train figures are means
        over the epoch while the weights moved, valid figures were taken at its end.
        ``…_kl_without_half_last5``: the KL without its factor ½, to lay beside
        published figures that seem to lack it.
        ``psnr`` (dB) and ``ssim`` of validation images against the decoded posterior means.
        ``active_latents`` and ``unused_latents``: counts.
    """
    values = losses(trained.history)
    values |= quality(trained, store)
    table = latents(trained, store, active_threshold)
    values["active_latents"] = float(table["active"].sum())
    values["unused_latents"] = float((~table["active"]).sum())
    return values


def losses(history: pd.DataFrame) -> dict[str, float]:
    """The losses of a history (a row an epoch), as `measure` names them."""
    values: dict[str, float] = {}
    for split in ("train", "valid"):
        for term in ("reconstruction", "kl"):
            column = f"{split}_{term}"
            if column not in history:
                continue
            last = float(history[column][-LAST_EPOCHS:].mean())
            values[column] = float(history[column].iloc[-1])
            values[f"{column}_last5"] = last
            if term == "kl":
                values[f"{column}_without_half_last5"] = 2 * last
    return values


def quality(trained: TrainedRun, store: Store) -> dict[str, float]:
    """``psnr`` in dB and ``ssim`` over the validation images, means over images.

    Wang et al. 2004 for SSIM: Gaussian window of 11 pixels, σ 1.5, values in [0, 1].
    """
    rows = store.rows("valid")
    scores: list[npt.NDArray[np.float64]] = []
    for start in range(0, len(rows), trained.batch_size):
        images = store.images[rows[start : start + trained.batch_size]]
        scores.append(psnr_and_ssim(images, trained.decode(trained.encode(images))))
    psnr, ssim = np.concatenate(scores).mean(0)
    return {"psnr": float(psnr), "ssim": float(ssim)}


def psnr_and_ssim(images: Images, reconstructions: Images) -> npt.NDArray[np.float64]:
    """B×2: PSNR in dB and SSIM of an image each."""
    ssim = [
        structural_similarity(
            image,
            reconstruction,
            data_range=255,
            channel_axis=2,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
        for image, reconstruction in zip(images, reconstructions, strict=True)
    ]
    return np.stack([psnr(images, reconstructions), np.asarray(ssim)], axis=1)


def psnr(images: Images, reconstructions: Images) -> npt.NDArray[np.float64]:
    """Peak signal-to-noise ratio of B uint8 images in dB; at most 100 (identical images)."""
    error = (images.astype(np.float64) - reconstructions) / 255
    squared = np.square(error).mean(axis=(1, 2, 3))
    return -10 * np.log10(np.maximum(squared, 1e-10))


def latents(trained: TrainedRun, store: Store, active_threshold: float) -> pd.DataFrame:
    """A row a latent: how much of it the model uses, over the validation images.

    Returns:
        ``latent`` (from 1), ``active`` (activity above the threshold; Burda et al. 2016, section
        5.2), ``kl`` (mean nats, NaN for a deterministic model), ``activity`` (variance of the
        posterior mean over images).
    """
    images = store.images[store.rows("valid")]
    means = trained.encode(images)
    log_variance = trained.log_variance(images)
    activity = means.astype(np.float64).var(0)
    kl = np.full(len(activity), np.nan)
    if log_variance is not None:
        kl = (
            kl_to_standard_normal(
                torch.from_numpy(means).double(), torch.from_numpy(log_variance).double()
            )
            .mean(0)
            .numpy()
        )
    return pd.DataFrame(
        {
            "latent": np.arange(1, len(activity) + 1),
            "active": activity > active_threshold,
            "kl": kl,
            "activity": activity,
        }
    )
