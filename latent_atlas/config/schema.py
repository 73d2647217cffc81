"""The schema of params.yaml: every section but the runs, and the whole file.

The file is validated as a whole before a stage does anything. An unknown key is refused with the
nearest known name.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from latent_atlas.config.messages import RENAMED, did_you_mean
from latent_atlas.config.registry import MODELS, TRANSLATORS
from latent_atlas.config.runs import (
    BaseRun,
    LossWeights,
    ModelSpec,
    Run,
    Runs,
    TrainSpec,
)
from latent_atlas.config.section import (
    PROXY,
    SHA256,
    Contact,
    Name,
    NonNegative,
    PerScale,
    Positive,
    RecipeName,
    Scale,
    Scaled,
    Section,
    Seed,
    Share,
    of_recipe,
)
from latent_atlas.config.translation import TranslationModel, TranslationRun, TranslationSpec
from latent_atlas.util.arithmetic import Arithmetic
from latent_atlas.util.console import UserError

SHOP = "shop"
"""The image store that the stage `products` makes, beside those under ``data``."""

WORN = "shop_worn"
"""The image store that the stage `model_photos` makes: model photos with the ids of `SHOP`."""

_TAKEN = (SHOP, WORN, "products", "crawl")
"""Folders of `data/` that the stages `scrape`, `products` and `model_photos` write."""

_OLD_DATA = ("fashion", "art", "coco")
"""Former names of data sets, which have new ones in `RENAMED`."""

LICENCES = {
    "drawn:": "CC0-1.0",
    "sklearn:digits": "BSD-3-Clause (scikit-learn), UCI optical recognition of handwritten digits",
}
"""Prefix of a source → the licence of its images, where it is known."""

MIN_REFERENCE = 10
"""Smallest number of reference images; the distance to them is a mean over the nearest five."""

MIN_CLASSIFIER_IMAGES = 20
"""Smallest number of scenes for the object classifier, of which a fifth is held out for testing."""

TRANSLATED_SIDES = (32, 256)
"""Shortest and longest side of the images of translation models, in pixels."""

Side = Annotated[int, Field(ge=16, le=4096)]

ValidShare = Annotated[float, Field(ge=0, lt=1)]

PositiveFloat = Annotated[float, Field(gt=0)]

Text = Annotated[str, Field(min_length=1)]


class TableSource(Section):
    """Columns of a CSV beside a folder of images.

    Attributes:
        file: column with the names of the images.
        label: column with their labels.
    """

    file: str = "filename"
    label: str = "style"


class CocoSource(Section):
    """Choice of COCO images, and further rows made of each.

    Attributes:
        min_boxes: smallest number of boxes in an image.
        min_side: shorter side of an image in pixels, at least.
        flips: add the mirrored image.
        crops: number of random crops to add.
    """

    min_boxes: Annotated[int, Field(ge=0)] = 4
    min_side: Annotated[int, Field(ge=0)] = 200
    flips: bool = True
    crops: Annotated[int, Field(ge=0)] = 0


class DataSet(Section):
    """One image store: its source and its form.

    Attributes:
        source: ``drawn:<name>``, ``sklearn:digits``, ``torchvision:<name>``, or a path or URL of a
            folder, archive, npz, CSV, COCO json or IDX file.
        height: of the stored images, in pixels.
        width: of the stored images, in pixels.
        channels: 1 (grey) or 3 (RGB).
        fit: treatment of images with another aspect ratio.
        valid_share: share of images for validation, where the source has no splits of its own.
        count: number of images to draw; for drawn sources only.
        classes: keep only these classes, or this number of the largest ones; null keeps all.
        limit: keep at most this number of images of a source that is not drawn; null keeps all.
        licence: of the images, for the data card. Null takes the known licence of a drawn or
            bundled source, else ``unknown``.
        sha256: checksum of a downloaded file; null does not check it.
        size: size of a downloaded file in bytes; null does not check it.
        table: columns of a CSV source.
        coco: choice of images of a COCO source.
    """

    source: Text
    height: Side
    width: Side
    channels: Literal[1, 3] = 3
    fit: Literal["crop", "pad", "stretch"] = "crop"
    valid_share: ValidShare = 0.1
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
        """`licence`, or the known licence of this kind of source."""
        kinds = (kind for kind in LICENCES if self.source.startswith(kind))
        return self.licence or next((LICENCES[kind] for kind in kinds), "unknown")

    @model_validator(mode="after")
    def _count_for_drawn(self) -> DataSet:
        if self.source.startswith("drawn:") and self.count is None:
            raise ValueError(f"source {self.source!r} is drawn and needs a count")
        return self


class Evaluate(Section):
    """Metrics and pictures of a trained model.

    Attributes:
        batch_size: images per batch; changes no result.
        active_threshold: a latent is active if the variance of its posterior mean over the
            validation images is larger (Burda et al. 2016, section 5.2).
        examples: pairs in a strip, and images per class.
        samples: random samples beside decoder(0).
        traversal: a latent is varied from −traversal to +traversal; at β = 0, in standard
            deviations of its codes.
        steps: columns of a traversal.
        mesh: rows and columns of the mesh of a model with two latents.
        scatter: images per class in the scatter plot of a model with two latents.
        bins: bins of a latent or factor for mutual information.
        examine: compute all disentanglement metrics, not MIG and modularity only.
    """

    batch_size: Positive
    active_threshold: PositiveFloat
    examples: Positive
    samples: Positive
    traversal: PositiveFloat
    steps: Annotated[int, Field(ge=3)]
    mesh: Annotated[int, Field(ge=2)]
    scatter: Positive
    bins: Annotated[int, Field(ge=2)]
    examine: bool


class CrawlLimits(Section):
    """Limits of one run of a crawl; a later run continues where it ended.

    Attributes:
        pages: category and product pages.
        bytes: received bytes in all.
        page_bytes: bytes of one page, unpacked.
        image_bytes: bytes of one image file, unpacked.
        pixels: pixels of one image.
        seconds: duration of the run.
        answer_seconds: time from a request to the end of its answer.
        wait_seconds: longest pause that a server may ask for before the run ends.
    """

    pages: Positive
    bytes: Positive
    page_bytes: Positive
    image_bytes: Positive
    pixels: Positive
    seconds: PositiveFloat
    answer_seconds: PositiveFloat
    wait_seconds: PositiveFloat


class Scrape(Section):
    """The crawl of a shop.

    Attributes:
        shop: ``drawn`` for the shop that the stage draws and serves itself, or a shop file.
        contact: mail address or URL of the crawler's operator; required for every shop that is
            not on this machine.
        products: number of products that the drawn shop offers.
        retries: immediate repetitions of a failing request, before the second pass.
        retry_seconds: pause of a host after a failing answer; doubles with each retry.
        proxy: URL of a proxy; null uses none, whatever the environment says.
        shard_bytes: size of a shard of original images.
        limits: limits of one run of the crawl.
    """

    shop: Text
    contact: Contact | None
    products: Scaled
    retries: Annotated[int, Field(ge=0, le=10)]
    retry_seconds: PositiveFloat
    proxy: Annotated[str, Field(pattern=PROXY)] | None
    shard_bytes: Positive
    limits: CrawlLimits


class PhotoRules(Section):
    """Rules for the photo of a product (thesis, section 3.1.1).

    Attributes:
        min_side: shorter side in pixels.
        min_ground: brightness of the median colour of the border, for a bright background.
        max_ground_spread: share of the border that does not have the colour of the background.
        min_area: smallest share of the picture that is garment.
        max_area: largest share of the picture that is garment.
        max_second: area of the second largest part, as a share of the largest; rules out photos
            of several garments.
        max_skin: share of skin in the foreground.
        min_limbs: share of skin in an outer eighth of the foreground. Above it, the photo shows a
            person, unless the garment itself has the colour of skin, see ``limbs_ratio``.
        limbs_ratio: how many times the share of skin in the whole foreground that share must be.
            A garment with the colour of skin has it everywhere.
        near: mean difference in pixel values, 0 to 255, up to which two photos are the same.
    """

    min_side: Positive
    min_ground: Annotated[float, Field(ge=0, le=255)]
    max_ground_spread: Share
    min_area: Share
    max_area: Share
    max_second: Share
    max_skin: Share
    min_limbs: Share
    limbs_ratio: Annotated[float, Field(ge=1)]
    near: NonNegative


class Products(Section):
    """From the table of the crawl to the image store ``shop``.

    Attributes:
        height: of the stored images, in pixels; photos are padded with their background.
        width: of the stored images, in pixels.
        valid_share: share of images for validation.
        rules: rules for the photo of a product.
        backbone: name of the network whose features sort the model photos.
        clusters: number of kinds of model photos.
        examples: SHA-256 of two or three wanted photos, which choose the cluster. Without any, a
            rule on skin, garment area and symmetry chooses it.
    """

    height: Side
    width: Side
    valid_share: ValidShare
    rules: PhotoRules
    backbone: Text
    clusters: Annotated[int, Field(ge=2, le=100)]
    examples: list[Annotated[str, Field(pattern=SHA256)]]


class DeepCluster(Section):
    """Features learnt from the clusters of the features (Caron et al. 2018).

    Attributes:
        network: network for small images, see `latent_atlas.models.cluster_net`.
        width: factor on the number of feature maps.
        features: numbers in a feature vector.
        sobel: learn from edges only.
        quadrants: learn from quadrants in place of whole images.
        clusters: number of pseudo-labels.
        components: principal components of the whitened features that are clustered.
        iterations: iterations of k-means.
        epochs: passes over the training images.
        batch_size: images per step.
        learning_rate: learning rate of stochastic gradient descent with momentum.
    """

    network: Literal["alexnet", "vgg"]
    width: PositiveFloat
    features: Annotated[int, Field(ge=8)]
    sobel: bool
    quadrants: bool
    clusters: Scaled
    components: Positive
    iterations: Positive
    epochs: Scaled
    batch_size: Annotated[int, Field(ge=2)]
    learning_rate: PositiveFloat


class QuadrantNeighbours(Section):
    """Search for the images whose quadrants are most similar to those of each image.

    Attributes:
        backbone: ``deepcluster`` for the features that the stage deepcluster learnt from the same
            images, or a name that `latent_atlas.models.backbones.load` knows.
        tiles: 2 for quadrants, 3 for nine tiles.
        size: side to which quadrants are resized for the network; null takes the network's own.
        search: ``clusters`` searches within the cluster of each quadrant, as in the thesis;
            ``exact`` among all; ``ivf`` among all, with an inverted file.
        clusters: clusters of k-means, and lists of the inverted file.
        iterations: iterations of k-means.
        probes: lists that ``ivf`` visits.
        distinct: leave out images made from the same photograph (flips, crops).
        batch_size: images per batch; changes results by rounding only.
    """

    backbone: Text
    tiles: Literal[2, 3] = 2
    size: Side | None
    search: Literal["clusters", "exact", "ivf"]
    clusters: Scaled
    iterations: Positive
    probes: Positive
    distinct: bool
    batch_size: Positive


class Mixing(Section):
    """Metrics and pictures of mixed scenes, for the runs of the family ``scenes``.

    Attributes:
        mixes: number of validation images that are mixed.
        tau: a neighbour is taken up to this quantile of the distances, as in training.
        segments: exchange only the foreground of the quadrants.
        classifier_images: drawn scenes that the object classifier is trained on.
        backbone: network of the features for the object classifier and the distances.
        size: side to which pictures are resized for it.
        examples: mixes on a sheet.
    """

    mixes: Scaled
    tau: Share
    segments: bool = False
    classifier_images: Annotated[int, PerScale(MIN_CLASSIFIER_IMAGES)]
    backbone: Text
    size: Side
    examples: Positive


class Cartography(Section):
    """Analysis of the latent spaces of the family ``paintings``.

    Attributes:
        partitions: columns that divide the images into groups, beside the label.
        components: number of principal components in the tables.
        clusters: the smallest and the largest number of clusters; the silhouette chooses.
        neighbours: training codes whose labels predict that of an image.
        draws: random halves of the images, for the intervals of clusterings.
        resamples: bootstrap samples and permutations, for all other intervals and tests.
        mapped: largest number of images on a map.
        perplexity: perplexity of t-SNE.
        thumbnails: largest number of thumbnails along each side of a map.
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
    """Interpolation between codes.

    Attributes:
        pairs: random pairs of each style, and of each two styles.
        compared: random pairs that every kind of curve joins.
        steps: steps of a curve.
        long_steps: steps of a second curve between the farthest pairs.
        iterations: iterations of a geodesic.
        reference: training images that represent the data.
        neighbours: edges of a code in the graph of the data.
        auc_images: validation images for the AUC of the style loss.
        backbone: name of the network whose feature maps measure style and content.
        layers: block of the backbone → weight of its style loss.
        size: side to which images are resized for it; null takes the network's own.
        examples: number of pairs shown as strips of decoded images.
    """

    pairs: Scaled
    compared: Scaled
    steps: Annotated[int, Field(ge=4)]
    long_steps: Annotated[int, Field(ge=4)]
    iterations: Scaled
    reference: Annotated[int, PerScale(MIN_REFERENCE)]
    neighbours: Positive
    auc_images: Scaled
    backbone: Text
    layers: Annotated[dict[str, NonNegative], Field(min_length=1)]
    size: Side | None
    examples: Positive

    @model_validator(mode="after")
    def _long_is_longer(self) -> Interpolation:
        if self.long_steps <= self.steps:
            raise ValueError(
                f"long_steps: found {self.long_steps}, expected more than the {self.steps} of steps"
            )
        return self


