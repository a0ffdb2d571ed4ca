"""Figures beside their goals, as benchmarks print them."""

from collections.abc import Iterable

Row = tuple[str, float, str, float]
"""A figure's name, its value, "≥" or "≤", and the goal."""


def report(rows: Iterable[Row], judged: bool = True) -> int:
    """Print a table. judged: whether the goals count. Returns the exit code: 1 when one that counts is missed."""
    print("| figure | value | goal |\n|---|---|---|")
    missed = False
    for name, value, relation, goal in rows:
        met = not judged or {"≥": value >= goal, "≤": value <= goal}[relation]
        missed |= not met
        print(f"| {name} | {value:.4f} | {relation} {goal:.4g} |{'' if met else ' missed'}")
    return int(missed)
