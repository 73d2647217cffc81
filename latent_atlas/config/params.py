"""params.yaml: the only place that reads it, and its schema.

The file is validated as a whole before a stage does anything; an unknown key is refused with the
nearest known name. `Scaled` values hold a number for each scale, and ``scale`` chooses.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, TypeVar, get_args

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from latent_atlas.config.code_grid import MOST_HALVINGS, check_tiles, grid_of
from latent_atlas.config.registry import MODELS, NETWORKS, ModelEntry, Option
from latent_atlas.util.console import UserError

PARAMS = Path("params.yaml")

SHOP = "shop"
"""The image store that the stage `products` makes, beside those under ``data``."""

_TAKEN = (SHOP, "products", "crawl")
"""Folders of `data/` that the stages `scrape` and `products` write."""

Scale = Literal["sample", "full"]
Likelihood = Literal["bernoulli", "gaussian", "laplace"]

Positive = Annotated[int, Field(ge=1)]

LICENCES = {
    "drawn:": "CC0-1.0",
    "sklearn:digits": "BSD-3-Clause (scikit-learn), UCI optical recognition of handwritten digits",
}
"""What a source begins with → the licence of its images, where that is known without asking."""

MOST_SEED = 2**31 - 1
"""Of faiss; scikit-learn takes twice as many."""

Seed = Annotated[int, Field(ge=0, le=MOST_SEED)]


def _registered(names: Mapping[str, Any]) -> AfterValidator:
    def check(name: str) -> str:
        if name not in names:
            known = ", ".join(names)
            raise ValueError(f"found {name!r}, expected one of {known}{nearest(name, names)}")
        return name

    return AfterValidator(check)


ModelName = Annotated[str, _registered(MODELS)]
NetworkName = Annotated[str, _registered(NETWORKS)]
CONTACT = r"^(mailto:)?[^@\s]+@[^@\s]+\.[^@\s]+$|^https?://\S+$"
NAME = r"^[a-z][a-z0-9_]*$"
PROXY = r"^http://\S+$"
SHA256 = r"^[0-9a-f]{64}$"

IN_WORDS = {
    CONTACT: "a mail address or a URL",
    NAME: "a name of small letters, digits and _ that begins with a letter",
    PROXY: "a URL http://…",
    SHA256: "64 hexadecimal digits",
}
"""What a pattern asks for, as an error says it."""

Contact = Annotated[str, Field(pattern=CONTACT)]
Name = Annotated[str, Field(pattern=NAME)]


class Section(BaseModel):
    """A part of params.yaml: typed strictly, immutable, without unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


Checked = TypeVar("Checked", bound=Section)


class Scaled(Section):
    """A number for each scale, e.g. ``{sample: 2000, full: 10000}``."""

    sample: Positive
    full: Positive


MIN_REFERENCE = 10
"""Images that stand for the data: the distance from them is a mean over the nearest five."""


MIN_JUDGED = 20
"""Scenes of which a fifth is held out to tell how well a judge sees."""


def _enough_judged(scaled: Scaled) -> Scaled:
    fewest = min(scaled.sample, scaled.full)
    if fewest < MIN_JUDGED:
        raise ValueError(f"found {fewest}, expected at least {MIN_JUDGED}")
    return scaled


def _enough_reference(scaled: Scaled) -> Scaled:
    fewest = min(scaled.sample, scaled.full)
    if fewest < MIN_REFERENCE:
        raise ValueError(f"found {fewest}, expected at least {MIN_REFERENCE}")
    return scaled


class LossWeights(Section):
    """Weights of the terms of a loss.

    Attributes:
        reconstruction: of the autoencoders and VAEs.
        mixing_reconstruction, adversarial, classifier: of the mixing model, at the published scale.
    """

    reconstruction: Annotated[float, Field(gt=0)]
    mixing_reconstruction: Annotated[float, Field(ge=0)]
    adversarial: Annotated[float, Field(ge=0)]
    classifier: Annotated[float, Field(ge=0)]


class TableSource(Section):
    """How to read a CSV beside a folder of images."""

    file: str = "filename"
    label: str = "style"


class CocoSource(Section):
    """Which COCO images to take, and how many further rows to make of each."""

    min_boxes: Annotated[int, Field(ge=0)] = 4
    min_side: Annotated[int, Field(ge=0)] = 200
    flips: bool = True
    crops: Annotated[int, Field(ge=0)] = 0


