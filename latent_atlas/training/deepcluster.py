"""Features learnt from the clusters of the features (Caron et al. 2018, section 3.1).

An epoch clusters the features of all images, takes the cluster numbers as labels, and trains the
network with a new classifier on them. The random numbers of an epoch depend on (seed, epoch) alone,
so an interrupted training resumes after its last whole epoch and ends with the same bits.
"""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from lightning_fabric import Fabric
from sklearn.metrics import normalized_mutual_info_score
from torch import Tensor, nn

from latent_atlas.config.schema import DeepCluster
from latent_atlas.data import clustering, features, tiles
from latent_atlas.data.pixels import to_images
from latent_atlas.data.store import Store
from latent_atlas.models import cluster_net
from latent_atlas.models.cluster_net import ClusterNet, augment, new_head
from latent_atlas.training.checkpoint import weights_of, write_checkpoint
from latent_atlas.training.cluster_sampling import Rows, uniform_over_clusters
from latent_atlas.training.fabric import record_environment
from latent_atlas.training.resume import ResumeFile, fingerprint
from latent_atlas.util import imports
from latent_atlas.util.console import FieldError, Progress, UserError, say
from latent_atlas.util.seeds import seed_for

MOMENTUM, WEIGHT_DECAY = 0.9, 1e-5  # Caron et al. 2018, section 4
FEATURE_BATCH = 250

NORMALISED_BY = 1000
"""Number of images from which the mean and deviation of each channel are computed."""


