"""The registry of charts: every line names a function that draws an outcome into a folder."""

from __future__ import annotations

import inspect

import pytest

from latent_atlas.config.charts import CHARTS, function_of, modules_of_charts
from latent_atlas.studies.plan import Study
from latent_atlas.util.imports import path_of


@pytest.mark.parametrize("chart", CHARTS)
def test_a_chart_is_a_function_of_an_outcome_and_a_folder(chart: str) -> None:
    assert list(inspect.signature(function_of(chart)).parameters) == ["outcome", "folder"]


@pytest.mark.parametrize("chart", CHARTS)
def test_a_chart_needs_keys_that_a_study_may_leave_out(chart: str) -> None:
    for key in CHARTS[chart].keys:
        assert not Study.model_fields[key].is_required()


def test_modules_of_charts_are_sorted_and_exist() -> None:
    modules = modules_of_charts(CHARTS)
    assert modules == sorted(set(modules))
    assert all(path_of(module) is not None for module in modules)
    assert modules_of_charts(["mesh", "scatter"]) == ["latent_atlas.studies.charts.latent_plane"]