class DataSet(Section):
    """One image store: what it is made from and how.

    Attributes:
        source: ``drawn:<name>``, ``sklearn:digits``, ``torchvision:<name>``, or a path or URL of a
            folder, archive, npz, CSV, COCO json or IDX file.
        height, width: of the stored images, in pixels.
        channels: 1 (grey) or 3 (RGB).
        fit: how another aspect ratio is made to fit.
        valid_share: share of images for validation, where the source has no splits of its own.
        count: how many images to draw; for drawn sources only.
        classes: keep these classes only, or the so many largest; null keeps all.
        limit: keep at most so many images of a source that is not drawn; null keeps all.
        licence: of the images, as far as known; goes into the card. Null: that of `LICENCES`.
        sha256, size: checked after a download where given; size in bytes.
        table, coco: options of the CSV and the COCO source.
    """

    source: Annotated[str, Field(min_length=1)]
    height: Annotated[int, Field(ge=16, le=4096)]
    width: Annotated[int, Field(ge=16, le=4096)]
    channels: Literal[1, 3] = 3
    fit: Literal["crop", "pad", "stretch"] = "crop"
    valid_share: Annotated[float, Field(ge=0, lt=1)] = 0.1
    count: Scaled | None = None
    classes: list[str] | Positive | None = None
    limit: Positive | None = None
    licence: str | None = None
    sha256: Annotated[str, Field(pattern=SHA256)] | None = None
    size: Positive | None = None
    table: TableSource = TableSource()
    coco: CocoSource = CocoSource()

    @property
    def known_licence(self) -> str:
        """`licence`, or what is known of one for this kind of source."""
        kinds = (kind for kind in LICENCES if self.source.startswith(kind))
        return self.licence or next((LICENCES[kind] for kind in kinds), "unknown")

    @model_validator(mode="after")
    def _count_for_drawn(self) -> DataSet:
        if self.source.startswith("drawn:") and self.count is None:
            raise ValueError(f"source {self.source!r} is drawn and needs a count")
        return self


class RunSpec(Section):
    """One model to train, as written in params.yaml.

    Attributes:
        latent_dim, beta: of its own, in the families whose runs do not follow the top-level ones.
        epochs, batch_size, learning_rate: in place of those under ``train``.
        options: knobs of this model alone; those left out have the defaults of the registry.
    """

    data: Name
    model: ModelName
    network: NetworkName
    likelihood: Likelihood
    latent_dim: Positive | None = None
    beta: Annotated[float, Field(ge=0)] | None = None
    epochs: Scaled | None = None
    batch_size: Positive | None = None
    learning_rate: Annotated[float, Field(gt=0)] | None = None
    options: dict[str, Option] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _suits_model(self) -> RunSpec:
        check_options(self.model, self.options)
        check_suits(self.model, self.network, self.likelihood)
        return self


def check_suits(model: str, network: str, likelihood: str) -> None:
    """Raise ValueError unless `model` can be built of this network, with this likelihood."""
    entry = MODELS[model]
    for key, found, allowed in (
        ("network", network, entry.networks or tuple(NETWORKS)),
        ("likelihood", likelihood, entry.likelihoods),
    ):
        if found not in allowed:
            raise ValueError(
                f"{key}: found {found!r}, but model {model!r} takes {' or '.join(allowed)}"
            )


_KINDS = {bool: "a boolean", int: "an integer", float: "a number", str: "text"}


def check_options(model: str, options: Mapping[str, Option]) -> dict[str, Option]:
    """All options of `model`, with the defaults of those left out.

    Raises:
        ValueError: for an option that the model does not have, or a value that it cannot have.
    """
    defaults = MODELS[model].options
    for key, value in options.items():
        if key not in defaults:
            known = ", ".join(defaults) or "none"
            raise ValueError(
                f"options: model {model!r} has no option {key!r}"
                f"{nearest(key, defaults)} (it has {known})"
            )
        kinds = (int, float) if isinstance(defaults[key], float) else type(defaults[key])
        if not isinstance(value, kinds) or isinstance(value, bool) != isinstance(
            defaults[key], bool
        ):
            raise ValueError(
                f"options.{key}: found {value!r}, expected {_KINDS[type(defaults[key])]} "
                f"like {defaults[key]!r}{_hint(value)}"
            )
        known_words = MODELS[model].choices.get(key)
        if known_words is not None and value not in known_words:
            raise ValueError(
                f"options.{key}: found {value!r}, expected one of {', '.join(known_words)}"
                f"{nearest(str(value), known_words)}"
            )
        if isinstance(value, int | float):
            _check_range(MODELS[model], key, value)
    return {**defaults, **options}


def _check_range(entry: ModelEntry, key: str, value: float) -> None:
    """Raise ValueError for a number that the option `key` cannot be: none may be below 0."""
    least = entry.least.get(key, 0)
    if key in entry.shares and not 0 <= value <= 1:
        raise ValueError(f"options.{key}: found {value!r}, expected a share from 0 to 1")
    if value < least:
        raise ValueError(f"options.{key}: found {value!r}, expected {least} or more")


