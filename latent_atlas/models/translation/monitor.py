"""Averages of weights, and the signs of a collapsed training."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from latent_atlas.models.sampling import of_all_processes

ACCURACY = "train_discriminator_accuracy"
"""Column of the history with the accuracy of a discriminator in training."""

MOST_ACCURACY = 0.999
"""Accuracy of a discriminator from which on its generator learns nothing."""

LEAST_DIVERSITY = 0.1
"""Share of the diversity of the real images below which the generated ones have collapsed."""

COMPARED = 64
"""Images of a batch, the first, whose diversity is computed."""


class ExponentialAverage(nn.Module):
    """The exponential moving average of a network's weights (Karras et al. 2018, appendix A).

    Args:
        network: whose weights are averaged; the average starts with them.
        decay: share of the average that a step keeps.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        super().__init__()
        self.decay = decay
        self.network = copy.deepcopy(network).requires_grad_(False)

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Move towards the weights of `network`; take over its statistics (of batch norm)."""
        own = dict(self.network.named_parameters())
        for name, weight in network.named_parameters():
            own[name].lerp_(weight, 1 - self.decay)
        kept = dict(self.network.named_buffers())
        for name, buffer in network.named_buffers():
            kept[name].copy_(buffer)


def average_of(network: nn.Module, decay: float) -> ExponentialAverage | None:
    """The average of a network's weights; None with the decay 0, which is for none."""
    return ExponentialAverage(network, decay) if decay else None


def averaged(network: nn.Module, average: ExponentialAverage | None) -> nn.Module:
    """The network that generates: the average, where there is one."""
    return network if average is None else average.network


def diversity(images: Tensor) -> Tensor:
    """Mean L1 distance per pixel and channel of all pairs of images: a number ≥ 0, float32.

    Args:
        images: N×C×H×W, two or more; the first `COMPARED` count.
    """
    rows = images[:COMPARED].detach().float().flatten(1)
    count, pixels = rows.shape
    with torch.autocast(rows.device.type, enabled=False):
        distances = torch.cdist(rows, rows, p=1)
    return distances.sum() / (count * (count - 1) * pixels)


def diversities(outputs: Tensor, images: Tensor, suffix: str = "") -> dict[str, Tensor]:
    """The terms ``diversity`` of the outputs and ``data_diversity`` of real images, B numbers each.

    They are those of the whole batch, of all processes. A batch of a single image has none.

    Args:
        outputs: B×C×H×W generated images in [−1, 1].
        images: B×C×H×W real images of the same domain, in [−1, 1].
        suffix: of the names of the terms, for models of several generators.
    """
    made, real = of_all_processes(outputs.detach()), of_all_processes(images)
    if len(made) < 2:
        return {}
    return {
        f"diversity{suffix}": diversity(made).expand(len(outputs)),
        f"data_diversity{suffix}": diversity(real).expand(len(outputs)),
    }


def collapse_reason(row: Mapping[str, float]) -> str:
    """Why the epoch with this row of the history shows a collapse; "" if it shows none.

    The accuracy `ACCURACY` is that of the training; the diversities
    ``valid_diversity`` and ``valid_data_diversity``, with any suffix, are those of the validation,
    whose batches are larger. A term that the row lacks is not tested.
    """
    accuracy = row.get(ACCURACY, 0.0)
    if accuracy >= MOST_ACCURACY:
        return f"the discriminator's accuracy is {accuracy:.4f}"
    for name, real in row.items():
        made = row.get(name.replace("_data_", "_", 1))
        if not name.startswith("valid_data_diversity") or made is None:
            continue
        if made < LEAST_DIVERSITY * real:
            return (
                f"the diversity of the generated images is {made:.4f}, below {LEAST_DIVERSITY:g} "
                f"of the {real:.4f} of real ones"
            )
    return ""