class PipelineInterpolation(Interpolation):
    """Interpolation in the pipeline.

    Attributes:
        runs: names of runs; each is measured on its own data set.
    """

    runs: list[Name]


class Translation(Section):
    """Scores and pictures of the runs under ``runs.translation``.

    Attributes:
        images: largest number of validation images that are translated for each attribute, and of
            images that a generator makes.
        outputs: outputs per input, for the diversity of models that can draw several.
        classifier_epochs: passes over the training images for the attribute classifier.
        backbone: network of the features for feature distances and distribution scores.
        size: side to which pictures are resized for it.
        examples: columns of a sheet.
        vae: run whose attribute vectors are a baseline of the translation runs on the same data;
            null for none.
        resamples: bootstrap samples of the intervals.
    """

    images: Scaled
    outputs: Annotated[int, Field(ge=2)]
    classifier_epochs: Scaled
    backbone: Text
    size: Side
    examples: Positive
    vae: Name | None
    resamples: Annotated[int, Field(ge=20)]


class AllRuns(Runs):
    """The trainings of all families, and those of models that generate or translate images.

    Attributes:
        translation: models that generate or translate images.
    """

    translation: dict[Name, TranslationSpec]

    @model_validator(mode="after")
    def _names_once(self) -> AllRuns:
        others = {name: family for family, name, _ in self.items()}
        for name in self.translation:
            if name in others:
                raise ValueError(
                    f"run {name!r} is under 'translation' and under {others[name]!r}; rename one "
                    "of the two"
                )
        return self


