"""Draws what fairness costs: the plan among those that other values of equity would bring."""

from __future__ import annotations

from markupsafe import Markup, escape

from coverage_maps.plan.plans import Alternative, Plan
from coverage_maps.telling.messages import Language
from coverage_maps.telling.pictures import svg

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 660.0, 260.0, 52.0, 60.0, 16.0, 34.0
FEWEST = 3
"""Points that make a curve."""


def curve(plan: Plan, say: Language, title: str) -> Markup | None:
    """Share of the new coverage in the most deprived fifth, by the share of residents given up.

    All points count residents in the same way, on points of the ground. None where deprivation is
    unknown, or too little was tried.
    """
    found = _points(plan)
    if len(found) < FEWEST:
        return None
    most = max(one.residents for _, one in found)
    spots = [
        (1 - one.residents / most, (one.worst_off or 0.0) / one.residents, equity, one is plan.own)
        for equity, one in found
    ]
    wide = _step(max(x for x, *_ in spots))

    def at(x: float, y: float) -> tuple[float, float]:
        return (
            LEFT + (WIDTH - LEFT - RIGHT) * x / (4 * wide),
            TOP + (HEIGHT - TOP - BOTTOM) * (1 - y),
        )

    parts = []
    for k in range(5):
        x, y = at(k * wide, k / 4)
        parts.append(
            f'<path class="grid" d="M{LEFT:.0f} {y:.1f}H{WIDTH - RIGHT:.0f}"/>'
            f'<text class="tick end" x="{LEFT - 6:.0f}" y="{y + 4:.1f}">'
            f"{escape(say.percent(k / 4))}</text>"
            f'<text class="tick mid" x="{x:.1f}" y="{HEIGHT - BOTTOM + 18:.1f}">'
            f"{escape(say.percent(k * wide, 1))}</text>"
        )
    line = "L".join("{:.1f} {:.1f}".format(*at(x, y)) for x, y, *_ in spots)
    parts.append(f'<path class="line" d="M{line}"/>')
    free = -1e9
    for loss, share, equity, ours in spots:
        x, y = at(loss, share)
        parts.append(f'<circle class="site" cx="{x:.1f}" cy="{y:.1f}" r="{7 if ours else 3.5}"/>')
        if x < free and not ours:  # its name would stand on the last one's
            continue
        free = x + 24
        parts.append(
            f'<text class="tick" x="{x + 9:.1f}" y="{y + 14:.1f}">'
            f"{escape(say.number(equity, 2))}</text>"
        )
    return svg(WIDTH, HEIGHT, parts, title)


def _points(plan: Plan) -> list[tuple[float, Alternative]]:
    """Equity and what it brings, with demand weighed as the plan weighs it; by equity."""
    if plan.own is None:
        return []
    ending = ", demand" if plan.caveats else ""
    found = [(plan.equity, plan.own)]
    for other in plan.weightings:
        first, _, demand = other.name.partition(", ")
        if bool(demand) == bool(ending):
            found.append((0.0 if first == "heads" else float(first.split()[1]), other))
    usable = [(e, one) for e, one in found if one.worst_off is not None and one.residents > 0]
    return sorted(usable, key=lambda pair: pair[0])


def _step(most: float) -> float:
    """A quarter of an axis that holds `most`: 1, 2, 2.5, 5 times a power of ten."""
    return next(
        step for k in range(-4, 1) for m in (1, 2, 2.5, 5)
        if 4 * (step := m * 10.0**k) >= most
    )  # fmt: skip
