"""Alternate clustering and classification (Caron et al. 2018, section 3.1).

An epoch clusters the features of all images, takes the clusters for labels, and trains the network
with a new classifier on them. What is random in an epoch follows from (seed, epoch), so a training
that was killed goes on from its last whole epoch and ends with the same bits.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from lightning_fabric import Fabric
from safetensors.torch import save_file
from sklearn.metrics import normalized_mutual_info_score
from torch import Tensor, nn

from latent_atlas.data import clustering as clusters
from latent_atlas.data import features
from latent_atlas.data import tiles as quadrants
from latent_atlas.data.pixels import to_images
from latent_atlas.data.store import Store
from latent_atlas.models import cluster_net
from latent_atlas.models.cluster_net import ClusterNet, Shape, augment, new_head
from latent_atlas.training.cluster_sampling import Rows, uniform_over_clusters
from latent_atlas.training.loop import environment, seed_for
from latent_atlas.util.console import Progress, UserError, say
from latent_atlas.util.files import folder, write_bytes, write_json

MOMENTUM, WEIGHT_DECAY = 0.9, 1e-5  # Caron et al. 2018, section 4
FEATURE_BATCH = 250

NORMALISED_BY = 1000
"""Images from which mean and deviation of each channel are taken."""


@dataclass(frozen=True)
class Plan:
    """All that a training depends on, beside the data.

    Attributes:
        shape: of the network.
        quadrants: learn from the quadrants of the images rather than from the whole.
        clusters: pseudo-labels.
        components: of the whitened features that are clustered.
        iterations: of k-means.
        epochs, batch_size, learning_rate: of the classification; stochastic gradient descent.
        seed: of weights, clusters, samples and crops.
    """

    shape: Shape
    quadrants: bool
    clusters: int
    components: int
    iterations: int
    epochs: int
    batch_size: int
    learning_rate: float
    seed: int


@dataclass
class _State:
    """Where a training stands, beside weights and optimiser."""

    epoch: int = 0
    labels: Rows = field(default_factory=lambda: np.empty(0, np.int64))
    history: list[dict[str, float]] = field(default_factory=list)


@dataclass(frozen=True)
class Learnt:
    """What a training ends with.

    Attributes:
        history: a row an epoch: loss; ``nmi_previous`` between its clusters and those before;
            ``nmi_labels`` and ``purity`` against the known classes, where there are any;
            ``empty`` and ``largest``, the number of empty clusters and the size of the largest.
        sizes: of the last clusters, descending.
    """

    history: pd.DataFrame
    sizes: Rows


def learn(plan: Plan, store: Store, fabric: Fabric, out: Path, resume: Path) -> Learnt:
    """Train on the training split of `store` and write the folder `out`.

    Args:
        plan: what to do.
        store: the images.
        fabric: the device; one process.
        out: becomes ``weights.safetensors``, ``config.json``, ``environment.json`` and
            ``history.csv``; `latent_atlas.models.backbones` loads it as ``deepcluster@<out>``.
        resume: file for the state of an unfinished training, see `latent_atlas.training.loop`.

    Raises:
        UserError: for more than one process, too few or too small images, images that are all the
            same to the network, a loss that is no number.
    """
    learning = _Learning(plan, store, fabric, resume)
    with Progress(f"deepcluster {store.name}", plan.epochs, "epochs", learning.at.epoch) as bar:
        while learning.at.epoch < plan.epochs:
            learning.epoch()
            last = learning.at.history[-1]
            bar.note(f"loss {last['loss']:.3f}, NMI to the last {last['nmi_previous']:.3f}")
            bar.advance()
    learning.write(out)
    resume.unlink(missing_ok=True)
    sizes = np.bincount(learning.at.labels, minlength=plan.clusters)
    return Learnt(pd.DataFrame(learning.at.history), np.sort(sizes)[::-1])


class _Learning:
    def __init__(self, plan: Plan, store: Store, fabric: Fabric, resume: Path) -> None:
        self.plan, self.store, self.fabric, self.resume = plan, store, fabric, resume
        self.rows = store.rows("train")
        self._check()
        mean, std = _channels(store, self.rows)
        self.mean, self.std = (torch.tensor(v).view(3, 1, 1).to(fabric.device) for v in (mean, std))
        self.truth = _truth(store, self.rows, plan.quadrants)
        torch.manual_seed(seed_for(plan.seed, "deepcluster"))
        network = ClusterNet(plan.shape)
        network.to(memory_format=torch.channels_last)
        optimizer = self._descent(network)
        self.network, self.optimizer = fabric.setup(network, optimizer)
        self.at = _State()
        self.fingerprint = self._fingerprint()
        self._restore()

    def _check(self) -> None:
        plan, store = self.plan, self.store
        if self.fabric.world_size > 1:
            raise UserError("deepcluster: runs in one process; start it without torchrun")
        height, width, _ = store.shape
        side = min(height, width) // (2 if plan.quadrants else 1)
        if side < cluster_net.SMALLEST:
            raise UserError(
                f"deepcluster: needs {cluster_net.SMALLEST} pixels a side, found {side} in "
                f"{store.name}{' (quadrants)' if plan.quadrants else ''}; raise data.{store.name}."
                "height and width, or set deepcluster.quadrants"
            )
        count = len(self.rows) * (quadrants.COUNT if plan.quadrants else 1)
        if count < 2 * plan.clusters:
            raise UserError(
                f"deepcluster.clusters: found {plan.clusters}, expected at most half of the "
                f"{count} training images of {store.name}"
            )

    def epoch(self) -> None:
        """Cluster, classify, and keep the state."""
        labels = self._cluster()
        row = self._compare(labels)
        loss = self._classify(labels)
        if not np.isfinite(loss):
            raise UserError(
                f"deepcluster {self.store.name}: the loss is not a number any more at epoch "
                f"{self.at.epoch + 1}; lower deepcluster.learning_rate"
            )
        self.at.epoch += 1
        self.at.labels = labels
        self.at.history.append({"epoch": self.at.epoch, "loss": loss, **row})
        self._save()

    def _cluster(self) -> Rows:
        self.network.eval()
        with tempfile.TemporaryDirectory() as scratch:
            found = features.extract(
                self.store,
                self.rows,
                lambda images: self.network(self._normalise(images)),
                Path(scratch) / "features.npy",
                tiles=2 if self.plan.quadrants else 1,
                batch_size=FEATURE_BATCH,
                device=self.fabric.device,
                quiet=True,
            )
            points = clusters.whiten(found.reshape(-1, found.shape[-1]), self.plan.components)
        if not points.shape[1]:
            raise UserError(
                f"deepcluster {self.store.name}: the features of all images are the same before "
                f"epoch {self.at.epoch + 1}, so there is nothing to cluster; look whether the "
                "images differ, or lower deepcluster.learning_rate"
            )
        seed = seed_for(self.plan.seed, "clusters", self.at.epoch)
        return clusters.kmeans(points, self.plan.clusters, self.plan.iterations, seed)[0]

    def _compare(self, labels: Rows) -> dict[str, float]:
        sizes = np.bincount(labels, minlength=self.plan.clusters)
        row = {"nmi_previous": float("nan")}
        if self.at.epoch:
            row["nmi_previous"] = float(normalized_mutual_info_score(self.at.labels, labels))
        if self.truth is not None:
            known = self.truth >= 0
            truth = self.truth[known]
            row["nmi_labels"] = float(normalized_mutual_info_score(truth, labels[known]))
            row["purity"] = clusters.purity(labels[known], truth)
        return {**row, "empty": int((sizes == 0).sum()), "largest": int(sizes.max())}

    def _classify(self, labels: Rows) -> float:
        """One epoch with a new head; the mean loss over its images."""
        place = (self.plan.seed, "classify", self.at.epoch)
        torch.manual_seed(seed_for("head", *place))
        fresh = new_head(self.plan.shape.features, self.plan.clusters)
        head, descent = self.fabric.setup(fresh, self._descent(fresh))
        generator = torch.Generator().manual_seed(seed_for("crops", *place))
        order = uniform_over_clusters(labels, np.random.default_rng(seed_for("order", *place)))
        self.network.train()
        total = torch.zeros((), device=self.fabric.device)
        size = self.plan.batch_size
        for start in range(0, len(order) - 1, size):  # a batch of one has no variance
            picks = order[start : start + size]
            images, targets = self.fabric.to_device(
                (self._pixels(picks), torch.from_numpy(labels[picks]))
            )
            outputs = head(
                F.relu(self.network(self._normalise(augment(to_images(images), generator))))
            )
            loss = F.cross_entropy(outputs, targets)
            self.optimizer.zero_grad(set_to_none=True)
            descent.zero_grad(set_to_none=True)
            self.fabric.backward(loss)
            self.optimizer.step()
            descent.step()
            total += loss.detach() * len(picks)
        return float(total) / len(order)

    def _pixels(self, picks: Rows) -> Tensor:
        """uint8 B×H×W×C of positions among the training images or their quadrants."""
        if not self.plan.quadrants:
            return torch.from_numpy(self.store.images[self.rows[picks]])
        parts = quadrants.cut(self.store.images[self.rows[picks // quadrants.COUNT]])
        return torch.from_numpy(parts[np.arange(len(picks)), picks % quadrants.COUNT])

    def _normalise(self, images: Tensor) -> Tensor:
        return (images.expand(-1, 3, -1, -1) - self.mean) / self.std

    def _descent(self, module: nn.Module) -> torch.optim.SGD:
        return torch.optim.SGD(
            module.parameters(),
            self.plan.learning_rate,
            momentum=MOMENTUM,
            weight_decay=WEIGHT_DECAY,
        )

    def _fingerprint(self) -> str:
        digest = hashlib.sha256(json.dumps(dataclasses.asdict(self.plan), sort_keys=True).encode())
        digest.update(self.store.digest.encode())
        here = Path(__file__)
        for file in (
            here,
            here.with_name("sampling.py"),
            *map(_file, (clusters, features, quadrants, cluster_net)),
        ):
            digest.update(file.read_bytes())
        digest.update(json.dumps(environment(self.fabric), sort_keys=True).encode())
        return digest.hexdigest()

    def _save(self) -> None:
        state = {
            "fingerprint": self.fingerprint,
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "epoch": self.at.epoch,
            "labels": torch.from_numpy(self.at.labels),
            "history": self.at.history,
        }
        buffer = io.BytesIO()
        torch.save(state, buffer)
        write_bytes(self.resume, buffer.getvalue())

    def _restore(self) -> None:
        if not self.resume.is_file():
            return
        try:
            state: dict[str, Any] = torch.load(
                self.resume, map_location=self.fabric.device, weights_only=True
            )
        except Exception as error:
            raise UserError(
                f"{self.resume}: unreadable training state ({type(error).__name__}); remove it"
            ) from None
        if state["fingerprint"] != self.fingerprint:
            say(f"{self.resume}: of other parameters, data or code; starting anew")
            return
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.at = _State(state["epoch"], state["labels"].cpu().numpy(), state["history"])
        say(f"going on from epoch {self.at.epoch + 1} in {self.resume}")

    def write(self, out: Path) -> None:
        """Write the folder `out`, whole or not at all."""
        height, width, _ = self.store.shape
        weights = {
            name: tensor.detach().cpu().contiguous()
            for name, tensor in self.network.state_dict().items()
        }
        with folder(out) as temporary:
            save_file(weights, temporary / "weights.safetensors")
            digest = hashlib.sha256((temporary / "weights.safetensors").read_bytes()).hexdigest()
            pd.DataFrame(self.at.history).to_csv(
                temporary / "history.csv", index=False, float_format="%.6g"
            )
            write_json(temporary / "environment.json", environment(self.fabric))
            write_json(
                temporary / "config.json",
                {
                    "plan": dataclasses.asdict(self.plan),
                    "mean": _rounded(self.mean),
                    "std": _rounded(self.std),
                    "input_size": min(height, width) // (2 if self.plan.quadrants else 1),
                    "sha256": digest,
                    "data": {
                        "name": self.store.name,
                        "source": self.store.card["source"],
                        "digest": self.store.digest,
                        "images": len(self.rows),
                    },
                },
            )


def _file(module: Any) -> Path:
    return Path(module.__file__)


def _channels(store: Store, rows: Rows) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of red, green and blue, in [0, 1]."""
    spread = rows[:: max(1, len(rows) // NORMALISED_BY)]
    pixels = store.images[spread].astype(np.float64) / 255
    pixels = np.broadcast_to(pixels, (*pixels.shape[:3], 3))
    mean, std = pixels.mean(axis=(0, 1, 2)), pixels.std(axis=(0, 1, 2))
    return [round(float(v), 4) for v in mean], [round(max(float(v), 0.01), 4) for v in std]


def _rounded(channels: Tensor) -> list[float]:
    return [round(value, 4) for value in channels.flatten().tolist()]


def _truth(store: Store, rows: Rows, of_quadrants: bool) -> Rows | None:
    """The class of every training image or quadrant, -1 where unknown; None if none is known."""
    if of_quadrants:
        objects = quadrants.objects_of(store)
        labels = None if objects is None else objects.labels[rows].ravel()
    else:
        labels = store.labels()[rows]
    return labels if labels is not None and (labels >= 0).any() else None
