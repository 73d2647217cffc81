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
from latent_atlas.config.schema import Params
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
        lines = ["run,metric,value,low,high", f"{name},valid_reconstruction,{100 + number},,"]
        lines += [f"{name},explained,0.25,,", f"{name},mig,0.5,0.4,0.6", f"{name},<i>,nan,,"]
        (tmp_path / "plots" / name / "metrics.csv").write_text("\n".join(lines))
        for picture in ("losses", "strip", "zebra"):
            pixels = np.full((4, 4, 3), number, dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "plots" / name / f"{picture}.png")
    (tmp_path / "metrics").mkdir()
    for chapter in CHAPTERS:
        (tmp_path / "plots" / chapter).mkdir()
        Image.new("RGB", (4, 4)).save(tmp_path / "plots" / chapter / "sheet.png")
        metrics = {"first": {"recall": 0.25}, "second": {"recall": 0.5}}
        (tmp_path / "metrics" / f"{chapter}.json").write_text(json.dumps(metrics))
        (tmp_path / "plots" / chapter / "metrics.csv").write_text(
            "run,metric,value,low,high\n"
            "first,recall,0.25,0.2,0.3\nsecond,recall,0.5,,\nthird,<lost>,2,,\n"
        )
    return tmp_path


def test_the_page_has_every_run_with_its_metrics_and_pictures(outputs: Path) -> None:
    page = render(PARAMS, VALUES, outputs)
    names = PARAMS.latent_run_names()
    for number, name in enumerate(names):
        assert f'<h2 id="{name}">' in page
        cells = f"<td>{100 + number}</td><td>0.25</td><td>–</td><td>–</td><td>–</td>"
        assert cells in page, "explained is beside the loss; what was not measured is a dash"
        part = page[page.index(f'<h2 id="{name}">') :]
        assert '<td>mig</td><td>0.5 <span class="quiet">[0.4, 0.6]</span></td>' in part
        assert "<td>&lt;i&gt;</td><td>nan</td>" in part
    assert page.count("data:image/png;base64,") == 3 * len(names) + len(CHAPTERS)
    first = page[page.index(f'<h2 id="{names[0]}">') :]
    assert first.index(": strip") < first.index(": losses") < first.index(": zebra")


def test_the_page_has_every_chapter_with_its_metrics_and_pictures(outputs: Path) -> None:
    page = render(PARAMS, VALUES, outputs)
    for chapter in CHAPTERS:
        part = page[page.index(f'<h2 id="{chapter}">') :]
        assert f'alt="{chapter}: sheet"' in part
        head, _, details = part.partition("<details>")
        recall = '<td>recall</td><td>0.25 <span class="quiet">[0.2, 0.3]</span></td><td>0.5</td>'
        assert "<th>first</th><th>second</th></tr>" in head
        assert f"{recall}</tr>" in head
        assert "lost" not in head
        assert "<th>first</th><th>second</th><th>third</th></tr>" in details
        assert f"{recall}<td>–</td></tr>" in details
        assert "<td>&lt;lost&gt;</td><td>–</td><td>–</td><td>2</td></tr>" in details


TASK = {"from": {"sleeve_length": "short"}, "to": {"sleeve_length": "long"}}
RUN = {"data": "clothes", "model": "cyclegan", "task": TASK}


@pytest.fixture
def translated(outputs: Path) -> tuple[Params, Path]:
    """Two translation runs, of which ``sleeves`` has been scored and ``later`` has not."""
    runs = {"translation": {"sleeves": RUN, "later": RUN}}
    params = reading.validate(reading.merge(VALUES, {"runs": runs}), "params.yaml")
    folder = outputs / "plots" / "sleeves"
    folder.mkdir()
    Image.new("RGB", (4, 4)).save(folder / "sheet.png")
    (outputs / "metrics" / "sleeves.json").write_text('{"sleeves": {"success": 0.75}}')
    (folder / "metrics.csv").write_text(
        "run,metric,value,low,high\nsleeves,success,0.75,0.7,0.8\nsleeves,l1,0.1,,\n"
    )
    (folder / "scores.csv").write_text(
        "model,attribute,metric,value,low,high\n"
        "sleeves,sleeve_length long,success,0.5,,\nsleeves,all,success,0.75,0.7,0.8\n"
        "nothing,all,success,0,,\n"
    )
    return params, outputs


def test_a_translation_run_has_sheet_headline_and_folded_scores(
    translated: tuple[Params, Path],
) -> None:
    params, root = translated
    page = render(params, VALUES, root)
    assert '<h2 id="later">' not in page
    part = page[page.index('<h2 id="sleeves">') :]
    assert "<p>sleeves: cyclegan, sleeve_length short to sleeve_length long, 7 epochs" in part
    assert 'alt="sleeves: sheet"' in part
    head, first, second = part.split("<details>")[:3]
    cell = '<td>success</td><td>0.75 <span class="quiet">[0.7, 0.8]</span></td>'
    assert cell in head and "<td>l1</td>" not in head
    assert "<td>l1</td><td>0.1</td>" in first
    assert "<th>sleeves</th><th>nothing</th></tr>" in second
    assert "<td>sleeve_length long: success</td><td>0.5</td><td>–</td>" in second
    assert f"{cell}<td>0</td>" in second


def test_a_translation_run_without_scores_is_named(translated: tuple[Params, Path]) -> None:
    params, root = translated
    (root / "plots" / "sleeves" / "scores.csv").unlink()
    with pytest.raises(UserError, match=r"scores\.csv: missing; make it with `dvc repro`"):
        render(params, VALUES, root)


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
    (outputs / "metrics" / "products.json").write_text("<<<<<<< HEAD\n{}")  # of a merge
    with pytest.raises(UserError, match=r"products.json: not valid JSON \(.*\); make it with"):
        render(PARAMS, VALUES, outputs)
    (outputs / "metrics" / "products.json").unlink()
    with pytest.raises(UserError, match=r"products.json: missing; make it with `dvc repro`"):
        render(PARAMS, VALUES, outputs)
    table = outputs / "plots" / "circles_vae" / "metrics.csv"
    table.write_text("<<<<<<< HEAD\nrun,metric\n")
    with pytest.raises(UserError, match=r"metrics.csv: found no column 'run'; make it with"):
        render(PARAMS, VALUES, outputs)
    table.unlink()
    with pytest.raises(UserError, match=r"metrics.csv: missing; make it with `dvc repro`"):
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