class Family(NamedTuple):
    """What the runs of a family fix themselves, and what follows the top-level knobs."""

    own_latent_dim: bool
    own_beta: bool


FAMILIES = {
    "plain": Family(own_latent_dim=False, own_beta=False),
    "beta": Family(own_latent_dim=False, own_beta=False),
    "plane": Family(own_latent_dim=True, own_beta=True),
    "scenes": Family(own_latent_dim=True, own_beta=True),
    "paintings": Family(own_latent_dim=True, own_beta=True),
}


MIXED = ("dense_ae", "mixing")
"""The models of the family ``scenes``: their codes can be mixed quadrant by quadrant."""


class Runs(Section):
    """All trainings by family, so that a knob retrains only the models that it turns.

    Attributes:
        plain: models without a β.
        beta: models that follow the top-level ``beta``.
        plane: models with two latents, whose whole latent space fits on a page.
        scenes: models of scenes that can be mixed, see docs/mixing.md.
        paintings: models of paintings whose latent spaces are mapped, see docs/cartography.md.
    """

    plain: dict[Name, RunSpec]
    beta: dict[Name, RunSpec]
    plane: dict[Name, RunSpec]
    scenes: dict[Name, RunSpec]
    paintings: dict[Name, RunSpec]

    def items(self) -> Iterator[tuple[str, str, RunSpec]]:
        """Yield family, name and specification of each run, in the order of the file."""
        for family in FAMILIES:
            for name, spec in getattr(self, family).items():
                yield family, name, spec

    @model_validator(mode="after")
    def _families(self) -> Runs:
        names = [name for _, name, _ in self.items()]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"run {twice[0]!r} stands in two families; give it two names")
        for family, name, spec in self.items():
            _check_family(family, name, spec)
        return self


def _check_family(family: str, name: str, spec: RunSpec) -> None:
    """Raise ValueError unless the run sets just the knobs that its family leaves to it."""
    free_beta = MODELS[spec.model].beta is None
    if family in ("plain", "beta") and (family == "beta") != free_beta:
        raise ValueError(
            f"run {name!r} with model {spec.model!r} stands under {family!r}; models with a β "
            "of any size belong under 'beta', the others under 'plain'"
        )
    if (family == "scenes") != (spec.model in MIXED):
        raise ValueError(
            f"run {name!r} with model {spec.model!r} stands under {family!r}; "
            f"{' and '.join(MIXED)} belong under 'scenes', the others elsewhere"
        )
    if family == "plane" and spec.latent_dim != 2:
        raise ValueError(f"run {name!r} under 'plane' needs latent_dim 2")
    rules = FAMILIES[family]
    if rules.own_latent_dim != (spec.latent_dim is not None):
        raise ValueError(
            f"run {name!r} under {family!r} "
            + (
                "needs a latent_dim of its own"
                if rules.own_latent_dim
                else "follows the top-level latent_dim; remove its own"
            )
        )
    if (rules.own_beta and free_beta) != (spec.beta is not None):
        raise ValueError(
            f"run {name!r} under {family!r} with model {spec.model!r} "
            + (
                "has no beta of its own; remove it"
                if spec.beta is not None
                else "needs a beta of its own"
            )
        )


class Train(Section):
    """The training loop.

    Attributes:
        batch_size: images a step, over all processes together.
        learning_rate: of Adam.
        schedule: epoch → factor on the learning rate from that epoch on; empty for none.
        patience: stop after so many epochs without a better validation loss; null never stops.
        precision: ``32-true`` or ``bf16-mixed``.
        accelerator: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        checkpoint_seconds: how much work an interruption may cost.
        mean_start: the untrained decoder puts out the data's mean image; false leaves it at
            PyTorch's small biases.
    """

    epochs: Scaled
    batch_size: Positive
    learning_rate: Annotated[float, Field(gt=0)]
    schedule: dict[Positive, Annotated[float, Field(gt=0)]]
    patience: Positive | None
    precision: Literal["32-true", "bf16-mixed"]
    accelerator: Literal["auto", "cpu", "cuda", "mps"]
    checkpoint_seconds: Annotated[float, Field(ge=0)]
    mean_start: bool = True


class Evaluate(Section):
    """Numbers and pictures of a trained model.

    Attributes:
        batch_size: images at once; changes no result.
        active_threshold: a latent is active if its posterior mean varies by more over the
            validation images (Burda et al. 2016, section 5.2).
        examples: pairs in a strip, and images of a class.
        samples: random samples beside decoder(0).
        traversal: a latent goes from −traversal to +traversal; at β = 0, deviations of its codes.
        steps: columns of a traversal.
        mesh: rows and columns of the mesh of a two-latent model.
        scatter: images of a class in the scatter of a two-latent model.
        bins: of a latent or factor where mutual information is measured.
        examine: measure all of `latent_atlas.metrics.disentanglement`, not its mig and modularity alone.
    """

    batch_size: Positive
    active_threshold: Annotated[float, Field(gt=0)]
    examples: Positive
    samples: Positive
    traversal: Annotated[float, Field(gt=0)]
    steps: Annotated[int, Field(ge=3)]
    mesh: Annotated[int, Field(ge=2)]
    scatter: Positive
    bins: Annotated[int, Field(ge=2)]
    examine: bool