class MetricOverride(Section):
    """Another direction or tolerance of metrics than their modules declare.

    Attributes:
        better: the direction of an improvement; null keeps the declared one.
        relative: changes up to this share of the old value are noise; null keeps the declared one.
    """

    better: Literal["lower", "higher", "either"] | None = None
    relative: NonNegative | None = None


class Params(Section):
    """The whole of params.yaml.

    Attributes:
        beta: β, the weight of the KL, of every run under ``runs.beta``.
        latent_dim: numbers in a code, of every run under ``runs.plain`` and ``runs.beta``.
        loss_weights: weights of the terms of a loss.
        seed: seed of all drawn data, trainings and analyses.
        scale: chosen number of every pair {sample: …, full: …}. ``sample`` takes minutes on two
            cores; ``full`` has more images and epochs.
        recipe: of all runs that set none: ``modern``, or ``published`` for the layers and the
            constant learning rate of the documents.
        arithmetic: ``portable`` gives the same bits on every x86-64 processor with AVX2;
            ``native`` is faster on newer ones.
        threads: threads of every process. Results depend on it, and not on the number of cores.
        data: name → image store.
        runs: all trainings.
        train: the training loop.
        evaluate: metrics and pictures of a trained model.
        scrape: the crawl of a shop.
        products: from the table of the crawl to the image store ``shop``.
        deepcluster: features learnt from clusters.
        neighbours: search for similar quadrants.
        mixing: metrics and pictures of mixed scenes.
        cartography: analysis of latent spaces.
        interpolation: interpolation between codes.
        translation: scores and pictures of generated and translated images.
        gate: name or pattern of metrics → override of their declared direction and tolerance.
    """

    beta: NonNegative
    latent_dim: Positive
    loss_weights: LossWeights
    seed: Seed
    scale: Scale
    arithmetic: Arithmetic
    threads: Annotated[int, Field(ge=1, le=64)]
    recipe: RecipeName
    data: dict[Name, DataSet]
    runs: AllRuns
    train: TrainSpec
    evaluate: Evaluate
    scrape: Scrape
    products: Products
    deepcluster: DeepCluster
    neighbours: QuadrantNeighbours
    mixing: Mixing
    cartography: Cartography
    interpolation: PipelineInterpolation
    translation: Translation
    gate: dict[str, MetricOverride]

    @field_validator("data", mode="before")
    @classmethod
    def _names_of_data(cls, data: object) -> object:
        """Refuse former names, and names of folders that other stages write."""
        for name in data if isinstance(data, dict) else ():
            if name in _OLD_DATA:
                raise ValueError(f"the data set {name!r} was renamed to {RENAMED[name]!r}")
            if name in _TAKEN:
                raise ValueError(
                    f"found {name!r}, but the folder data/{name} belongs to the crawl; "
                    "choose another name"
                )
        return data

    @model_validator(mode="after")
    def _runs_of_interpolation(self) -> Params:
        names = self.run_names()
        for number, name in enumerate(self.interpolation.runs):
            if name not in names:
                raise ValueError(
                    f"interpolation.runs.{number}: found {name!r}, "
                    f"expected one of {', '.join(names)}{did_you_mean(name, names)}"
                )
        return self

    @model_validator(mode="after")
    def _data_of_runs(self) -> Params:
        sizes = {name: (data.height, data.width) for name, data in self.data.items()}
        sizes[SHOP] = (self.products.height, self.products.width)
        for family, name, spec in self.runs.items():
            where = f"runs.{family}.{name}"
            if spec.data not in sizes:
                raise ValueError(
                    f"{where}.data: found {spec.data!r}, "
                    f"expected one of {', '.join(sizes)}{did_you_mean(spec.data, sizes)}"
                )
            latent_dim = spec.latent_dim or self.latent_dim
            spec.check_size(*sizes[spec.data], latent_dim, where, f"data {spec.data}")
            if self.train.patience is not None and MODELS[spec.model].rising:
                raise ValueError(
                    f"train.patience: found {self.train.patience}, but the loss of {where} rises "
                    f"while the capacity of {spec.model} grows, and would end it; set it to null"
                )
        return self

    @model_validator(mode="after")
    def _vae_of_translation(self) -> Params:
        names, vae = self.latent_run_names(), self.translation.vae
        if vae is not None and vae not in names:
            raise ValueError(
                f"translation.vae: found {vae!r}, expected null or one of "
                f"{', '.join(names)}{did_you_mean(vae, names)}"
            )
        return self

    @model_validator(mode="after")
    def _data_of_translations(self) -> Params:
        shapes: dict[str, tuple[int, int, int]] = {
            name: (one.height, one.width, one.channels) for name, one in self.data.items()
        }
        shapes[SHOP] = shapes[WORN] = (self.products.height, self.products.width, 3)
        for name, spec in self.runs.translation.items():
            _check_translation(f"runs.translation.{name}", spec, shapes)
            if self.train.patience is not None:
                raise ValueError(
                    f"train.patience: found {self.train.patience}, but the losses of "
                    f"runs.translation.{name} do not fall with better images, and would end it; "
                    "set it to null"
                )
        return self

    def data_set(self, name: str) -> DataSet:
        """Look up the data set `name`; raises UserError with the nearest name if there is none."""
        if name not in self.data:
            raise UserError(
                f"no data set {name!r} in params.yaml{did_you_mean(name, self.data)} "
                f"(there are {', '.join(self.data)})"
            )
        return self.data[name]

    def run(self, name: str) -> Run:
        """Resolve the run `name`; raises UserError with the nearest name if there is none."""
        runs = {key: (family, spec) for family, key, spec in self.runs.items()}
        if name not in runs:
            raise UserError(
                f"no run {name!r} in params.yaml{did_you_mean(name, runs)} "
                f"(there are {', '.join(runs)})"
            )
        family, spec = runs[name]
        entry = MODELS[spec.model]
        beta = self.beta if spec.beta is None else spec.beta
        recipe = spec.recipe or self.recipe
        train = {
            **dict(self.train),
            "batch_size": of_recipe(spec.batch_size or self.train.batch_size, recipe),
            "learning_rate": of_recipe(spec.learning_rate or self.train.learning_rate, recipe),
        }
        return Run.model_validate(
            {
                **{key: getattr(spec, key) for key in ModelSpec.model_fields},
                "name": name,
                "family": family,
                "latent_dim": spec.latent_dim or self.latent_dim,
                "beta": beta if entry.beta is None else entry.beta,
                "loss_weights": {term: getattr(self.loss_weights, term) for term in entry.weights},
                "recipe": recipe,
                "seed": self.seed,
                "epochs": spec.epochs or self.train.epochs,
                "train": train,
            }
        )

    def translation_run(self, name: str) -> TranslationRun:
        """Resolve the run `name` under ``runs.translation``; raises UserError if there is none."""
        specs = self.runs.translation
        if name not in specs:
            raise UserError(
                f"no run {name!r} under runs.translation in params.yaml{did_you_mean(name, specs)} "
                f"(there are {', '.join(specs) or 'none'})"
            )
        spec = specs[name]
        entry = TRANSLATORS[spec.model]
        train = {
            **dict(self.train),
            "batch_size": spec.batch_size or entry.batch_size,
            "learning_rate": spec.learning_rate or entry.learning_rate,
        }
        return TranslationRun.model_validate(
            {
                **{key: getattr(spec, key) for key in TranslationModel.model_fields},
                "name": name,
                "family": "translation",
                "recipe": "published",
                "seed": self.seed,
                "epochs": spec.epochs or self.train.epochs,
                "train": train,
            }
        )

    def training(self, name: str) -> BaseRun:
        """Resolve the run `name` of any kind; raises UserError if there is none."""
        every = [*self.run_names(), *self.runs.translation]
        if name not in every:
            raise UserError(
                f"no run {name!r} in params.yaml{did_you_mean(name, every)} "
                f"(there are {', '.join(every)})"
            )
        return self.translation_run(name) if name in self.runs.translation else self.run(name)

    def latent_run_names(self) -> list[str]:
        """The runs that the stage `evaluate` measures; other families have stages of their own."""
        others = ("scenes", "paintings")
        return [name for family, name, _ in self.runs.items() if family not in others]

    def run_names(self) -> list[str]:
        """All runs, in the order of the file."""
        return [name for _, name, _ in self.runs.items()]


