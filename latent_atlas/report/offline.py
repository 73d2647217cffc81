"""Template for the pages of `dvc plots`, which then open without a network.

DVC's pages load Vega from a content delivery network. The template, which `.dvc/config` names,
contains it.
"""

from __future__ import annotations

from pathlib import Path

import vl_convert

from latent_atlas.util.files import write_bytes

TEMPLATE = Path(".dvc/offline.html")

_SNIPPET = "window.vegaEmbed = vegaEmbed;"

_PAGE = """<!DOCTYPE html>
<html>
<head>
<meta charset="utf-8">
{{refresh_tag}}
<title>Latent Atlas: plots</title>
<script>{vega}</script>
<style>body {{ font-family: sans-serif; margin: 2em }} table {{ border-spacing: 15px }}</style>
</head>
<body>
{{plot_divs}}
</body>
</html>
"""


def write_template() -> None:
    """Write the template for Vega-Lite 5, the version of DVC's specifications."""
    versions = [v for v in vl_convert.get_vegalite_versions() if v.startswith("5.")]
    version = max(versions, key=lambda v: [int(part) for part in v.split(".")])
    vega = vl_convert.javascript_bundle(_SNIPPET, version).replace("</script", "<\\/script")
    write_bytes(TEMPLATE, _PAGE.format(vega=vega).encode())