class CrawlLimits(Section):
    """What one run of a crawl may take; a later run goes on where it ended.

    Attributes:
        pages: category and product pages.
        bytes: received in all.
        page_bytes, image_bytes: of one answer, unpacked.
        pixels: of one image.
        seconds: of the run.
        answer_seconds: from a request to the end of its answer.
        wait_seconds: the longest pause that a server may ask for before the run ends.
    """

    pages: Positive
    bytes: Positive
    page_bytes: Positive
    image_bytes: Positive
    pixels: Positive
    seconds: Annotated[float, Field(gt=0)]
    answer_seconds: Annotated[float, Field(gt=0)]
    wait_seconds: Annotated[float, Field(gt=0)]


class Scrape(Section):
    """The crawl of a shop.

    Attributes:
        shop: ``drawn`` for the shop that the stage draws and serves itself, or a shop file.
        contact: an address or URL under which the crawler's operator can be reached; required for
            every shop but one on this machine.
        products: how many the drawn shop offers.
        retries: how often a failing request is repeated at once, before the second pass.
        retry_seconds: pause of a host after a failing answer; doubles with each retry.
        proxy: URL of a proxy; null uses none, whatever the environment says.
        shard_bytes: size of a shard of original images.
    """

    shop: Annotated[str, Field(min_length=1)]
    contact: Contact | None
    products: Scaled
    retries: Annotated[int, Field(ge=0, le=10)]
    retry_seconds: Annotated[float, Field(gt=0)]
    proxy: Annotated[str, Field(pattern=PROXY)] | None
    shard_bytes: Positive
    limits: CrawlLimits


class PhotoRules(Section):
    """What a product's photo must be like (thesis, section 3.1.1).

    Attributes:
        min_side: shorter side in pixels.
        min_ground: brightness of the border's median, 0 to 255: a white or bright background.
        max_ground_spread: share of the border that is not of the background's colour.
        min_area, max_area: share of the picture that is garment.
        max_second: area of the second largest part, as a share of the largest: one garment only.
        max_skin: share of skin in what is not background.
        min_limbs: share of skin in an outer eighth of that: with more, a person is in the picture,
        limbs_ratio: if it is also so many times the share of skin in all of it. A garment of that
            colour has as much of it everywhere.
        near: mean difference in pixel values, 0 to 255, up to which two photos are the same.
    """

    min_side: Positive
    min_ground: Annotated[float, Field(ge=0, le=255)]
    max_ground_spread: Annotated[float, Field(ge=0, le=1)]
    min_area: Annotated[float, Field(ge=0, le=1)]
    max_area: Annotated[float, Field(ge=0, le=1)]
    max_second: Annotated[float, Field(ge=0, le=1)]
    max_skin: Annotated[float, Field(ge=0, le=1)]
    min_limbs: Annotated[float, Field(ge=0, le=1)]
    limbs_ratio: Annotated[float, Field(ge=1)]
    near: Annotated[float, Field(ge=0)]


class Products(Section):
    """From the crawl's table to the image store ``shop``.

    Attributes:
        height, width: of the stored images, in pixels; photos are padded with their background.
        valid_share: share of images for validation.
        rules: what a product's photo must be like.
        backbone: name of the network whose features sort the model photos.
        clusters: how many kinds of model photos there may be.
        examples: SHA-256 of two or three photos that show what is wanted; with any, they choose the
            cluster, otherwise a rule on skin, garment area and symmetry does.
    """

    height: Annotated[int, Field(ge=16, le=4096)]
    width: Annotated[int, Field(ge=16, le=4096)]
    valid_share: Annotated[float, Field(ge=0, lt=1)]
    rules: PhotoRules
    backbone: Annotated[str, Field(min_length=1)]
    clusters: Annotated[int, Field(ge=2, le=100)]
    examples: list[Annotated[str, Field(pattern=SHA256)]]