@dataclass
class Position:
    """The position of a training: what a resumed one needs beside weights and optimiser.

    Attributes:
        epoch: number of finished epochs.
        labels: cluster number of every training image or quadrant, in the last finished epoch.
        history: a row per finished epoch.
    """

    epoch: int = 0
    labels: Rows = field(default_factory=lambda: np.empty(0, np.int64))
    history: list[dict[str, float]] = field(default_factory=list)

    def state_dict(self) -> dict[str, Any]:
        """All fields; the labels as a tensor."""
        return {**vars(self), "labels": torch.from_numpy(self.labels)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over all fields."""
        labels = state["labels"].cpu().numpy()
        vars(self).update(vars(Position(**{**state, "labels": labels})))


@dataclass(frozen=True)
class DeepClusterResult:
    """The clusters of a finished training.

    Attributes:
        history: a row per epoch: loss; ``nmi_previous`` between its clusters and those before;
            ``nmi_labels`` and ``purity`` against the known classes, where there are any;
            ``empty`` and ``largest``, the number of empty clusters and the size of the largest.
        sizes: of the last clusters, descending.
    """

    history: pd.DataFrame
    sizes: Rows


def train_deepcluster(
    settings: DeepCluster, seed: int, store: Store, fabric: Fabric, out: Path, resume: Path
) -> DeepClusterResult:
    """Train on the training split of `store` and write the checkpoint folder `out`.

    Args:
        settings: of network, clusters and classification (stochastic gradient descent).
        seed: of weights, clusters, samples and crops.
        store: the images.
        fabric: the device; one process.
        out: the checkpoint folder; `latent_atlas.models.backbones` loads it as
            ``deepcluster@<out>``.
        resume: file for the state of an unfinished training, see `latent_atlas.training.resume`.

    Raises:
        UserError: for more than one process, images that are too small or all the same to the
            network, or a loss that is not finite.
        FieldError: for more clusters than the images allow.
    """
    training = DeepClusterTraining(settings, seed, store, fabric, resume)
    with Progress(
        f"deepcluster {store.name}", settings.epochs, "epochs", training.at.epoch
    ) as progress:
        while training.at.epoch < settings.epochs:
            training.run_epoch()
            last = training.at.history[-1]
            progress.note(f"loss {last['loss']:.3f}, NMI to the last {last['nmi_previous']:.3f}")
            progress.advance()
    training.write(out)
    resume.unlink(missing_ok=True)
    sizes = np.bincount(training.at.labels, minlength=settings.clusters)
    return DeepClusterResult(pd.DataFrame(training.at.history), np.sort(sizes)[::-1])


class DeepClusterTraining:
    """A training in progress.

    Attributes:
        at: the position.
    """

    def __init__(
        self, settings: DeepCluster, seed: int, store: Store, fabric: Fabric, resume: Path
    ) -> None:
        self.settings, self.seed, self.store, self.fabric = settings, seed, store, fabric
        self.rows = store.rows("train")
        self._check()
        mean, std = _channel_statistics(store, self.rows)
        self.mean, self.std = (torch.tensor(v).view(3, 1, 1).to(fabric.device) for v in (mean, std))
        self.classes = _classes(store, self.rows, settings.quadrants)
        torch.manual_seed(seed_for(seed, "deepcluster"))
        network = ClusterNet(settings.network, settings.width, settings.features, settings.sobel)
        network.to(memory_format=torch.channels_last)
        optimizer = self._new_optimizer(network)
        self.network, self.optimizer = fabric.setup(network, optimizer)
        self.at = Position()
        parts = {"network": self.network, "optimizer": self.optimizer, "position": self.at}
        self.resume = ResumeFile(resume, self._fingerprint(), parts, fabric)
        if self.resume.restore():
            say(f"resuming at epoch {self.at.epoch + 1} from {resume}")

    def _check(self) -> None:
        settings, store = self.settings, self.store
        if self.fabric.world_size > 1:
            raise UserError("deepcluster: runs in one process; start it without torchrun")
        height, width, _ = store.shape
        side = min(height, width) // (2 if settings.quadrants else 1)
        if side < cluster_net.SMALLEST:
            part = "a quadrant" if settings.quadrants else "an image"
            raise UserError(
                f"{store.path}: the shortest side of {part} is {side} pixels; expected "
                f"{cluster_net.SMALLEST} or more. Raise height and width of data set {store.name}"
            )
        count = len(self.rows) * (tiles.QUADRANTS if settings.quadrants else 1)
        if count < 2 * settings.clusters:
            raise FieldError(
                "clusters",
                f"found {settings.clusters}, expected at most half of the {count} training images "
                f"of {store.name}",
            )

    def run_epoch(self) -> None:
        """Cluster, classify, and save the state."""
        labels = self._cluster()
        row = self._compare(labels)
        loss = self.classify(labels)
        if not np.isfinite(loss):
            raise UserError(
                f"deepcluster {self.store.name}: non-finite loss at epoch {self.at.epoch + 1}; "
                f"lower the learning rate (found {self.settings.learning_rate:g})"
            )
        self.at.epoch += 1
        self.at.labels = labels
        self.at.history.append({"epoch": self.at.epoch, "loss": loss, **row})
        self.resume.save()

    def _cluster(self) -> Rows:
        """The cluster number of every training image or quadrant."""
        self.network.eval()
        with tempfile.TemporaryDirectory() as scratch:
            extracted = features.extract_features(
                self.store,
                self.rows,
                lambda images: self.network(self._normalise(images)),
                Path(scratch) / "features.npy",
                tiles=2 if self.settings.quadrants else 1,
                batch_size=FEATURE_BATCH,
                device=self.fabric.device,
                quiet=True,
            )
            flat = extracted.reshape(-1, extracted.shape[-1])
            points = clustering.whiten(flat, self.settings.components)
        if not points.shape[1]:
            raise UserError(
                f"deepcluster {self.store.name}: the features of all images are the same before "
                f"epoch {self.at.epoch + 1}, so there is nothing to cluster; check that the images "
                "differ, or lower the learning rate"
            )
        seed = seed_for(self.seed, "clusters", self.at.epoch)
        return clustering.kmeans(points, self.settings.clusters, self.settings.iterations, seed)[0]

    def _compare(self, labels: Rows) -> dict[str, float]:
        """The columns of the history that describe the clusters."""
        sizes = np.bincount(labels, minlength=self.settings.clusters)
        row = {"nmi_previous": float("nan")}
        if self.at.epoch:
            row["nmi_previous"] = float(normalized_mutual_info_score(self.at.labels, labels))
        if self.classes is not None:
            labelled = self.classes >= 0
            classes = self.classes[labelled]
            row["nmi_labels"] = float(normalized_mutual_info_score(classes, labels[labelled]))
            row["purity"] = clustering.purity(labels[labelled], classes)
        return {**row, "empty": int((sizes == 0).sum()), "largest": int(sizes.max())}

    def classify(self, labels: Rows) -> float:
        """Train one epoch with a new head; return the mean loss over its images."""
        place = (self.seed, "classify", self.at.epoch)
        torch.manual_seed(seed_for("head", *place))
        new = new_head(self.settings.features, self.settings.clusters)
        head, head_optimizer = self.fabric.setup(new, self._new_optimizer(new))
        generator = torch.Generator().manual_seed(seed_for("crops", *place))
        order = uniform_over_clusters(labels, np.random.default_rng(seed_for("order", *place)))
        self.network.train()
        total = torch.zeros((), device=self.fabric.device)
        size = self.settings.batch_size
        for start in range(0, len(order) - 1, size):  # a batch of one has no variance
            picks = order[start : start + size]
            pixels, targets = self.fabric.to_device(
                (self._pixels(picks), torch.from_numpy(labels[picks]))
            )
            images = self._normalise(augment(to_images(pixels), generator))
            loss = F.cross_entropy(head(F.relu(self.network(images))), targets)
            self.optimizer.zero_grad(set_to_none=True)
            head_optimizer.zero_grad(set_to_none=True)
            self.fabric.backward(loss)
            self.optimizer.step()
            head_optimizer.step()
            total += loss.detach() * len(picks)
        return float(total) / len(order)

    def _pixels(self, picks: Rows) -> Tensor:
        """uint8 B×H×W×C of positions among the training images or their quadrants."""
        if not self.settings.quadrants:
            return torch.from_numpy(self.store.images[self.rows[picks]])
        parts = tiles.cut_tiles(self.store.images[self.rows[picks // tiles.QUADRANTS]])
        return torch.from_numpy(parts[np.arange(len(picks)), picks % tiles.QUADRANTS])

    def _normalise(self, images: Tensor) -> Tensor:
        return (images.expand(-1, 3, -1, -1) - self.mean) / self.std

    def _new_optimizer(self, module: nn.Module) -> torch.optim.SGD:
        return torch.optim.SGD(
            module.parameters(),
            self.settings.learning_rate,
            momentum=MOMENTUM,
            weight_decay=WEIGHT_DECAY,
        )

    def _fingerprint(self) -> str:
        """Of parameters, data, code and hardware."""
        code = imports.code_digest([__name__])
        return fingerprint(self.fabric, self._parameters(), self.store.digest, code)

    def _parameters(self) -> dict[str, Any]:
        return {"deepcluster": self.settings.model_dump(mode="json"), "seed": self.seed}

    def write(self, out: Path) -> None:
        """Write the checkpoint folder `out`, whole or not at all."""
        height, width, _ = self.store.shape
        weights = weights_of(self.network)
        config = {
            **self._parameters(),
            "mean": _rounded(self.mean),
            "std": _rounded(self.std),
            "input_size": min(height, width) // (2 if self.settings.quadrants else 1),
            "sha256": hashlib.sha256(weights).hexdigest(),
            "data": {
                "name": self.store.name,
                "source": self.store.card["source"],
                "digest": self.store.digest,
                "images": len(self.rows),
            },
        }
        write_checkpoint(out, weights, self.at.history, config)
        record_environment(self.fabric, self.resume.path)


def _channel_statistics(store: Store, rows: Rows) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of red, green and blue, in [0, 1]."""
    spread = rows[:: max(1, len(rows) // NORMALISED_BY)]
    pixels = store.images[spread].astype(np.float64) / 255
    pixels = np.broadcast_to(pixels, (*pixels.shape[:3], 3))
    mean, std = pixels.mean(axis=(0, 1, 2)), pixels.std(axis=(0, 1, 2))
    return [round(float(v), 4) for v in mean], [round(max(float(v), 0.01), 4) for v in std]


def _rounded(channels: Tensor) -> list[float]:
    return [round(value, 4) for value in channels.flatten().tolist()]


def _classes(store: Store, rows: Rows, of_quadrants: bool) -> Rows | None:
    """The class of every training image or quadrant, −1 where unknown; None if all are unknown."""
    if of_quadrants:
        objects = tiles.objects_in_tiles(store)
        labels = None if objects is None else objects.labels[rows].ravel()
    else:
        labels = store.labels()[rows]
    return labels if labels is not None and (labels >= 0).any() else None
