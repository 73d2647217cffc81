"""Server of an independent shop system, django-oscar, with photos of clothes, on loopback.

It needs a separate environment, because the pipeline does not use Django:

    python -m venv /tmp/oscar
    /tmp/oscar/bin/pip install "django-oscar==4.2.1" sorl-thumbnail whoosh-reloaded
    /tmp/oscar/bin/python benchmarks/shop/oscar_shop.py IMAGES FOLDER --products 400 --port 8765

IMAGES contains one folder per class, for example `train/dress/…jpg`. FOLDER receives the database,
the media, ``offered.json`` (the products) and ``visits.jsonl`` (the request log).
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import socketserver
import sys
import time
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

# Category pages link the hats nevertheless.
ROBOTS = b"""\
User-agent: *
Disallow: /basket/
Disallow: /accounts/
Disallow: /*/reviews/
Disallow: /catalogue/hat-
"""
TITLES = {
    "dress": "Dress",
    "hat": "Hat",
    "longsleeve": "Longsleeve",
    "outwear": "Outwear",
    "pants": "Trousers",
    "shirt": "Shirt",
    "shoes": "Shoes",
    "shorts": "Shorts",
    "skirt": "Skirt",
    "t-shirt": "T-Shirt",
}


def configure(folder: Path) -> None:
    """Configure Django as in the documentation of Oscar, with SQLite and Whoosh."""
    os.environ["DJANGO_SETTINGS_MODULE"] = ""
    import oscar.defaults
    from django.conf import settings

    apps = [
        "django.contrib.admin",
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "django.contrib.messages",
        "django.contrib.staticfiles",
        "django.contrib.sites",
        "django.contrib.flatpages",
        "oscar.config.Shop",
        "oscar.apps.analytics.apps.AnalyticsConfig",
        "oscar.apps.checkout.apps.CheckoutConfig",
        "oscar.apps.address.apps.AddressConfig",
        "oscar.apps.shipping.apps.ShippingConfig",
        "oscar.apps.catalogue.apps.CatalogueConfig",
        "oscar.apps.catalogue.reviews.apps.CatalogueReviewsConfig",
        "oscar.apps.communication.apps.CommunicationConfig",
        "oscar.apps.partner.apps.PartnerConfig",
        "oscar.apps.basket.apps.BasketConfig",
        "oscar.apps.payment.apps.PaymentConfig",
        "oscar.apps.offer.apps.OfferConfig",
        "oscar.apps.order.apps.OrderConfig",
        "oscar.apps.customer.apps.CustomerConfig",
        "oscar.apps.search.apps.SearchConfig",
        "oscar.apps.voucher.apps.VoucherConfig",
        "oscar.apps.wishlists.apps.WishlistsConfig",
        "oscar.apps.dashboard.apps.DashboardConfig",
        "oscar.apps.dashboard.reports.apps.ReportsDashboardConfig",
        "oscar.apps.dashboard.users.apps.UsersDashboardConfig",
        "oscar.apps.dashboard.orders.apps.OrdersDashboardConfig",
        "oscar.apps.dashboard.catalogue.apps.CatalogueDashboardConfig",
        "oscar.apps.dashboard.offers.apps.OffersDashboardConfig",
        "oscar.apps.dashboard.partners.apps.PartnersDashboardConfig",
        "oscar.apps.dashboard.pages.apps.PagesDashboardConfig",
        "oscar.apps.dashboard.ranges.apps.RangesDashboardConfig",
        "oscar.apps.dashboard.reviews.apps.ReviewsDashboardConfig",
        "oscar.apps.dashboard.vouchers.apps.VouchersDashboardConfig",
        "oscar.apps.dashboard.communications.apps.CommunicationsDashboardConfig",
        "oscar.apps.dashboard.shipping.apps.ShippingDashboardConfig",
        "widget_tweaks",
        "haystack",
        "treebeard",
        "sorl.thumbnail",
        "django_tables2",
    ]
    processors = [
        "django.template.context_processors.debug",
        "django.template.context_processors.request",
        "django.contrib.auth.context_processors.auth",
        "django.contrib.messages.context_processors.messages",
        "oscar.apps.search.context_processors.search_form",
        "oscar.apps.checkout.context_processors.checkout",
        "oscar.apps.communication.notifications.context_processors.notifications",
        "oscar.core.context_processors.metadata",
    ]
    defaults = {
        name: getattr(oscar.defaults, name)
        for name in dir(oscar.defaults)
        if name.startswith("OSCAR")
    }
    settings.configure(
        **defaults,
        DEBUG=False,
        SECRET_KEY=secrets.token_hex(),
        ALLOWED_HOSTS=["127.0.0.1", "localhost"],
        ROOT_URLCONF=__name__,
        SITE_ID=1,
        INSTALLED_APPS=apps,
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.common.CommonMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.contrib.messages.middleware.MessageMiddleware",
            "oscar.apps.basket.middleware.BasketMiddleware",
        ],
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "APP_DIRS": True,
                "OPTIONS": {"context_processors": processors},
            }
        ],
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": str(folder / "shop.sqlite"),
                "ATOMIC_REQUESTS": False,
            }
        },
        HAYSTACK_CONNECTIONS={
            "default": {
                "ENGINE": "haystack.backends.whoosh_backend.WhooshEngine",
                "PATH": str(folder / "index"),
            }
        },
        AUTHENTICATION_BACKENDS=["django.contrib.auth.backends.ModelBackend"],
        STATIC_URL="/static/",
        MEDIA_URL="/media/",
        MEDIA_ROOT=str(folder / "media"),
        USE_TZ=True,
        LANGUAGE_CODE="en-gb",
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    )
    import django

    django.setup()


def __getattr__(name: str) -> Any:
    """Provide ``urlpatterns``, because this module is also Django's URL configuration."""
    if name != "urlpatterns":
        raise AttributeError(name)
    from django.apps import apps
    from django.conf import settings
    from django.urls import include, path, re_path
    from django.views.static import serve

    media = {"document_root": settings.MEDIA_ROOT}
    return [
        path("i18n/", include("django.conf.urls.i18n")),
        re_path(r"^media/(?P<path>.*)$", serve, media),
        path("", include(apps.get_app_config("oscar").urls[0])),
    ]


def add_products(images: Path, folder: Path, count: int) -> None:
    """Add `count` products, the same number per class."""
    from django.core.files import File
    from oscar.apps.catalogue.categories import create_from_breadcrumbs
    from oscar.core.loading import get_model

    product_class = get_model("catalogue", "ProductClass").objects.create(
        name="Clothes", requires_shipping=True, track_stock=False
    )
    partner = get_model("partner", "Partner").objects.create(name="Warehouse")
    country = get_model("address", "Country")
    country.objects.create(
        iso_3166_1_a2="DE", printable_name="Germany", name="Germany", is_shipping_country=True
    )
    offered = []
    each = -(-count // len(TITLES))
    for kind, title in TITLES.items():
        category = create_from_breadcrumbs(f"Clothing > {kind.capitalize()}")
        for number, path in enumerate(sorted(images.glob(f"*/{kind}/*.jpg"))[:each]):
            upc = f"{1000 + list(TITLES).index(kind)}-{number:05d}"
            product = get_model("catalogue", "Product").objects.create(
                product_class=product_class,
                title=f"{title} No. {number + 1}",
                upc=upc,
                description=f"<p>A {title.lower()} as <b>worn</b> &amp; photographed.</p>",
            )
            get_model("catalogue", "ProductCategory").objects.create(
                product=product, category=category
            )
            get_model("partner", "StockRecord").objects.create(
                product=product, partner=partner, partner_sku=upc, price=19
            )
            with path.open("rb") as file:
                get_model("catalogue", "ProductImage").objects.create(
                    product=product, original=File(file, name=f"{upc}.jpg")
                )
            offered.append(
                {"upc": upc, "title": product.title, "class": kind, "file": str(path.resolve())}
            )
    (folder / "offered.json").write_text(json.dumps(offered, indent=1))


class LoggedShop:
    """WSGI application that serves robots.txt, and logs every request with its bytes."""

    def __init__(self, shop: Any, log: Path) -> None:
        self._shop, self._log = shop, log

    def __call__(self, environ: dict[str, Any], start: Any) -> list[bytes]:
        """Answer one request."""
        status = ["200 OK"]

        def start_logged(line: str, headers: Any, *rest: Any) -> Any:
            status[0] = line
            return start(line, headers, *rest)

        if environ["PATH_INFO"] == "/robots.txt":
            start_logged("200 OK", [("Content-Type", "text/plain")])
            body = ROBOTS
        else:
            response = self._shop(environ, start_logged)
            body = b"".join(response)
            if hasattr(response, "close"):
                response.close()
        line = {"at": time.time(), "path": environ["PATH_INFO"], "query": environ["QUERY_STRING"]}
        line |= {"status": int(status[0][:3]), "bytes": len(body)}
        with self._log.open("a") as file:
            file.write(json.dumps(line) + "\n")
        return [body]


class Server(socketserver.ThreadingMixIn, WSGIServer):
    """Server with one thread per request."""

    daemon_threads = True
    request_queue_size = 64


class QuietHandler(WSGIRequestHandler):
    """Request handler without a log of its own; `LoggedShop` logs the requests."""

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""


def main() -> None:
    """Set up the shop if necessary, and serve it until interrupted."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("images", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--products", type=int, default=400)
    parser.add_argument("--port", type=int, default=8765)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    configure(options.folder)
    if not (options.folder / "offered.json").exists():
        (options.folder / "shop.sqlite").unlink(missing_ok=True)
        from django.core.management import call_command
        from django.db import transaction

        call_command("migrate", verbosity=0)
        with transaction.atomic():
            add_products(options.images, options.folder, options.products)
        call_command("rebuild_index", interactive=False, verbosity=0)
    from django.core.wsgi import get_wsgi_application

    app = LoggedShop(get_wsgi_application(), options.folder / "visits.jsonl")
    with make_server("127.0.0.1", options.port, app, Server, QuietHandler) as server:
        print(f"the shop is open at http://127.0.0.1:{server.server_port}/", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    sys.modules["oscar_shop"] = sys.modules[__name__]
    main()
