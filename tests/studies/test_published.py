"""Published values: CSV files that were written by hand."""

from __future__ import annotations

import pytest

from latent_atlas.studies import results
from latent_atlas.util.console import UserError
from tests.studies.conftest import PUBLISHED, Writer

HEAD = PUBLISHED.partition("\n")[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (PUBLISHED.replace("valid_latent", "kl"), "no column 'valid_latent'; expected the columns"),
        (
            f"{PUBLISHED}5.1,circles_mono,vae,1,3,1,2,3,4\n",
            "line 6: table 5.1, beta 1, latent_dim 3 is a second row of the same key; remove one",
        ),
        (PUBLISHED.replace("vae,4,3", "vae,4,three"), "line 4: latent_dim: found 'three', expecte"),
        (PUBLISHED.replace("vae,4,3", "vae,4,2.5"), "latent_dim: found .*2.5.*, expected a whole"),
        (PUBLISHED.replace("vae,4,3", "vae,,3"), "line 4: beta: found nothing, expected a number"),
        (
            PUBLISHED.replace("500", "about 5"),
            "line 2: train_generation: found 'about 5', expected a number",
        ),
        (
            PUBLISHED.replace("circles_mono,vae,4,3", ",vae,4,3"),
            "line 4: data: found nothing, expected a name",
        ),
        (PUBLISHED.replace("5.10", ""), "line 5: table: found nothing, expected a name"),
        (
            f"{HEAD}\n" + PUBLISHED.replace("\n", ",\n").partition("\n")[2],
            "rows have more cells than the header has names; remove",
        ),
    ],
)
def test_a_wrong_published_table_is_one_line(tiny: Writer, text: str, message: str) -> None:
    (tiny() / "published.csv").write_text(text)
    with pytest.raises(UserError, match=message) as error:
        results.read_published("tiny")
    assert "\n" not in str(error.value)


def test_a_missing_file_has_no_rows(tiny: Writer) -> None:
    tiny()
    table = results.read_published("tiny")
    assert table.empty
    assert "valid_reconstruction" in table


def test_columns_have_our_terms_and_table_numbers_stay_text(outcome: results.Outcome) -> None:
    assert outcome.published["table"].to_list() == ["5.1", "5.1", "5.1", "5.10"]
    assert outcome.published["valid_reconstruction"].to_list() == [510, 60, 80, 80]
    assert outcome.published["train_kl"].to_list() == [20, 29, 24, 24]
