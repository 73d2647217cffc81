"""Files of unfinished trainings: saving, restoring, fingerprints and damage."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning_fabric import Fabric

from latent_atlas.config.runs import Run
from latent_atlas.models.base import Stateful
from latent_atlas.training.fabric import make_fabric
from latent_atlas.training.resume import ResumeFile, fingerprint
from latent_atlas.util.console import UserError


class Counter:
    """A part of a training."""

    def __init__(self, value: int) -> None:
        self.value = value

    def state_dict(self) -> dict[str, Any]:
        return {"value": self.value}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.value = int(state["value"])


@pytest.fixture
def fabric(make_run: Callable[..., Run]) -> Fabric:
    return make_fabric(make_run().train)


def resume_file(path: Path, fabric: Fabric, value: int, digest: str = "a") -> ResumeFile:
    parts: dict[str, Stateful] = {"layer": torch.nn.Linear(2, 3), "counter": Counter(value)}
    return ResumeFile(path / "state.pt", digest, parts, fabric)


def test_all_parts_are_restored(fabric: Fabric, tmp_path: Path) -> None:
    saved, restored = resume_file(tmp_path, fabric, 5), resume_file(tmp_path, fabric, 0)
    saved.save()
    assert restored.restore()
    assert restored.parts["counter"].state_dict() == {"value": 5}
    expected = saved.parts["layer"].state_dict()
    for name, value in restored.parts["layer"].state_dict().items():
        assert torch.equal(value, expected[name])
    assert [path.name for path in tmp_path.iterdir()] == ["state.pt"]


def test_without_a_file_nothing_is_restored(fabric: Fabric, tmp_path: Path) -> None:
    file = resume_file(tmp_path, fabric, 7)
    assert not file.restore()
    assert file.parts["counter"].state_dict() == {"value": 7}


@pytest.mark.parametrize("content", [None, {"parts": {}}, [1]])
def test_a_file_of_another_fingerprint_is_not_restored(
    fabric: Fabric, tmp_path: Path, content: object, capsys: pytest.CaptureFixture[str]
) -> None:
    if content is None:
        resume_file(tmp_path, fabric, 5, "b").save()
    else:
        torch.save(content, tmp_path / "state.pt")
    file = resume_file(tmp_path, fabric, 7)
    assert not file.restore()
    assert file.parts["counter"].state_dict() == {"value": 7}
    assert "saved with other parameters, data, code or hardware" in capsys.readouterr().err


def test_a_damaged_file_is_named(fabric: Fabric, tmp_path: Path) -> None:
    (tmp_path / "state.pt").write_bytes(b"PK\x03\x04 not a checkpoint")
    expected = r"state\.pt: unreadable training state: the file \(\w+: .*\); remove the file"
    with pytest.raises(UserError, match=expected):
        resume_file(tmp_path, fabric, 0).restore()


@pytest.mark.parametrize("state", [{"weight": torch.zeros(1)}, None])
def test_a_damaged_part_is_named(fabric: Fabric, tmp_path: Path, state: object) -> None:
    parts = {"counter": {"value": 1}} | ({"layer": state} if state else {})
    torch.save({"fingerprint": "a", "parts": parts}, tmp_path / "state.pt")
    with pytest.raises(UserError, match=r"part 'layer' \(\w+: .*\); remove the file") as caught:
        resume_file(tmp_path, fabric, 0).restore()
    assert "\n" not in str(caught.value)


def test_the_fingerprint_depends_on_parameters_and_contents(fabric: Fabric) -> None:
    digest = fingerprint(fabric, {"beta": 1.0}, "data", b"code")
    assert digest == fingerprint(fabric, {"beta": 1.0}, "data", "code")
    assert digest != fingerprint(fabric, {"beta": 2.0}, "data", b"code")
    assert digest != fingerprint(fabric, {"beta": 1.0}, "other", b"code")
    assert digest != fingerprint(fabric, {"beta": 1.0}, "data", b"other")
