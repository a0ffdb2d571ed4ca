"""Figures beside their goals, as benchmarks print them."""

from collections.abc import Iterable

Row = tuple[str, float, str, float]
"""A figure's name, its value, "≥" or "≤" or "" for one without a goal, and the goal."""


def report(rows: Iterable[Row], judged: bool = True) -> int:
    """Print a table, each row as it comes. judged: whether the goals count.

    Returns the exit code: 1 when a goal that counts is missed.
    """
    print("| figure | value | goal |\n|---|---|---|")
    missed = False
    for name, value, relation, goal in rows:
        met = not judged or {"≥": value >= goal, "≤": value <= goal}.get(relation, True)
        missed |= not met
        wanted = f"{relation} {goal:g}" if relation else ""
        print(f"| {name} | {value:.4g} | {wanted} |{'' if met else ' missed'}", flush=True)
    return int(missed)
