"""Images per second on loopback: the crawl in comparison with img2dataset, on the same images.

    python -m venv /tmp/i2d && /tmp/i2d/bin/pip install img2dataset==1.47.0
    python -m benchmarks.shop.images /tmp/i2d/bin/img2dataset --images 3000

Politeness is off: robots.txt allows everything, and there is no delay. Both programs get 16
connections. The crawl also reads the product pages, checks robots.txt, decodes each image and
records it in a transaction. img2dataset gets the list of URLs and re-encodes nothing. Rates follow
from the server's log between the first and the last image, so that they exclude the start. The
total time is printed beside them.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import subprocess
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from pathlib import Path

from benchmarks.shop import crawls
from latent_atlas.shop.crawl.drawn import catalogue

PER_PRODUCT = 5
CONNECTIONS = 16


def _serve(pipe: Connection, contents: list[bytes], images: int) -> None:
    """Serve a listing, product pages and images; send the log through `pipe` on request."""
    log: list[tuple[float, str]] = []
    products = images // PER_PRODUCT

    def reply(path: str) -> tuple[str, bytes]:
        parts = path.strip("/").split("/")
        if parts[0] == "i":
            return "image/jpeg", contents[int(parts[1][:-4]) % len(contents)] + parts[1].encode()
        if parts[0] == "p":
            first = int(parts[1]) * PER_PRODUCT
            links = [f"/i/{first + number}.jpg" for number in range(PER_PRODUCT)]
            node = {"@type": "Product", "sku": parts[1], "name": "Bluse", "image": links}
            script = f'<script type="application/ld+json">{json.dumps(node)}</script>'
            return "text/html", f'<html lang="de">{script}</html>'.encode()
        if parts[0] == "liste":
            links = [f'<a class="produkt" href="/p/{number}">x</a>' for number in range(products)]
            return "text/html", "".join(links).encode()
        return "text/plain", b"User-agent: *\nAllow: /\n"

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1

        def do_GET(self) -> None:
            kind, body = reply(self.path)
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            log.append((time.monotonic(), self.path))

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    pipe.send(server.server_address[1])
    while pipe.recv() == "log":
        pipe.send(list(log))
        log.clear()


def _rate(log: list[tuple[float, str]], prefix: str) -> float:
    """Requests per second for paths that begin with `prefix`."""
    times = [at for at, path in log if path.startswith(prefix)]
    return (len(times) - 1) / (max(times) - min(times))


def _crawl(folder: Path, root: str) -> int:
    shop = crawls.shop_file(
        folder, start=[f"{root}/liste"], sitemaps=[], product_urls="^/p/", next="a.none"
    )
    crawls.prepare(folder, shop, None)
    crawls.run(folder)
    card = json.loads((folder / "data/crawl/card.json").read_text())
    return int(card["images"])


def _img2dataset(program: str, folder: Path, root: str, images: int) -> int:
    urls = folder / "urls.txt"
    urls.write_text("".join(f"{root}/i/{number}.jpg\n" for number in range(images)))
    options = {
        "url_list": urls,
        "output_folder": folder / "out",
        "output_format": "webdataset",
        "processes_count": 1,
        "thread_count": CONNECTIONS,
        "resize_mode": "no",
        "skip_reencode": True,
        "number_sample_per_shard": 10_000,
    }
    arguments = [f"--{name}={value}" for name, value in options.items()]
    subprocess.run([program, *arguments], check=True, capture_output=True)
    stats = json.loads(next((folder / "out").glob("*_stats.json")).read_text())
    return int(stats["successes"])


def main() -> None:
    """Run both programs alternately, and print one line per run."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.shop.images",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("img2dataset")
    parser.add_argument("--images", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    offers = catalogue.draw_catalogue(24, 0).offers
    contents = [photo.content for offer in offers for photo in offer.photos]
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.Process(
        target=_serve, args=(theirs, contents, options.images), daemon=True
    )
    server.start()
    root = f"http://127.0.0.1:{ours.recv()}"
    for round_ in range(options.rounds):
        for name in ("crawl", "img2dataset"):
            with tempfile.TemporaryDirectory() as temporary:
                folder, began = Path(temporary), time.monotonic()
                if name == "crawl":
                    count = _crawl(folder, root)
                else:
                    count = _img2dataset(options.img2dataset, folder, root, options.images)
                wall = time.monotonic() - began
                ours.send("log")
                log = ours.recv()
                pages = f", {_rate(log, '/p/'):.0f} pages/s" if name == "crawl" else ""
                print(
                    f"round {round_ + 1}, {name}: {count} images, {_rate(log, '/i/'):.0f} images/s"
                    f"{pages}, {wall:.1f} s in total",
                    flush=True,
                )
    ours.send("end")
    server.join()


if __name__ == "__main__":
    main()
