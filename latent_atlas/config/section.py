"""Base class, number types and text patterns of the sections of params.yaml."""

from __future__ import annotations

from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

Scale = Literal["sample", "full"]

Likelihood = Literal["bernoulli", "gaussian", "laplace"]

Positive = Annotated[int, Field(ge=1)]

MOST_SEED = 2**31 - 1
"""Of faiss; scikit-learn takes twice as many."""

Seed = Annotated[int, Field(ge=0, le=MOST_SEED)]

CONTACT = r"^(mailto:)?[^@\s]+@[^@\s]+\.[^@\s]+$|^https?://\S+$"

NAME = r"^[a-z][a-z0-9_]*$"

PROXY = r"^http://\S+$"

SHA256 = r"^[0-9a-f]{64}$"

IN_WORDS = {
    CONTACT: "a mail address or a URL",
    NAME: "a name of small letters, digits and _ that begins with a letter",
    PROXY: "a URL http://…",
    SHA256: "64 hexadecimal digits",
}
"""What a pattern asks for, as an error says it."""

Contact = Annotated[str, Field(pattern=CONTACT)]

Name = Annotated[str, Field(pattern=NAME)]


class Section(BaseModel):
    """A part of params.yaml: typed strictly, immutable, without unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


Checked = TypeVar("Checked", bound=Section)


class Scaled(Section):
    """A number for each scale, e.g. ``{sample: 2000, full: 10000}``."""

    sample: Positive
    full: Positive
