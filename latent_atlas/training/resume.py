"""The state of an unfinished training in a file, from which it resumes."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from latent_atlas.models.base import Stateful
from latent_atlas.training.fabric import environment
from latent_atlas.util.console import UserError, say
from latent_atlas.util.files import write_bytes

if TYPE_CHECKING:
    from lightning_fabric import Fabric


class ResumeFile:
    """The parts of an unfinished training, saved together and restored together.

    Args:
        path: of the file.
        fingerprint: of all that the training depends on, see `fingerprint`. A file with another
            one is not restored.
        parts: name → part.
        fabric: device and process; only the first process writes and prints.
    """

    def __init__(
        self, path: Path, fingerprint: str, parts: Mapping[str, Stateful], fabric: Fabric
    ) -> None:
        self.path, self.fingerprint = path, fingerprint
        self.parts, self.fabric = parts, fabric

    def save(self) -> None:
        """Replace the file, whole or not at all."""
        if not self.fabric.is_global_zero:
            return
        state = {name: part.state_dict() for name, part in self.parts.items()}
        buffer = io.BytesIO()
        torch.save({"fingerprint": self.fingerprint, "parts": state}, buffer)
        write_bytes(self.path, buffer.getvalue())

    def restore(self) -> bool:
        """Restore all parts; return False where there is no file or its fingerprint differs.

        Raises:
            UserError: if the file or one of its parts cannot be read.
        """
        if not self.path.is_file():
            return False
        try:
            state = torch.load(self.path, map_location=self.fabric.device, weights_only=True)
        except Exception as error:  # damaged files make torch raise anything
            raise self._unreadable("the file", error) from None
        if not isinstance(state, dict) or state.get("fingerprint") != self.fingerprint:
            if self.fabric.is_global_zero:
                say(
                    f"{self.path}: saved with other parameters, data, code or hardware; "
                    "starting from the beginning"
                )
            return False
        for name, part in self.parts.items():
            try:
                part.load_state_dict(state["parts"][name])
            except (KeyError, TypeError, ValueError, RuntimeError) as error:
                raise self._unreadable(f"part {name!r}", error) from None
        return True

    def _unreadable(self, what: str, error: Exception) -> UserError:
        reason = " ".join(str(error).split())[:120]
        return UserError(
            f"{self.path}: unreadable training state: {what} ({type(error).__name__}: {reason}); "
            "remove the file"
        )


def fingerprint(fabric: Fabric, parameters: object, *contents: str | bytes) -> str:
    """SHA-256 of all that a training depends on: to resume it, nothing of that may have changed.

    Args:
        fabric: its device and number of processes.
        parameters: as JSON.
        contents: digests of data and code.
    """
    digest = hashlib.sha256(json.dumps(parameters, sort_keys=True).encode())
    for content in contents:
        digest.update(content.encode() if isinstance(content, str) else content)
    digest.update(json.dumps(environment(fabric), sort_keys=True).encode())
    return digest.hexdigest()
