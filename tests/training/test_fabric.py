"""Device and environment of a training."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from latent_atlas.config.runs import Run
from latent_atlas.training.fabric import environment, make_fabric
from latent_atlas.util.console import FieldError


def test_an_accelerator_that_is_absent_is_refused(make_run: Callable[..., Run]) -> None:
    if torch.backends.mps.is_available():
        pytest.skip("this machine has an MPS device")
    with pytest.raises(FieldError, match=r"^accelerator: found 'mps', which cannot be used here"):
        make_fabric(make_run(train={"accelerator": "mps"}).train)


def test_the_environment_names_software_and_hardware(make_run: Callable[..., Run]) -> None:
    values = environment(make_fabric(make_run().train))
    assert values["torch"] == str(torch.__version__)
    assert values["device"] == "cpu"
    assert values["processes"] == 1
    assert values["threads"] == torch.get_num_threads()
