"""Labelled products of a crawl: attributes from texts and pixels, own photo and model photo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import pandas as pd

from latent_atlas.config.schema import Products
from latent_atlas.models import backbones
from latent_atlas.shop.products import model_photos, product_photos, tables, vocabulary
from latent_atlas.shop.products.colours import with_measured_colours
from latent_atlas.shop.products.measured_photos import MeasuredPhotos, measure_photos
from latent_atlas.shop.products.model_photos import Choice
from latent_atlas.shop.products.shards import Shards
from latent_atlas.shop.products.vocabulary import Reading
from latent_atlas.util.console import FieldError, UserError

PHOTOS = "the column sha256 in data/products/photos.csv"


@dataclass(frozen=True)
class LabelledProducts:
    """The products of a crawl with all that was derived from their texts and photos.

    Attributes:
        table: one row per product, with the normalised columns, its own photo and
            ``color_source``: ``text``, ``pixels`` or ``""``.
        readings: what the vocabulary derived from each product's text.
        photos: one row per photo, with its verdict, its measures and its ``kind``, the number of
            the cluster; missing for a product's own photo.
        others: the photos that are not a product's own.
        choice: the clusters of `others`; None if there are none.
        fronts: the chosen model photo of each product, one row each.
    """

    table: pd.DataFrame
    readings: Sequence[Reading]
    photos: pd.DataFrame
    others: pd.DataFrame
    choice: Choice | None
    fronts: pd.DataFrame

    @property
    def unknown_words(self) -> pd.DataFrame:
        """The words that the vocabulary does not contain, see `tables.unknown_words`."""
        return tables.unknown_words(list(self.table["id"]), self.readings)


def label_products(
    crawl: pd.DataFrame, shards: Shards, settings: Products, seed: int
) -> LabelledProducts:
    """Derive attributes, own photo and model photo of each product.

    Args:
        crawl: the crawl's table of products.
        shards: its images.
        settings: rules for photos, backbone, number of clusters and examples.
        seed: of k-means and of a random backbone.

    Raises:
        FieldError: ``examples`` or ``backbone``, if the setting does not fit the crawl.
        UserError: if the crawl has no image.
    """
    readings = tables.read_products(crawl, vocabulary.load())
    photos = product_photos.photo_table(crawl)
    missing = sorted(set(settings.examples) - set(photos["sha256"]))
    if missing:
        raise FieldError(
            "examples",
            f"found {missing[0]}, expected a photo of the crawl; take values of {PHOTOS}",
        )
    try:
        backbone = backbones.load(settings.backbone, seed)
    except backbones.BackboneError as error:
        raise FieldError("backbone", str(error)) from None
    paths = list(dict.fromkeys(photos["path"]))
    if not paths:
        raise UserError("the crawl has no image, expected at least one; see data/crawl/ledger.csv")
    measured = measure_photos(paths, shards, backbone)
    photos = product_photos.with_verdicts(photos, measured, settings.rules)
    chosen = photos[photos["verdict"] == ""].drop_duplicates("id").set_index("id")
    values, sources = with_measured_colours(crawl["id"], readings, chosen["path"], shards)
    table = tables.product_table(product_photos.with_own_photo(crawl, chosen), values)
    others = photos[~photos["path"].isin(set(chosen["path"]))].drop_duplicates(["id", "path"])
    choice, fronts = _front_photos(others, measured, settings, seed)
    return LabelledProducts(
        table=table.assign(color_source=sources),
        readings=readings,
        photos=_with_measures(photos, measured, others, choice),
        others=others,
        choice=choice,
        fronts=fronts,
    )


def _front_photos(
    others: pd.DataFrame, measured: MeasuredPhotos, settings: Products, seed: int
) -> tuple[Choice | None, pd.DataFrame]:
    """Cluster the photos that are not a product's own, and choose one front view per product."""
    digests = list(others["sha256"])
    own = sorted(set(settings.examples) - set(digests))
    if own:
        raise FieldError(
            "examples",
            f"found {own[0]}, a product's own photo, which is not clustered, expected a photo with "
            f"a kind; take values of {PHOTOS}",
        )
    if others.empty:
        return None, others
    rows = measured.rows(others["path"])
    choice = model_photos.choose_kinds(
        measured.features[rows],
        [measured.measures[row] for row in rows],
        settings.clusters,
        [row for row, digest in enumerate(digests) if digest in settings.examples],
        seed,
    )
    return choice, model_photos.best_per_product(others, choice)


def _with_measures(
    photos: pd.DataFrame, measured: MeasuredPhotos, others: pd.DataFrame, choice: Choice | None
) -> pd.DataFrame:
    """Add the measures of each photo, and the number of its cluster as ``kind``."""
    rows = measured.rows(photos["path"])
    measures = pd.DataFrame([asdict(measured.measures[row]) for row in rows])
    table = pd.concat([photos.reset_index(drop=True), measures.round(4)], axis=1)
    kinds = {} if choice is None else dict(zip(others["path"], choice.clusters, strict=True))
    table["kind"] = photos["path"].map(kinds).astype("Int64").to_numpy()
    return table