class DeepCluster(Section):
    """Features learnt from the clusters of the features (Caron et al. 2018).

    Attributes:
        network: made for small images, see `latent_atlas.models.cluster_net`.
        width: factor on the number of maps.
        features: numbers in a feature.
        sobel: learn from edges only.
        quadrants: learn from quadrants rather than from whole images.
        clusters: pseudo-labels.
        components: of the whitened features that are clustered.
        iterations: of k-means.
        learning_rate: of stochastic gradient descent with momentum.
    """

    network: Literal["alexnet", "vgg"]
    width: Annotated[float, Field(gt=0)]
    features: Annotated[int, Field(ge=8)]
    sobel: bool
    quadrants: bool
    clusters: Scaled
    components: Positive
    iterations: Positive
    epochs: Scaled
    batch_size: Annotated[int, Field(ge=2)]
    learning_rate: Annotated[float, Field(gt=0)]


class QuadrantNeighbours(Section):
    """The images whose quadrants are most like those of each image.

    Attributes:
        backbone: ``deepcluster`` for what the stage deepcluster learnt from the same images, or a
            name that `latent_atlas.models.backbones.load` knows.
        tiles: 2 for quadrants, 3 for nine tiles.
        size: side to which quadrants are stretched before they enter the network; null takes the
            network's own.
        search: ``clusters`` looks within the cluster of each quadrant, as in the thesis; ``exact``
            among all, ``ivf`` among all, by an inverted file.
        clusters: of k-means, and lists of the inverted file.
        iterations: of k-means.
        probes: lists that ``ivf`` visits.
        distinct: pass over pictures made from the same photograph (flips, crops).
        batch_size: images at once; changes no result but rounding.
    """

    backbone: Annotated[str, Field(min_length=1)]
    tiles: Literal[2, 3] = 2
    size: Annotated[int, Field(ge=16, le=4096)] | None
    search: Literal["clusters", "exact", "ivf"]
    clusters: Scaled
    iterations: Positive
    probes: Positive
    distinct: bool
    batch_size: Positive


class Scenes(Section):
    """Measures and pictures of mixed scenes, for the runs of the family ``scenes``.

    Attributes:
        mixes: how many validation images are mixed.
        tau: a neighbour is taken up to this quantile of the distances, as in training.
        segments: exchange figures in place of whole quadrants.
        judged: drawn scenes that the judge of objects is trained on.
        backbone: name of the network whose features the judge and the distances use.
        size: side to which pictures are stretched for it.
        examples: mixes on a sheet.
    """

    mixes: Scaled
    tau: Annotated[float, Field(ge=0, le=1)]
    segments: bool = False
    judged: Annotated[Scaled, AfterValidator(_enough_judged)]
    backbone: Annotated[str, Field(min_length=1)]
    size: Annotated[int, Field(ge=16, le=4096)]
    examples: Positive


class Cartography(Section):
    """What is measured of the latent spaces of the family ``paintings``, see docs/cartography.md.

    Attributes:
        partitions: columns by which images are sorted beside their label, where there are any.
        components: shares of variance in the tables.
        clusters: the smallest and the largest number of clusters; the silhouette chooses.
        neighbours: training codes whose labels are asked.
        draws: random halves of the images, for the intervals of clusterings.
        resamples: bootstrap samples and permutations, for all other intervals and tests.
        mapped: at most so many images on a map.
        perplexity: of t-SNE.
        thumbnails: a map shows at most so many squared.
    """

    partitions: list[str]
    components: Positive
    clusters: Annotated[tuple[int, int], Field(strict=False)]
    neighbours: Positive
    draws: Annotated[int, Field(ge=2)]
    resamples: Annotated[int, Field(ge=20)]
    mapped: Annotated[int, Field(ge=12)]
    perplexity: Annotated[float, Field(gt=1)]
    thumbnails: Positive

    @model_validator(mode="after")
    def _clusters_in_order(self) -> Cartography:
        low, high = self.clusters
        if not 2 <= low <= high:
            raise ValueError(
                f"clusters: found [{low}, {high}], expected the smallest number, at least 2, and "
                "then the largest"
            )
        return self


class Walks(Section):
    """Walks from one code to another, see docs/paths.md.

    Attributes:
        pairs: random pairs of each style, and of each two styles.
        compared: random pairs that every kind of path joins.
        steps, long_steps: into which a path is cut; the longer for the farthest pairs alone.
        iterations: of a geodesic.
        reference: training images that stand for the data.
        neighbours: edges of a code in the graph of the data.
        separated: images that tell whether the style loss separates styles.
        backbone: name of the network whose maps style and content are measured on.
        layers: its blocks → weight of their style loss.
        size: side to which images are stretched for it; null takes the backbone's own.
        examples: pairs that are drawn as strips.
    """

    pairs: Scaled
    compared: Scaled
    steps: Annotated[int, Field(ge=4)]
    long_steps: Annotated[int, Field(ge=4)]
    iterations: Scaled
    reference: Annotated[Scaled, AfterValidator(_enough_reference)]
    neighbours: Positive
    separated: Scaled
    backbone: Annotated[str, Field(min_length=1)]
    layers: Annotated[dict[str, Annotated[float, Field(ge=0)]], Field(min_length=1)]
    size: Annotated[int, Field(ge=16, le=4096)] | None
    examples: Positive

    @model_validator(mode="after")
    def _long_is_longer(self) -> Walks:
        if self.long_steps <= self.steps:
            raise ValueError(
                f"long_steps: found {self.long_steps}, expected more than the {self.steps} of steps"
            )
        return self


