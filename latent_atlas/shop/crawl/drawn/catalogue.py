"""Catalogue of the drawn shop: products with texts in two languages, photos and true attributes.

Everything follows from a count and a seed. The words are those of real shops, chosen independently
of the vocabulary that later reads them.
"""

from __future__ import annotations

import io
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from latent_atlas.data.synthetic.registry import DRAWINGS
from latent_atlas.shop.crawl.drawn import photos

HOST = "laden.localhost"
PHOTO_HOST = f"bilder.{HOST}"
ATTRIBUTES = ("category", "color", "length", "sleeve_length", "fit", "pattern", "neckline")
FORMS = (
    "plain",
    "type_list",
    "graph",
    "image_objects",
    "trailing_commas",
    "cdata",
    "raw_newlines",
    "comment",
    "group",
    "main_entity",
    "microdata",
    "opengraph",
)

_NOUNS: dict[str, dict[str, tuple[str, ...]]] = {
    "de": {
        "blouses": ("Bluse", "Hemdbluse", "Chiffonbluse"),
        "dresses": ("Kleid", "Jerseykleid", "Sommerkleid"),
        "jackets": ("Jacke", "Übergangsjacke", "Blouson"),
        "knitwear": ("Pullover", "Strickpullover", "Feinstrickpullover"),
        "pants": ("Hose", "Stoffhose", "Stretch-Hose"),
        "skirts": ("Rock", "Jerseyrock", "Sommerrock"),
        "tops": ("Shirt", "Top", "Jerseyshirt"),
    },
    "en": {
        "blouses": ("Blouse", "Chiffon Blouse", "Satin Blouse"),
        "dresses": ("Dress", "Jersey Dress", "Summer Dress"),
        "jackets": ("Jacket", "Light Jacket", "Casual Jacket"),
        "knitwear": ("Jumper", "Knitted Jumper", "Sweater"),
        "pants": ("Trousers", "Stretch Trousers", "Pants"),
        "skirts": ("Skirt", "Jersey Skirt", "Summer Skirt"),
        "tops": ("Top", "Jersey Top", "T-Shirt"),
    },
}
_SECTIONS = {
    "de": dict(
        zip(
            ("blouses", "dresses", "jackets", "knitwear", "pants", "skirts", "tops"),
            ("Blusen", "Kleider", "Jacken", "Strickmode", "Hosen", "Röcke", "Shirts & Tops"),
            strict=True,
        )
    ),
    "en": dict(
        zip(
            ("blouses", "dresses", "jackets", "knitwear", "pants", "skirts", "tops"),
            ("Blouses", "Dresses", "Jackets", "Knitwear", "Trousers", "Skirts", "Tops & T-Shirts"),
            strict=True,
        )
    ),
}
_KEYS = {
    "de": {
        "color": "Farbe",
        "length": "Länge",
        "sleeve_length": "Ärmellänge",
        "fit": "Passform",
        "pattern": "Muster",
        "neckline": "Ausschnitt",
    },
    "en": {
        "color": "Colour",
        "length": "Length",
        "sleeve_length": "Sleeve length",
        "fit": "Fit",
        "pattern": "Pattern",
        "neckline": "Neckline",
    },
}
_WORDS: dict[str, dict[str, dict[str, tuple[str, ...]]]] = {
    "de": {
        "color": {
            "beige": ("beige", "sand", "creme"),
            "black": ("schwarz", "tiefschwarz"),
            "blue": ("blau", "dunkelblau", "royalblau"),
            "gray": ("grau", "hellgrau", "steingrau"),
            "green": ("grün", "tannengrün", "dunkelgrün"),
            "pink": ("rosa", "pink", "altrosa"),
            "red": ("rot", "dunkelrot", "kirschrot"),
            "white": ("weiß", "reinweiß"),
            "yellow": ("gelb", "sonnengelb", "senfgelb"),
        },
        "length": {
            "3-4": ("3/4-lang", "wadenlang"),
            "knee": ("knielang", "knieumspielend"),
            "long": ("lang",),
            "normal": ("normal", "hüftlang"),
            "short": ("kurz",),
        },
        "sleeve_length": {
            "half": ("Halbarm", "3/4-Arm"),
            "long": ("Langarm", "lange Ärmel"),
            "short": ("Kurzarm", "kurze Ärmel"),
            "sleeveless": ("ärmellos", "ohne Ärmel"),
        },
        "fit": {
            "loose": ("weit geschnitten", "locker", "Loose Fit"),
            "normal": ("gerade", "Regular Fit", "normal"),
            "tight": ("tailliert", "Slim Fit", "figurbetont"),
        },
        "pattern": {
            "floral": ("Blumenmuster", "geblümt"),
            "lace": ("Spitze",),
            "polkadots": ("gepunktet", "Punkte"),
            "print": ("Allover-Print", "bedruckt"),
            "stripes": ("gestreift", "Streifen"),
            "unicolors": ("einfarbig", "uni"),
        },
        "neckline": {
            "back": ("Rückenausschnitt",),
            "deep": ("tiefer Ausschnitt",),
            "lines": ("geschnürt",),
            "round": ("Rundhals", "runder Ausschnitt"),
            "v": ("V-Ausschnitt",),
            "wide": ("U-Boot-Ausschnitt", "weiter Ausschnitt"),
        },
    },
    "en": {
        "color": {
            "beige": ("beige", "sand", "cream"),
            "black": ("black", "jet black"),
            "blue": ("blue", "royal blue", "dark blue"),
            "gray": ("grey", "light grey"),
            "green": ("green", "dark green", "bottle green"),
            "pink": ("pink", "light pink"),
            "red": ("red", "dark red"),
            "white": ("white", "pure white"),
            "yellow": ("yellow", "mustard"),
        },
        "length": {
            "3-4": ("3/4 length", "calf length"),
            "knee": ("knee length", "knee"),
            "long": ("long", "full length"),
            "normal": ("regular", "hip length"),
            "short": ("short", "cropped"),
        },
        "sleeve_length": {
            "half": ("half sleeve", "3/4 sleeve"),
            "long": ("long sleeve", "long sleeves"),
            "short": ("short sleeve", "short sleeves"),
            "sleeveless": ("sleeveless", "no sleeves"),
        },
        "fit": {
            "loose": ("loose fit", "relaxed", "oversized"),
            "normal": ("regular fit", "straight cut"),
            "tight": ("slim fit", "fitted", "tight"),
        },
        "pattern": {
            "floral": ("floral", "flowers"),
            "lace": ("lace",),
            "polkadots": ("polka dots", "dotted"),
            "print": ("all-over print", "printed"),
            "stripes": ("striped", "stripes"),
            "unicolors": ("plain", "solid colour"),
        },
        "neckline": {
            "back": ("open back", "low back"),
            "deep": ("deep neckline", "plunge"),
            "lines": ("lace-up", "criss-cross"),
            "round": ("crew neck", "round neck"),
            "v": ("V-neck",),
            "wide": ("boat neck", "wide neck"),
        },
    },
}
_BRANDS = ("Atelier Nord", "Weiß & Söhne", "Rosa Linde", "Blue Harbour", "Kante", "Fjord & Field")
_NAMES = ("Anna", "Bella", "Clara", "Dora", "Emma", "Frieda", "Greta", "Hanna", "Ida", "Juna")


