"""Reconstruction quality, losses and active latents of a trained model."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from skimage.metrics import structural_similarity

from latent_atlas.data.store import Images, Store
from latent_atlas.metrics.tolerance import Metric
from latent_atlas.models.vae import kl_to_standard_normal
from latent_atlas.training.checkpoint import TrainedRun

SPLITS = ("train", "valid")

METRICS = {
    "valid_reconstruction": Metric("lower", 0.01, "nats per image", headline=True),
    "valid_reconstruction_per_pixel": Metric("lower", 0.02, "per pixel"),
    "*_reconstruction": Metric("lower", 0.02, "nats per image"),
    "*_reconstruction_last5": Metric("lower", 0.02, "nats per image"),
    "valid_kl": Metric("either", 0.05, "nats per image", headline=True),
    "*_kl": Metric("either", 0.05, "nats per image"),
    "*_kl_last5": Metric("either", 0.05, "nats per image"),
    "*_kl_without_half_last5": Metric("either", 0.05, "nats per image"),
    "psnr": Metric("higher", 0.02, "dB"),
    "ssim": Metric("higher", 0.02),
    "active_latents": Metric("either", 0.3, headline=True),
    "unused_latents": Metric("either", 0.3),
}

LAST_EPOCHS = 5
"""The published tables are means over the last five epochs."""


def evaluate_reconstruction(
    trained: TrainedRun, store: Store, active_threshold: float
) -> dict[str, float]:
    """All metrics of this module.

    Returns:
        ``<split>_reconstruction`` and ``<split>_kl``: the last epoch's losses in nats per image,
        and with the suffix ``_last5`` the mean of the last five epochs. Training losses are means
        over the epoch while the weights changed; validation losses were computed at its end.
        ``…_kl_without_half_last5``: the KL without its factor ½, for comparison with published
        values that seem to omit it.
        ``psnr`` (dB) and ``ssim`` of validation images against the decoded posterior means.
        ``active_latents`` and ``unused_latents``: counts.
    """
    values = final_losses(trained.history) | mean_psnr_and_ssim(trained, store)
    table = latent_activity(trained, store, active_threshold)
    values["active_latents"] = float(table["active"].sum())
    values["unused_latents"] = float((~table["active"]).sum())
    return values


def final_losses(history: pd.DataFrame) -> dict[str, float]:
    """The losses at the end of a history (a row per epoch), see `evaluate_reconstruction`."""
    values: dict[str, float] = {}
    for split in SPLITS:
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


def mean_psnr_and_ssim(trained: TrainedRun, store: Store) -> dict[str, float]:
    """``psnr`` in dB and ``ssim`` of the reconstructions, means over validation images."""
    rows = store.rows("valid")
    scores: list[npt.NDArray[np.float64]] = []
    for start in range(0, len(rows), trained.batch_size):
        images = store.images[rows[start : start + trained.batch_size]]
        scores.append(psnr_and_ssim(images, trained.decode(trained.encode(images))))
    psnr, ssim = np.concatenate(scores).mean(0)
    return {"psnr": float(psnr), "ssim": float(ssim)}


def psnr_and_ssim(images: Images, reconstructions: Images) -> npt.NDArray[np.float64]:
    """B×2: PSNR in dB and SSIM of each image.

    SSIM as Wang et al. 2004: Gaussian window of 11 pixels, σ 1.5, values in [0, 1].
    """
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


def latent_activity(trained: TrainedRun, store: Store, active_threshold: float) -> pd.DataFrame:
    """Activity and KL of each latent over the validation images.

    Returns:
        A row per latent: ``latent`` (from 1), ``active`` (activity above the threshold; Burda et
        al. 2016, section 5.2), ``kl`` (mean nats per image, NaN for a deterministic model) and
        ``activity`` (variance of the posterior mean over images).
    """
    images = store.images[store.rows("valid")]
    means = trained.encode(images)
    log_variance = trained.log_variance(images)
    activity = means.astype(np.float64).var(0)
    kl = np.full(len(activity), np.nan)
    if log_variance is not None:
        posterior = (torch.from_numpy(array).double() for array in (means, log_variance))
        kl = kl_to_standard_normal(*posterior).mean(0).numpy()
    return pd.DataFrame(
        {
            "latent": np.arange(1, len(activity) + 1),
            "active": activity > active_threshold,
            "kl": kl,
            "activity": activity,
        }
    )
