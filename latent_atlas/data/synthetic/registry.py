"""Registry of the drawn data sets; a new one needs a file in this package and a line here."""

from __future__ import annotations

from latent_atlas.data.synthetic.base import Drawing
from latent_atlas.data.synthetic.brushwork import brushwork
from latent_atlas.data.synthetic.circles import circles_mono, circles_rgb
from latent_atlas.data.synthetic.garments import garments
from latent_atlas.data.synthetic.scenes import scenes

DRAWINGS: dict[str, Drawing] = {
    "circles_mono": circles_mono,
    "circles_rgb": circles_rgb,
    "garments": garments,
    "brushwork": brushwork,
    "scenes": scenes,
}
