"""The words of the nodes' schemas, as ComfyUI reads them from `locales/en/nodeDefs.json`.

`python -m tests.nodes.words` writes that file anew after a schema has changed.
"""

import json
import tempfile
from pathlib import Path
from typing import Any

from ..host import PACK
from ..host.runner import StandIn

LOCALES = PACK / "locales"


def node_defs(object_info: dict[str, Any]) -> dict[str, Any]:
    """Every name, description and tooltip of the nodes that `/object_info` describes."""
    return {
        node_id: {
            "display_name": info["display_name"],
            "description": info["description"],
            "inputs": {
                name: {"name": name, "tooltip": options["tooltip"]}
                for group in ("required", "optional")
                for name, (_, options) in info["input"].get(group, {}).items()
            },
            "outputs": {
                str(index): {"name": name, "tooltip": tooltip}
                for index, (name, tooltip) in enumerate(zip(info["output_name"], info["output_tooltips"]))
            },
        }
        for node_id, info in object_info.items()
    }


def main() -> None:
    with tempfile.TemporaryDirectory() as base:
        words = node_defs(StandIn(Path(base)).object_info())
    text = json.dumps(words, ensure_ascii=False, indent=2)
    (LOCALES / "en" / "nodeDefs.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