@dataclass(frozen=True)
class PhotoFile:
    """A photo file of the shop.

    Attributes:
        url: absolute URL.
        kind: ``packshot``, ``front``, ``back``, ``detail``, ``cropped``, ``busy``, ``small``,
            ``two`` or ``duplicate``.
        content: bytes of the file.
    """

    url: str
    kind: str
    content: bytes


@dataclass
class Offer:
    """A product of the shop.

    Attributes:
        number: its position in the catalogue, from 0.
        sku: the shop's number of the product.
        language: of its texts, ``de`` or ``en``.
        url: absolute URL of its page.
        name: its title.
        brand: its brand.
        description: running text.
        properties: key and value of each listed attribute.
        section: category, by its name in the schema.
        truth: the drawn values of `ATTRIBUTES`.
        form: form of the data on its page, one of `FORMS`.
        photos: its photos, in the page's order.
        open: whether robots.txt allows its page.
    """

    number: int
    sku: str
    language: str
    url: str
    name: str
    brand: str
    description: str
    properties: list[tuple[str, str]]
    section: str
    truth: dict[str, str]
    form: str
    photos: list[PhotoFile] = field(default_factory=list)
    open: bool = True


@dataclass(frozen=True)
class Catalogue:
    """All products of the shop; see `draw_catalogue`."""

    offers: list[Offer]

    def truth(self) -> pd.DataFrame:
        """The result of a perfect crawl: one row per product that may be fetched, sorted by SKU.

        Columns: sku, url, language, form, name, brand, description, properties (``key: value``),
        the drawn attributes, and URL and kind of each photo.
        """
        rows: list[dict[str, Any]] = [
            {
                "sku": offer.sku,
                "url": offer.url,
                "language": offer.language,
                "form": offer.form,
                "name": offer.name,
                "brand": offer.brand,
                "description": offer.description,
                "properties": [f"{key}: {value}" for key, value in offer.properties],
                **offer.truth,
                "photo_urls": [photo.url for photo in offer.photos],
                "photo_kinds": [photo.kind for photo in offer.photos],
            }
            for offer in self.offers
            if offer.open
        ]
        rows.sort(key=_sku)
        return pd.DataFrame(rows)


