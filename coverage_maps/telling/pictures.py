"""Maps and plots of a report as inline SVG: no script, no font, no file beside it, the same bytes
for the same figures. Maps and plots are not mirrored where the text runs from right to left.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from markupsafe import Markup, escape
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from coverage_maps.cover.emitters import discs
from coverage_maps.cover.ground import Ground
from coverage_maps.cover.projection import Floats
from coverage_maps.cover.thirds import thirds
from coverage_maps.plan.plans import Change, PlannedSite
from coverage_maps.telling.messages import Language

CELLS = (
    ("#e8e8e8", "#ace4e4", "#5ac8c8"),
    ("#dfb0d6", "#a5add3", "#5698b9"),
    ("#be64ac", "#8c62aa", "#3b4994"),
)
"""Colours by third of the gap, and in each by third of deprivation; dark blue is worst in both."""
UNKNOWN = "#f4f4f2"
AMBER, INK, LIVE = "#e69f00", "#1f2933", "#5f6b76"
WIDTH = 720
NUMBERED = 10
"""Sites of a city's map that carry their rank."""


@dataclass(frozen=True, eq=False)
class Scene:
    """What maps are drawn from: the city on its plane (metres), live sites, proposed sites."""

    ground: Ground
    shares: Floats
    """Covered share of each neighbourhood, today."""
    live: Floats
    """Shape (s, 2)."""
    proposed: Floats
    """Shape (p, 2), in the order of ranks."""
    radius: float


def colours(scene: Scene) -> list[str]:
    """Fill of each neighbourhood, by gap and deprivation in thirds of the residents."""
    population = [record.population for record in scene.ground.records]
    gap = thirds((1 - scene.shares).tolist(), population)
    need = thirds([record.badness for record in scene.ground.records], population)
    if (need < 0).all():  # no deprivation was imported: the gap alone
        need = np.where(gap >= 0, 0, -1).astype(np.int8)
    return [
        CELLS[g][n] if g >= 0 and n >= 0 else UNKNOWN
        for g, n in zip(gap.tolist(), need.tolist(), strict=True)
    ]


def city_map(scene: Scene, title: str) -> Markup:
    """The whole city: gap and deprivation by neighbourhood, and the proposed sites."""
    left, bottom, right, top = shapely.total_bounds(scene.ground.polygons)
    scale = WIDTH / max(right - left, (top - bottom) / 1.25, 1.0)
    width, height = (right - left) * scale, (top - bottom) * scale

    def place(xy: Floats) -> Floats:
        return np.column_stack(((xy[:, 0] - left) * scale, (top - xy[:, 1]) * scale))

    by_colour: dict[str, list[str]] = {}
    simple = shapely.simplify(scene.ground.polygons, 0.4 / scale)
    for polygon, colour in zip(simple, colours(scene), strict=True):
        by_colour.setdefault(colour, []).append(_path(polygon, place))
    parts = [
        f'<path fill="{colour}" stroke="{colour}" stroke-width=".3" d="{"".join(paths)}"/>'
        for colour, paths in sorted(by_colour.items())
    ]
    spots = place(scene.proposed)
    for x, y in spots[NUMBERED:]:
        parts.append(f'<circle class="site" cx="{x:.1f}" cy="{y:.1f}" r="3"/>')
    for rank, (x, y) in reversed(list(enumerate(spots[:NUMBERED], 1))):
        parts.append(
            f'<circle class="site" cx="{x:.1f}" cy="{y:.1f}" r="7.5"/>'
            f'<text class="rank" x="{x:.1f}" y="{y + 3.2:.1f}">{rank}</text>'
        )
    parts.append(_scale_bar(width, height, scale))
    return svg(width, height, parts, title)


def site_map(scene: Scene, k: int, site: PlannedSite, title: str) -> Markup:
    """The surroundings of the k-th site: live reach in grey, its own in amber, the runner-up."""
    size = 200
    half = max(3.2 * scene.radius, 60.0)
    centre = scene.proposed[k]
    scale = size / (2 * half)
    window = shapely.box(*(centre - half), *(centre + half))

    def place(xy: Floats) -> Floats:
        return np.column_stack(
            ((xy[:, 0] - centre[0] + half) * scale, (centre[1] + half - xy[:, 1]) * scale)
        )

    parts = [f'<rect width="{size}" height="{size}" fill="{UNKNOWN}"/>']
    around = scene.ground.tree.query(window, predicate="intersects")
    outlines = shapely.simplify(
        shapely.intersection(scene.ground.polygons[np.sort(around)], window), 0.5 / scale
    )
    parts += [f'<path class="block" d="{_path(shape, place)}"/>' for shape in outlines]
    reach = discs(_near(scene.live, centre, half + scene.radius), scene.radius)
    covered = shapely.intersection(shapely.union_all(reach), window)
    parts.append(
        f'<path class="covered" d="{_path(shapely.simplify(covered, 0.4 / scale), place)}"/>'
    )
    others = np.delete(scene.proposed, k, axis=0)
    for x, y in place(_near(others, centre, half + scene.radius)):
        parts.append(
            f'<circle class="other" cx="{x:.1f}" cy="{y:.1f}" r="{scene.radius * scale:.1f}"/>'
        )
    x, y = place(centre[np.newaxis, :])[0]
    parts.append(f'<circle class="own" cx="{x:.1f}" cy="{y:.1f}" r="{scene.radius * scale:.1f}"/>')
    parts.append(f'<circle class="site" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>')
    if site.runner_up is not None:
        rival = scene.ground.plane.xy([site.runner_up.lat], [site.runner_up.lon])
        if np.abs(rival[0] - centre).max() < half:
            x, y = place(rival)[0]
            parts.append(f'<path class="rival" d="M{x - 4:.1f} {y:.1f}h8m-4 -4v8"/>')
    parts.append(_scale_bar(size, size, scale, most=0.4))
    return svg(size, size, parts, title)


