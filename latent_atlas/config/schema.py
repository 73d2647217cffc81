"""The schema of params.yaml: every section but the runs, and the whole file.

The file is validated as a whole before a stage does anything. An unknown key is refused with the
did_you_mean known name.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from latent_atlas.config.messages import did_you_mean
from latent_atlas.config.registry import MODELS
from latent_atlas.config.runs import (
    LossWeights,
    Run,
    Runs,
    Train,
    check_cells,
    check_network,
    check_options,
)
from latent_atlas.config.section import (
    PROXY,
    SHA256,
    Contact,
    Name,
    Positive,
    Scale,
    Scaled,
    Section,
    Seed,
)
from latent_atlas.util.console import UserError

SHOP = "shop"
"""The image store that the stage `products` makes, beside those under ``data``."""

_TAKEN = (SHOP, "products", "crawl")
"""Folders of `data/` that the stages `scrape` and `products` write."""

LICENCES = {
    "drawn:": "CC0-1.0",
    "sklearn:digits": "BSD-3-Clause (scikit-learn), UCI optical recognition of handwritten digits",
}
"""What a source begins with → the licence of its images, where that is known without asking."""

MIN_REFERENCE = 10
"""Images that stand for the data: the distance from them is a mean over the did_you_mean five."""

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


class Mixing(Section):
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


class Interpolation(Section):
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
    def _long_is_longer(self) -> Interpolation:
        if self.long_steps <= self.steps:
            raise ValueError(
                f"long_steps: found {self.long_steps}, expected more than the {self.steps} of steps"
            )
        return self


class PipelineInterpolation(Interpolation):
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
    mixing: Mixing
    cartography: Cartography

    interpolation: PipelineInterpolation
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
                    f"expected one of {', '.join(names)}{did_you_mean(name, names)}"
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
                    f"expected one of {', '.join(sizes)}{did_you_mean(spec.data, sizes)}"
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
        """The data set `name`; raises UserError with the did_you_mean name if there is none."""
        if name not in self.data:
            raise UserError(
                f"no data set {name!r} in params.yaml{did_you_mean(name, self.data)} "
                f"(there are {', '.join(self.data)})"
            )
        return self.data[name]

    def run(self, name: str) -> Run:
        """The run `name`, resolved; raises UserError with the did_you_mean name if there is none."""
        runs = {key: (family, spec) for family, key, spec in self.runs.items()}
        if name not in runs:
            raise UserError(
                f"no run {name!r} in params.yaml{did_you_mean(name, runs)} (there are {', '.join(runs)})"
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