def _check_translation(
    where: str, spec: TranslationSpec, shapes: dict[str, tuple[int, int, int]]
) -> None:
    """Raise ValueError unless the data sets of a translation run exist and suit each other."""
    used = {"data": spec.data}
    if spec.pairs is not None and spec.pairs.target is not None:
        used["pairs.target"] = spec.pairs.target
    for key, name in used.items():
        if name not in shapes:
            raise ValueError(
                f"{where}.{key}: found {name!r}, "
                f"expected one of {', '.join(shapes)}{did_you_mean(name, shapes)}"
            )
        height, width, channels = shapes[name]
        least, most = TRANSLATED_SIDES
        if min(height, width) < least or max(height, width) > most:
            raise ValueError(
                f"{where}.{key}: data {name} is {height}×{width}, expected sides from {least} to "
                f"{most} pixels; change height and width, or choose another data set"
            )
        if shapes[name] != shapes[spec.data]:
            raise ValueError(
                f"{where}.{key}: data {name} is {height}×{width}×{channels}, but data {spec.data} "
                f"is {'×'.join(map(str, shapes[spec.data]))}; give both the same size and channels"
            )
    if spec.pairs is not None and spec.pairs.input == "grey" and shapes[spec.data][2] == 1:
        raise ValueError(
            f"{where}.pairs.input: data {spec.data} is grey already; choose edges, or data with "
            "3 channels"
        )