def legend_square() -> Markup:
    """The key of the city's map: three by three."""
    parts = [
        f'<rect x="{20 * g}" y="{20 * (2 - n)}" width="19" height="19" fill="{CELLS[g][n]}"/>'
        for g in range(3) for n in range(3)
    ]  # fmt: skip
    return svg(60, 60, parts, "", "key")


def bars(change: Change, title: str) -> Markup:
    """Coverage of one group: today in grey, what the plan adds in amber; the box is 100 %."""
    width, height = 240, 14
    whole = change.population or 1.0
    old, new = change.before / whole * width, change.after / whole * width
    parts = [
        f'<rect width="{width}" height="{height}" fill="#eceff1"/>',
        f'<rect width="{old:.2f}" height="{height}" fill="{LIVE}"/>',
        f'<rect x="{old:.2f}" width="{max(new - old, 0):.2f}" height="{height}" fill="{AMBER}"/>',
    ]
    return svg(width, height, parts, title, "bar")


def growth(sites: Sequence[PlannedSite], say: Language, title: str) -> Markup:
    """Residents newly covered by the first so many sites: what each further one still brings."""
    total = np.concatenate(([0.0], np.cumsum([site.newly_covered for site in sites])))
    count = len(sites)
    width, height, left, bottom = 660.0, 240.0, 62.0, 34.0
    top = _round_up(float(total[-1]))
    inner_width, inner_height = width - left - 20, height - bottom - 14

    def at(k: float, value: float) -> tuple[float, float]:
        return left + inner_width * k / count, 14 + inner_height * (1 - value / top)

    parts = []
    for step in range(5):
        value = top * step / 4
        _, y = at(0, value)
        parts.append(
            f'<path class="grid" d="M{left:.0f} {y:.1f}H{width - 20:.0f}"/><text class="tick end" '
            f'x="{left - 6:.0f}" y="{y + 4:.1f}">{escape(say.number(value))}</text>'
        )
    for k in sorted({round(count * share / 4) for share in range(5)}):
        x, _ = at(k, 0)
        parts.append(
            f'<text class="tick mid" x="{x:.1f}" y="{height - bottom + 18:.1f}">'
            f"{escape(say.number(k))}</text>"
        )
    kept = np.unique(np.linspace(0, count, min(count, 400) + 1).round().astype(int))
    line = "L".join("{:.1f} {:.1f}".format(*at(k, float(total[k]))) for k in kept.tolist())
    x, y = at(count, float(total[-1]))
    parts.append(f'<path class="line" d="M{line}"/>')
    parts.append(f'<circle class="site" cx="{x:.1f}" cy="{y:.1f}" r="4"/>')
    return svg(width, height, parts, title)


def _near(xy: Floats, centre: Floats, distance: float) -> Floats:
    return xy[np.abs(xy - centre).max(axis=1) < distance] if len(xy) else xy


def _round_up(value: float) -> float:
    """The next 1, 2, 2.5, 4, 5 or 8 times a power of ten, which four steps divide well."""
    if value <= 0:
        return 4.0
    power = 10.0 ** np.floor(np.log10(value))
    return float(next(m * power for m in (1, 2, 4, 6, 8, 10) if m * power >= value * 0.9999))


def _path(shape: BaseGeometry, place: Callable[[Floats], Floats]) -> str:
    """The rings of a polygon or of several, as SVG commands with a decimal."""
    told = []
    for part in shapely.get_parts(shape):
        if part.geom_type not in {"Polygon", "MultiPolygon"}:
            continue
        for ring in shapely.get_rings(part):
            points: NDArray[np.float64] = np.round(place(shapely.get_coordinates(ring)), 1)
            moved = np.any(np.diff(points, axis=0) != 0, axis=1)
            points = points[np.concatenate(([True], moved))]
            if len(points) > 3:
                told.append("M" + "L".join(f"{x:g} {y:g}" for x, y in points[:-1].tolist()) + "Z")
    return "".join(told)


def _scale_bar(width: float, height: float, scale: float, most: float = 0.2) -> str:
    """A bar of a round length, with its length."""
    longest = most * width / scale
    power = 10.0 ** np.floor(np.log10(longest))
    length = max(m * power for m in (1, 2, 5) if m * power <= longest)
    told = f"{length:g} m" if length < 1000 else f"{length / 1000:g} km"
    return (
        f'<path class="scale" d="M8 {height - 8:.1f}v-4m0 4h{length * scale:.1f}m0 0v-4"/>'
        f'<text class="tick" x="10" y="{height - 13:.1f}">{told}</text>'
    )


def svg(width: float, height: float, parts: Sequence[str], title: str, kind: str = "") -> Markup:
    """A picture of that size, named for those who do not see it."""
    name = f' role="img" aria-label="{escape(title)}"' if title else ' aria-hidden="true"'
    shown = f' class="{kind}"' if kind else ""
    return Markup(  # noqa: S704 - made of numbers, and of names that are escaped
        f'<svg{shown} direction="ltr" viewBox="0 0 {width:.0f} {height:.0f}"{name}>'
        f"{''.join(parts)}</svg>"
    )
