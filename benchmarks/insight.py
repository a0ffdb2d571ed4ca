"""How well the pack tells which layer carries what, on the demo models, whose truth is known.

    python benchmarks/insight.py             about twenty minutes on two cores
    python benchmarks/insight.py --small     a minute; the goals are for the full run only

Exit code 1 when a goal is missed.
"""

import argparse
import sys

import insight_directions
import insight_explain
import insight_find
import insight_local
from goals import report

PARTS = {
    "explain": insight_explain,
    "find": insight_find,
    "local": insight_local,
    "directions": insight_directions,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--small", action="store_true", help="few pairs, no goals")
    parser.add_argument(
        "--only", choices=PARTS, nargs="+", default=list(PARTS), help="parts to measure (all)"
    )
    options = parser.parse_args()
    rows = (row for name in options.only for row in PARTS[name].figures(options.small))
    return report(rows, judged=not options.small)


if __name__ == "__main__":
    sys.exit(main())
