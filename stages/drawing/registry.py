"""The drawn data sets by name; a new one is a file beside this one and a line here."""

from __future__ import annotations

from stages.drawing.base import Drawing
from stages.drawing.brushwork import brushwork
from stages.drawing.circles import circles_mono, circles_rgb
from stages.drawing.garments import garments
from stages.drawing.scenes import scenes

DRAWINGS: dict[str, Drawing] = {
    "circles_mono": circles_mono,
    "circles_rgb": circles_rgb,
    "garments": garments,
    "brushwork": brushwork,
    "scenes": scenes,
}