class Paths(Walks):
    """The walks of the pipeline.

    Attributes:
        runs: names of runs; each is measured with its own data set.
    """

    runs: list[Name]


class Tolerance(Section):
    """What `gate` and `verify` accept of a metric.

    Attributes:
        better: the direction that is an improvement.
        relative: a change up to this share of the old value is noise.
    """

    better: Literal["lower", "higher", "either"]
    relative: Annotated[float, Field(ge=0)]


class Run(Section):
    """A run with every knob resolved: all that its training depends on, beside the data."""

    name: Name
    family: str
    data: Name
    model: ModelName
    network: NetworkName
    likelihood: Likelihood
    latent_dim: Positive
    beta: float
    loss_weights: dict[str, float]
    options: Annotated[dict[str, Option], Field(default_factory=dict, validate_default=True)]
    seed: int
    epochs: Positive
    train: Train

    @field_validator("options")
    @classmethod
    def _every_option(cls, options: dict[str, Option], run: ValidationInfo) -> dict[str, Option]:
        """Give options that are younger than a checkpoint their defaults, which change nothing."""
        return check_options(run.data["model"], options) if "model" in run.data else options

    def title(self) -> str:
        """The run in a line, for figures and tables."""
        return (
            f"{self.name}: {self.model} ({self.network}, {self.likelihood}), "
            f"latent_dim {self.latent_dim}, β {self.beta:g}, {self.epochs} epochs, seed {self.seed}"
        )


class Params(Section):
    """The whole of params.yaml."""

    beta: Annotated[float, Field(ge=0)]
    latent_dim: Positive
    loss_weights: LossWeights
    seed: Seed
    scale: Scale
    data: dict[Name, DataSet]
    runs: Runs
    train: Train
    evaluate: Evaluate
    scrape: Scrape
    products: Products
    deepcluster: DeepCluster
    neighbours: QuadrantNeighbours
    mixing: Scenes
    cartography: Cartography

    interpolation: Paths
    gate: dict[str, Tolerance]

    @field_validator("data")
    @classmethod
    def _folders_are_free(cls, data: dict[str, DataSet]) -> dict[str, DataSet]:
        for name in data:
            if name in _TAKEN:
                raise ValueError(
                    f"found {name!r}, but the folder data/{name} is the crawl's; "
                    "choose another name"
                )
        return data

    @model_validator(mode="after")
    def _walks_have_runs(self) -> Params:
        names = self.run_names()
        for number, name in enumerate(self.interpolation.runs):
            if name not in names:
                raise ValueError(
                    f"interpolation.runs.{number}: found {name!r}, "
                    f"expected one of {', '.join(names)}{nearest(name, names)}"
                )
        return self

    @model_validator(mode="after")
    def _runs_have_data(self) -> Params:
        sizes = {name: (data.height, data.width) for name, data in self.data.items()}
        sizes[SHOP] = (self.products.height, self.products.width)
        for family, name, spec in self.runs.items():
            if spec.data not in sizes:
                raise ValueError(
                    f"runs.{family}.{name}.data: found {spec.data!r}, "
                    f"expected one of {', '.join(sizes)}{nearest(spec.data, sizes)}"
                )
            height, width = sizes[spec.data]
            where = f"runs.{family}.{name}"
            check_network(spec.network, height, width, where, spec.data)
            latent_dim, options = spec.latent_dim or self.latent_dim, spec.options
            check_cells(spec.network, height, width, latent_dim, where, options)
            if self.train.patience is not None and MODELS[spec.model].rising:
                raise ValueError(
                    f"train.patience: found {self.train.patience}, but the loss of {where} rises "
                    f"while the capacity of {spec.model} grows, and would end it; set it to null"
                )
        return self

    def number(self, scaled: Scaled) -> int:
        """The value of `scaled` at the chosen scale."""
        return int(getattr(scaled, self.scale))

    def data_set(self, name: str) -> DataSet:
        """The data set `name`; raises UserError with the nearest name if there is none."""
        if name not in self.data:
            raise UserError(
                f"no data set {name!r} in params.yaml{nearest(name, self.data)} "
                f"(there are {', '.join(self.data)})"
            )
        return self.data[name]

    def run(self, name: str) -> Run:
        """The run `name`, resolved; raises UserError with the nearest name if there is none."""
        runs = {key: (family, spec) for family, key, spec in self.runs.items()}
        if name not in runs:
            raise UserError(
                f"no run {name!r} in params.yaml{nearest(name, runs)} (there are {', '.join(runs)})"
            )
        family, spec = runs[name]
        entry = MODELS[spec.model]
        beta = self.beta if spec.beta is None else spec.beta
        own = {"batch_size": spec.batch_size, "learning_rate": spec.learning_rate}
        return Run.model_validate(
            {
                "name": name,
                "family": family,
                "data": spec.data,
                "model": spec.model,
                "network": spec.network,
                "likelihood": spec.likelihood,
                "latent_dim": spec.latent_dim or self.latent_dim,
                "beta": beta if entry.beta is None else entry.beta,
                "loss_weights": {term: getattr(self.loss_weights, term) for term in entry.weights},
                "options": check_options(spec.model, spec.options),
                "seed": self.seed,
                "epochs": self.number(spec.epochs or self.train.epochs),
                "train": self.train.model_copy(
                    update={key: value for key, value in own.items() if value is not None}
                ),
            }
        )

    def latent_run_names(self) -> list[str]:
        """The runs that `evaluate` measures one by one, latent by latent."""
        apart = ("scenes", "paintings")  # they have stages of their own
        return [name for family, name, _ in self.runs.items() if family not in apart]

    def run_names(self) -> list[str]:
        """All runs, in the order of the file."""
        return [name for _, name, _ in self.runs.items()]