def draw_catalogue(count: int, seed: int) -> Catalogue:
    """Draw the products of a shop.

    Args:
        count: number of products; robots.txt forbids every fiftieth.
        seed: of all random choices.
    """
    factors = DRAWINGS["garments"].factors(count, seed)
    offers = [_offer(number, row, seed) for number, row in enumerate(factors.to_dict("records"))]
    _add_photos(offers, factors, seed)
    return Catalogue(offers)


def _sku(row: Mapping[str, Any]) -> str:
    return str(row["sku"])


def _offer(number: int, row: Mapping[Hashable, Any], seed: int) -> Offer:
    rng = np.random.default_rng([seed, number, 1])
    language = ("de", "en")[number % 2]
    truth = {column: str(row[column]) for column in ATTRIBUTES}
    noun = _pick(rng, _NOUNS[language][truth["category"]])
    words = {
        column: _pick(rng, _WORDS[language][column][truth[column]])
        for column in ATTRIBUTES[1:]
        if truth[column] in _WORDS[language][column]
    }
    # Two products in five have no colour in their text, as in shops that show coloured swatches.
    if number % 5 in (1, 3):
        del words["color"]
    in_text = {column for column in ("neckline", "sleeve_length") if rng.random() < 0.25}
    details = ", ".join(
        words[column] for column in ("neckline", "sleeve_length") if column in in_text & {*words}
    )
    name = f"{noun} {_pick(rng, _NAMES)}"
    opening = "Angenehm zu tragen" if language == "de" else "A pleasure to wear"
    sku = f"{'LD' if language == 'de' else 'LE'}-{10_000 + number}"
    hidden = number % 50 == 49
    folder = "intern" if hidden else "p"
    return Offer(
        number=number,
        sku=sku,
        language=language,
        url=f"http://{HOST}/{language}/{folder}/{sku.lower()}.html",
        name=name,
        brand=_BRANDS[number % len(_BRANDS)],
        description=f"{opening}. Details: {details}." if details else f"{opening}.",
        properties=[
            (_KEYS[language][column], word)
            for column, word in words.items()
            if column not in in_text
        ],
        section=truth["category"],
        truth=truth,
        form=FORMS[number // 2 % len(FORMS)],
        open=not hidden,
    )


def _pick(rng: np.random.Generator, words: tuple[str, ...]) -> str:
    return words[int(rng.integers(len(words)))]


def section_name(language: str, section: str) -> str:
    """The shop's name of a category."""
    return _SECTIONS[language][section]


def _add_photos(offers: list[Offer], factors: pd.DataFrame, seed: int) -> None:
    """Give every offer its photos in random order."""
    good = photos.draw_packshots(factors)
    product_photos = {
        number: ("packshot", Image.fromarray(good[number])) for number in range(len(offers))
    }
    for position, kind in enumerate(photos.FAULTY_KINDS):
        numbers = [offer.number for offer in offers if offer.number % 24 == 6 + 5 * position]
        pictures = photos.draw_faulty(kind, factors.iloc[numbers], seed)
        product_photos |= {n: (kind, picture) for n, picture in zip(numbers, pictures, strict=True)}
    models = {kind: photos.draw_worn(kind, factors, seed) for kind in photos.WORN_KINDS}
    models["detail"] = [Image.fromarray(picture) for picture in photos.draw_details(factors)]
    for offer in offers:
        rng = np.random.default_rng([seed, offer.number, 2])
        own = [(kind, models[kind][offer.number]) for kind in photos.MODEL_KINDS]
        keep = 4 if rng.random() < 0.6 else 3
        chosen = [own[position] for position in rng.permutation(4)[:keep]]
        # The product photo is mostly the first one, as in real shops.
        chosen.insert(
            0 if rng.random() < 0.75 else int(rng.integers(1, keep + 1)),
            product_photos[offer.number],
        )
        host = PHOTO_HOST if offer.number % 48 == 13 else HOST
        offer.photos = [
            PhotoFile(
                f"http://{host}/fotos/{offer.sku.lower()}-{position}.jpg", kind, _jpeg(picture)
            )
            for position, (kind, picture) in enumerate(chosen)
        ]
    for offer in offers[20::40]:
        _copy_packshot(offer, offers[offer.number - 2])


def _copy_packshot(offer: Offer, other: Offer) -> None:
    """Replace the product photo of `offer` by that of another one, a common mistake of shops."""
    copied = next(
        photo for photo in other.photos if photo.kind in ("packshot", *photos.FAULTY_KINDS)
    )
    offer.photos = [
        PhotoFile(photo.url, "duplicate", copied.content)
        if photo.kind in ("packshot", *photos.FAULTY_KINDS)
        else photo
        for photo in offer.photos
    ]


def _jpeg(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=92, subsampling=0)
    return buffer.getvalue()
