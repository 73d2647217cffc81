"""All measures of mixed scenes: the same mixes for every run, rendered, judged and compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from latent_atlas.analysis.scene_mixing.ground_truth import Truth, is_drawn, transfer, truth_of
from latent_atlas.analysis.scene_mixing.mixes import (
    Mixes,
    of_neighbours,
    of_strangers,
    paste,
    render,
)
from latent_atlas.analysis.scene_mixing.object_classifier import Judge, features_of, train
from latent_atlas.analysis.scene_mixing.object_probe import named_from_codes
from latent_atlas.analysis.scene_mixing.plots import draw_sheet
from latent_atlas.config.schema import Mixing
from latent_atlas.data.neighbour_table import Neighbours
from latent_atlas.data.store import Images, Store
from latent_atlas.metrics import generative
from latent_atlas.metrics.reconstruction import psnr_and_ssim
from latent_atlas.models import backbones
from latent_atlas.training.checkpoint import TrainedRun
from latent_atlas.util.console import UserError

KINDS = {"near": "donors are neighbours", "any": "donors are any images"}


@dataclass(frozen=True)
class Asked:
    """Which mixes are measured, and with what.

    Attributes:
        settings: from params.yaml or a study.
        scale: which number of a pair counts.
        seed: of the mixes, of the judge's scenes, and of the images that renderings are compared
            with.
    """

    settings: Mixing
    scale: Literal["sample", "full"]
    seed: int

    @property
    def mixes(self) -> int:
        """How many images are mixed."""
        return int(getattr(self.settings.mixes, self.scale))

    @property
    def judged(self) -> int:
        """Scenes that the judge learns from."""
        return int(getattr(self.settings.judged, self.scale))

    def dump(self) -> dict[str, Any]:
        """As `read` takes it."""
        settings = self.settings.model_dump(mode="json")
        return {"settings": settings, "scale": self.scale, "seed": self.seed}

    @staticmethod
    def read(values: dict[str, Any]) -> Asked:
        """What `dump` gave."""
        return Asked(Mixing.model_validate(values["settings"]), values["scale"], values["seed"])


def distances_of(backbone: str) -> tuple[str, str]:
    """What the Fréchet and the kernel distance of its features are called."""
    name = backbone.partition("@")[0]
    return ("fid", "kid") if name == backbones.INCEPTION else (f"frechet_{name}", f"kid_{name}")


class Bench:
    """What pictures of mixes are measured with, made once for all of them.

    Args:
        store: the scenes; its validation images are mixed.
        asked: what is measured.
        neighbours: of the scenes.

    Attributes:
        mixes: of each of `KINDS`.
        truth: what the mixes should be; None unless the scenes are drawn and the tiles quadrants.
        judge: of objects; likewise.

    Raises:
        UserError: if there are too few images, or the backbone cannot be had.
    """

    def __init__(self, store: Store, asked: Asked, neighbours: Neighbours) -> None:
        self._store, self._asked, spec = store, asked, asked.settings
        # As many real images as renderings: the Fréchet distance depends on how many there are.
        count = min(asked.mixes, len(store.rows("valid")))
        shuffled = np.random.default_rng(asked.seed).permutation(store.rows("train"))
        real = store.images[np.sort(shuffled[:count])]
        try:
            self._backbone = backbones.load(spec.backbone, asked.seed)
            self._real = features_of(self._backbone, real, spec.size)
        except backbones.BackboneError as error:
            raise UserError(f"scenes.backbone: {error}") from None
        if min(count, len(real)) <= generative.NEIGHBOURS:
            raise UserError(
                f"scenes: found {asked.mixes} mixes of {len(store.rows('valid'))} validation and "
                f"{len(store.rows('train'))} training images of {store.name}, expected more than "
                f"{generative.NEIGHBOURS} of each; raise scenes.mixes, change "
                f"data.{store.name}.valid_share, or add images"
            )
        self.judge: Judge | None = None
        self.truth: dict[str, Truth | None] = dict.fromkeys(KINDS)
        self.mixes = {kind: self._mix(kind, neighbours) for kind in KINDS}
        if is_drawn(store) and neighbours.tiles == 2:
            # Mixing of a seed that no data set here is drawn with.
            side, seed = store.shape[:2], asked.seed + 10_000
            self.judge = train(self._backbone, spec.size, asked.judged, side, seed)
            self.truth |= {kind: truth_of(store, mixes) for kind, mixes in self.mixes.items()}

    def _mix(self, kind: str, neighbours: Neighbours) -> Mixes:
        random = np.random.default_rng([self._asked.seed, list(KINDS).index(kind)])
        rows = random.permutation(self._store.rows("valid"))[: self._asked.mixes]
        spec = self._asked.settings
        if kind == "any":
            return of_strangers(rows, random, neighbours.tiles, spec.segments)
        neighbours.check(self._store)
        return of_neighbours(rows, neighbours, spec.tau, random, spec.segments)

    def paste(self, kind: str) -> Images:
        """The mixes with their quadrants merely laid on."""
        return paste(self._store.images, self.mixes[kind])

    def render(self, kind: str, run: TrainedRun) -> Images:
        """The mixes as a run of `latent_atlas.analysis.scene_mixing.mixes.open_mixable` renders them."""
        return render(run, self._store.images, self.mixes[kind])

    def measure(self, kind: str, pictures: Images) -> dict[str, float]:
        """Every number of N uint8 pictures of the N mixes of a kind.

        Returns:
            ``psnr`` (dB) and ``ssim`` against the true mix, ``transferred`` and ``kept`` (see
            `latent_atlas.analysis.scene_mixing.ground_truth.transfer`), where the truth is known. ``frechet_<backbone>``,
            ``kid_<backbone>``, ``precision``, ``recall``, ``density`` and ``coverage`` against
            real images; by the network ``inception`` ``fid`` and ``kid``, as they are defined, and
            ``inception_score``. Each with the kind before it, e.g. ``near_psnr``.
        """
        values: dict[str, float] = {}
        truth = self.truth[kind]
        if truth is not None and self.judge is not None:
            psnr, ssim = psnr_and_ssim(truth.pictures, pictures).mean(0)
            values |= {"psnr": float(psnr), "ssim": float(ssim)}
            values |= transfer(truth, self.mixes[kind], self.judge.see(pictures))
        spec = self._asked.settings
        fake = features_of(self._backbone, pictures, spec.size)
        frechet, kid = distances_of(spec.backbone)
        values |= {
            frechet: generative.frechet(self._real, fake),
            kid: generative.kid(self._real, fake, self._asked.seed),
            **generative.shares(self._real, fake),
        }
        if isinstance(self._backbone, backbones.InceptionBackbone):
            logits = self._backbone.logits(torch.from_numpy(fake)).numpy()
            values["inception_score"] = generative.inception_score(logits)[0]
        return {f"{kind}_{key}": value for key, value in values.items()}

    def of_run(self, run: TrainedRun) -> dict[str, float]:
        """`measure` of both kinds, and ``named_from_codes`` where the scenes are drawn."""
        values: dict[str, float] = {}
        for kind in KINDS:
            values |= self.measure(kind, self.render(kind, run))
        return values | self.codes_of(run)

    def codes_of(self, run: TrainedRun) -> dict[str, float]:
        """``named_from_codes``, see there; nothing unless the scenes are drawn."""
        if self.judge is None:
            return {}
        found = named_from_codes(run, self._store, self._asked.judged, self._asked.mixes)
        return {"named_from_codes": found}

    def draw(self, kind: str, pictures: Mapping[str, Images], title: str, path: Path) -> None:
        """A sheet of the first mixes of a kind: label → pictures of them, and before them what was
        given, what is merely pasted, and behind them the truth where it is known.
        """
        truth = self.truth[kind]
        columns = {"pasted": self.paste(kind), **pictures}
        if truth is not None:
            columns["true"] = truth.pictures
        rows = self._asked.settings.examples
        source = f"data {self._store.name} ({self._store.card['source']})"
        head = f"Mixed scenes, validation images; {KINDS[kind]} · {title} · {source}"
        draw_sheet(self._store.images, self.mixes[kind], columns, rows, head, path)