def check_network(network: str, height: int, width: int, where: str, data: str) -> None:
    """Raise ValueError if images of this size do not fit `network`, naming the key `where`."""
    multiple = NETWORKS[network].multiple
    if height % multiple or width % multiple:
        free = ", ".join(name for name, entry in NETWORKS.items() if entry.multiple == 1)
        raise ValueError(
            f"{where}.network: {network} takes multiples of {multiple}, but {data} is "
            f"{height}×{width}; change height and width, or choose {free}"
        )


def check_cells(
    network: str,
    height: int,
    width: int,
    latent_dim: int,
    where: str,
    options: Mapping[str, Option],
) -> None:
    """Raise ValueError if a code of this size cannot be shared out among the cells of `network`.

    Or if the cells cannot be shared out among the tiles that the model's `options` ask for.
    """
    cells = NETWORKS[network].cells
    if cells is None:
        return
    most = int(options.get("halvings", MOST_HALVINGS))
    try:
        count = cells(height, width, most)
        check_tiles(grid_of(height, width, most), int(options.get("tiles", 2)))
    except ValueError as error:
        raise ValueError(f"{where}.options: {error}") from None
    if latent_dim % count:
        raise ValueError(
            f"{where}.latent_dim: found {latent_dim}, expected a multiple of the "
            f"{count} cells that {network} has for {height}×{width} images"
        )


def load(path: Path = PARAMS) -> Params:
    """Read and validate params.yaml.

    Raises:
        UserError: naming the key, what was found and what was expected.
    """
    return validate(read(path), str(path))


def read(path: Path) -> dict[str, Any]:
    """Read a YAML mapping without validating it; raises UserError if it is none."""
    try:
        values = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    except (yaml.YAMLError, ValueError) as error:  # no text, or a date that there is not
        reason = str(error).replace('in "<unicode string>", line', "in line")
        raise UserError(f"{path}: not valid YAML ({reason})") from None
    if not isinstance(values, dict):
        raise UserError(f"{path}: found {type(values).__name__}, expected a mapping of parameters")
    return values


class _Loader(yaml.SafeLoader):
    """PyYAML's, without two things that it reads in silence.

    Of a key that stands in a mapping twice it would take the last value; and 010 is 8 to it and
    1:30 is 90, but 10 and a text to DVC, which would record a value that no stage has used.
    """

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        """Compose a mapping; what it merges (``<<``) is no part of it yet."""
        node: yaml.MappingNode = super().compose_mapping_node(anchor)
        found = set[tuple[str, str]]()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if (key.tag, key.value) in found:
                problem = f"the key {key.value!r} stands there twice"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=key.start_mark)
            found.add((key.tag, key.value))
        return node

    def construct_integer(self, node: yaml.ScalarNode) -> int:
        """An integer that DVC reads as the same."""
        value, written = int(self.construct_yaml_int(node)), node.value.replace("_", "")
        decimal = re.fullmatch(r"[+-]?\d+", written)
        if ":" in written or (decimal and int(written) != value):
            problem = f"{node.value} is {value} here, but not to DVC; write {value}, or put quotes"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
        return value


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_integer)


def validate(values: Mapping[str, Any], where: str) -> Params:
    """Check all values at once; `where` names the file in the error."""
    return check(Params, values, where)


