"""The report: complete, escaped, and without external references."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import vl_convert
from PIL import Image

from latent_atlas.config import reading
from latent_atlas.report import offline
from latent_atlas.report.page import read_chapters, render
from latent_atlas.util.console import UserError
from tests.conftest import ROOT

PARAMS = reading.load(ROOT / "params.yaml")
VALUES = reading.read(ROOT / "params.yaml")
CHAPTERS = (
    "products",
    "scenes-neighbours",
    "scenes-mixing",
    "paintings-cartography",
    "paintings-interpolation",
)


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    for name in [*PARAMS.data, "shop"]:
        (tmp_path / "data" / name).mkdir(parents=True)
        card = {
            "name": name,
            "source": "<script>alert(1)</script>",
            "licence": "CC0",
            "images": 3,
            "height": 32,
            "width": 32,
            "channels": 3,
            "classes": ["a"],
            "splits": {"train": {"images": 2}, "valid": {"images": 1}},
            "rejected": [{"origin": "a<b>.jpg", "reason": "truncated"}],
        }
        (tmp_path / "data" / name / "card.json").write_text(json.dumps(card))
    for number, name in enumerate(PARAMS.latent_run_names()):
        (tmp_path / "plots" / name).mkdir(parents=True)
        (tmp_path / "metrics").mkdir(exist_ok=True)
        metrics = {name: {"valid_reconstruction": 100.0 + number, "psnr": 20.0}}
        (tmp_path / "metrics" / f"{name}.json").write_text(json.dumps(metrics))
        for picture in ("losses", "strip", "zebra"):
            pixels = np.full((4, 4, 3), number, dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "plots" / name / f"{picture}.png")
    for chapter in CHAPTERS:
        (tmp_path / "plots" / chapter).mkdir()
        Image.new("RGB", (4, 4)).save(tmp_path / "plots" / chapter / "sheet.png")
        metrics = {"first": {"recall": 0.25}, "second": {"recall": 0.5, "<lost>": 2}}
        (tmp_path / "metrics" / f"{chapter}.json").write_text(json.dumps(metrics))
    return tmp_path


def test_the_page_has_every_run_with_its_metrics_and_pictures(outputs: Path) -> None:
    page = render(PARAMS, VALUES, outputs)
    names = PARAMS.latent_run_names()
    for number, name in enumerate(names):
        assert f'<h2 id="{name}">' in page
        assert f"<td>{100 + number}</td>" in page
    assert page.count("data:image/png;base64,") == 3 * len(names) + len(CHAPTERS)
    first = page[page.index(f'<h2 id="{names[0]}">') :]
    assert first.index(": strip") < first.index(": losses") < first.index(": zebra")


def test_the_page_has_every_chapter_with_its_metrics_and_pictures(outputs: Path) -> None:
    page = render(PARAMS, VALUES, outputs)
    for chapter in CHAPTERS:
        part = page[page.index(f'<h2 id="{chapter}">') :]
        assert f'alt="{chapter}: sheet"' in part
        assert "<th>first</th><th>second</th>" in part
        assert "<td>recall</td><td>0.25</td><td>0.5</td>" in part
        assert "<td>&lt;lost&gt;</td><td>–</td><td>2</td>" in part


def test_a_wide_picture_keeps_its_width_and_scrolls(outputs: Path) -> None:
    folder = outputs / "plots" / CHAPTERS[0]
    Image.new("RGB", (3019, 702)).save(folder / "strip.png")
    Image.new("RGB", (1920, 1260)).save(folder / "map.png")
    page = render(PARAMS, VALUES, outputs)
    (figure,) = re.findall(r'<figure class="wide"([^>]*)><img [^>]* alt="([^"]*)">', page)
    assert 'tabindex="0"' in figure[0]
    assert figure[1] == f"{CHAPTERS[0]}: strip"
    assert "figure.wide img { max-width: none; }" in page
    assert ".wide { overflow-x: auto; }" in page


def test_the_pictures_of_a_chapter_follow_its_order(outputs: Path) -> None:
    folder = outputs / "plots" / "paintings-interpolation"
    names = ["style_auc", "curves_inter", "extremes_a", "kinds", "strips_a"]
    names += ["curvature_dissolve", "more"]
    for name in names:
        Image.new("RGB", (4, 4)).save(folder / f"{name}.png")
    found = re.findall(r'alt="paintings-interpolation: ([^"]*)"', render(PARAMS, VALUES, outputs))
    assert found == [*names, "sheet"]


def test_numbered_pictures_are_in_the_order_of_their_numbers(outputs: Path) -> None:
    folder = outputs / "plots" / "products"
    names = ["kind-0", "kind-2", "kind-9", "kind-10", "kind-11"]
    for name in names:
        Image.new("RGB", (4, 4)).save(folder / f"{name}.png")
    found = re.findall(r'alt="products: ([^"]*)"', render(PARAMS, VALUES, outputs))
    assert found == [*names, "sheet"]


def test_a_second_data_set_gets_a_chapter_of_its_own(outputs: Path) -> None:
    for kind in ("plots", "metrics"):
        suffix = ".json" if kind == "metrics" else ""
        source = outputs / kind / f"paintings-cartography{suffix}"
        target = outputs / kind / f"clothes-cartography{suffix}"
        shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
    page = render(PARAMS, VALUES, outputs)
    headings = re.findall(r'<h2 id="([a-z]+-cartography)">', page)
    assert headings == ["clothes-cartography", "paintings-cartography"]


def test_every_chapter_has_a_text() -> None:
    for chapter in read_chapters():
        assert len(chapter.text.split()) > 10


def test_a_chapter_without_pictures_is_named(outputs: Path) -> None:
    (outputs / "plots" / CHAPTERS[0] / "sheet.png").unlink()
    with pytest.raises(UserError, match=f"{CHAPTERS[0]}: found no picture"):
        render(PARAMS, VALUES, outputs)


def test_every_value_is_escaped_and_nothing_external_is_loaded(outputs: Path) -> None:
    page = render(PARAMS, VALUES, outputs)
    assert "<script>" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "a&lt;b&gt;.jpg" in page
    references = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert references
    assert all(reference.startswith(("#", "data:image/png;base64,")) for reference in references)


def test_a_missing_output_is_named(outputs: Path) -> None:
    (outputs / "metrics" / "circles_vae.json").unlink()
    with pytest.raises(UserError, match=r"circles_vae.json: missing; make it with `dvc repro`"):
        render(PARAMS, VALUES, outputs)
    (outputs / "metrics" / "circles_vae.json").write_text("<<<<<<< HEAD\n{}")  # of a merge
    with pytest.raises(UserError, match=r"circles_vae.json: not valid JSON \(.*\); make it with"):
        render(PARAMS, VALUES, outputs)


def test_the_newest_vega_lite_5_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[str] = []

    def bundle(snippet: str, version: str) -> str:
        taken.append(version)
        return ""

    monkeypatch.setattr(offline, "TEMPLATE", tmp_path / "offline.html")
    monkeypatch.setattr(vl_convert, "get_vegalite_versions", lambda: ["5.8", "5.21", "5.14", "6.1"])
    monkeypatch.setattr(vl_convert, "javascript_bundle", bundle)
    offline.write_template()
    assert taken == ["5.21"]


def test_the_plots_page_carries_its_scripts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(offline, "TEMPLATE", tmp_path / "offline.html")
    offline.write_template()
    page = (tmp_path / "offline.html").read_text()
    assert "{plot_divs}" in page
    assert "{refresh_tag}" in page
    assert "{scripts}" not in page
    assert not re.search(r"<(script|link)[^>]+(src|href)=", page)
    assert page.count("</script>") == 1
    # A module would run after the plots that call it.
    assert 'type="module"' not in page