def check(schema: type[Checked], values: Mapping[str, Any], where: str) -> Checked:
    """Check all values of a file with a schema of its own, e.g. a study's.

    Raises:
        UserError: naming the file `where`, the key, what was found and what was expected.
    """
    try:
        return schema.model_validate(values)
    except ValidationError as error:
        problems = [dict(problem) for problem in error.errors(include_url=False)]
        # A key that is missing may only be misspelt; the unknown one names it.
        problems.sort(key=lambda problem: problem["type"] == "missing")
        # A value that fits no branch of a union is one problem, told by as many as it has branches.
        place, value = _place(problems[0]), problems[0]["input"]
        first = [one for one in problems if _place(one) == place and one["input"] is value]
        more = len({tuple(_place(one)) for one in problems}) - 1
        told = f"{where}: {_explain(first, schema)}" + (f" (and {more} more)" if more else "")
        raise UserError(told) from None


def merge(base: Mapping[str, Any], overlay: Mapping[str, Any]) -> dict[str, Any]:
    """Lay `overlay` over `base`, mapping by mapping; other values replace."""
    merged = dict(base)
    for key, value in overlay.items():
        old = merged.get(key)
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        merged[key] = merge(old, value) if both else value  # type: ignore[arg-type]
    return merged


def without_runs(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a params.yaml, with no runs and no walks: for images that they do not fit."""
    runs: dict[str, Any] = {family: {} for family in values["runs"]}
    return {**values, "runs": runs, "interpolation": {**values["interpolation"], "runs": []}}


def _place(problem: Mapping[str, Any]) -> list[str]:
    """The keys that lead to a problem, as a person wrote them."""
    place = [str(part) for part in problem["loc"] if part != "[key]"]
    # A union's branches add their type names to the location.
    return [part for part in place if re.fullmatch(r"[\w.-]+", part) and part not in _BRANCHES]


def _explain(problems: list[dict[str, Any]], schema: type[BaseModel]) -> str:
    """In a line: the key of problems of one place, what was found, what was expected."""
    problem = problems[0]
    place = _place(problem)
    key, kind, found = ".".join(place), problem["type"], problem["input"]
    if kind == "extra_forbidden":
        name = str(problem["loc"][-1])
        section = place[:-1] if place[-1:] == [name] else place
        key = ".".join([*section, name])
        return f"{key}: unknown key{nearest(name, _known_keys(section, schema))}"
    if kind == "missing":
        return f"{key}: missing; the other keys are there, add this one"
    if kind == "value_error":
        text = str(problem["msg"]).removeprefix("Value error, ")
        return f"{key}: {text}" if key else text
    *others, last = dict.fromkeys(_expected(str(one["msg"])) for one in problems)
    expected = f"{', '.join(others)} or {last}" if others else last
    hint = _hint(found, expected)
    return f"{key}: found {found!r}, expected {expected}{hint}"


def _hint(found: object, expected: str = "") -> str:
    """In brackets, what to write where YAML made something else of what stands there."""
    if isinstance(found, str) and re.fullmatch(r"[+-]?(\d+(\.\d*)?|\.\d+)[eE][+-]?\d\d?", found):
        return f" (YAML reads {found} as text; write {Decimal(found):f})"
    if isinstance(found, bool) and expected == "a string":
        return " (YAML reads yes, no, on and off so; put a word in quotes)"
    return ""


def _expected(message: str) -> str:
    """What pydantic expects, without Python's names for it."""
    expected = message.replace("Keys should be strings", "a key that is text")
    expected = expected.replace("Input should be ", "").replace("a valid integer", "an integer")
    expected = expected.replace("a valid ", "a ")
    expected = expected.replace("a dictionary or instance of Scaled", "a pair {sample: …, full: …}")
    expected = re.sub(r"a dictionary( or instance of \w+)?", "a mapping", expected)
    expected = re.sub(r"^\w+ should have (.+?)( after validation, not \d+)?$", r"\1", expected)
    pattern = expected.removeprefix("String should match pattern ").strip("'")
    expected = IN_WORDS.get(pattern, expected)
    return expected.replace("String should match pattern", "text that matches")


_BRANCHES = {"bool", "int", "float", "str", "constrained-int", "Scaled", "nullable"}


def _known_keys(place: list[str], schema: type[BaseModel]) -> list[str]:
    """The keys that the schema allows at `place`."""
    section = schema
    for part in place:
        field = section.model_fields.get(part)
        if field is None:
            continue  # a key that the user chose: a data set's or a run's name
        inner = _section_in(field.annotation)
        if inner is None:
            return []
        section = inner
    return list(section.model_fields)


def _section_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for part in get_args(annotation):
        found = _section_in(part)
        if found is not None:
            return found
    return None


def nearest(name: str, known: Any) -> str:
    """``; did you mean '…'?`` for an unknown name, empty where none is close."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else ""
