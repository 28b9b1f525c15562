"""How a change is rolled out: the home's settings and the options of one push, in one place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from farola.errors import ProvisioningError
from farola.settings import ProvisioningSettings

SHORTEST_CONFIRM_S = 5
MOST_WAVES = 50


@dataclass(frozen=True)
class Policy:
    """Waves, thresholds and times of a rollout; see `ProvisioningSettings` for the first ones."""

    waves: tuple[int, ...] = (1, 5, 25, 125, 625)
    site_share: float = 0.5
    stop_count: int = 2
    stop_share: float = 0.02
    stop_sample: int = 20
    confirm_s: int = 120
    linger_s: int = 10
    bake_s: int = 120
    queue_days: int = 7
    checks: bool = True
    """Whether each wave is examined after its bake time; the bake time stays either way."""
    hold: bool = False
    """Leave the first wave unconfirmed until a person confirms it, and stop there."""
    now: bool = False
    """Whether maintenance windows are ignored; pause and freezes never are."""
    rollback: bool = True
    """Whether a wave that fails is rolled back by itself."""
    allow_unconfirmed: bool = False
    """Whether devices that cannot take a commit back by themselves are pushed to."""
    parents_anyway: bool = False
    """Whether a mesh parent is changed although one of its children did not get the change."""

    def size(self, step: int) -> int:
        """Devices of the wave that is `step` steps after the canary; the last size holds on."""
        return self.waves[min(max(step, 0), len(self.waves) - 1)]

    def stored(self) -> dict[str, Any]:
        """As it is kept with the change."""
        return {**asdict(self), "waves": list(self.waves)}

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> Policy:
        """The policy that `stored` made; what is missing there has its default."""
        known = {f.name for f in fields(cls)}
        values = {name: value for name, value in stored.items() if name in known}
        if "waves" in values:
            values["waves"] = tuple(values["waves"])
        return cls(**values)


def read_waves(text: str) -> tuple[int, ...]:
    """The sizes in `1, 5, 25`; ProvisioningError where they are not whole numbers above 0."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdecimal() and 0 < int(part) < 10**9 for part in parts):
        raise ProvisioningError(
            f"waves {text!r} are no sizes: write whole numbers above 0, the canary first, such as "
            "1, 5, 25, 125"
        )
    if len(parts) > MOST_WAVES:
        raise ProvisioningError(f"waves: {len(parts)} sizes are given, at most {MOST_WAVES} can be")
    return tuple(int(part) for part in parts)


def policy_of(settings: ProvisioningSettings, **options: Any) -> Policy:
    """The policy of the home with the `options` of one push that are not None in place.

    Raises
    ------
    ProvisioningError
        A value cannot be used: the message names it.
    """
    made = Policy(
        waves=read_waves(settings.waves), site_share=settings.site_share,
        stop_count=settings.stop_count, stop_share=settings.stop_share,
        stop_sample=settings.stop_sample, confirm_s=settings.confirm_s,
        linger_s=settings.linger_s, bake_s=settings.bake_s, queue_days=settings.queue_days,
    )  # fmt: skip
    if isinstance(options.get("waves"), str):
        options["waves"] = read_waves(options["waves"])
    made = replace(made, **{name: value for name, value in options.items() if value is not None})
    for name, least in (
        ("confirm_s", SHORTEST_CONFIRM_S), ("bake_s", 0), ("linger_s", 0), ("stop_count", 1),
        ("stop_sample", 1),
        ("queue_days", 0),
    ):  # fmt: skip
        if getattr(made, name) < least:
            raise ProvisioningError(
                f"{name} is {getattr(made, name)}: it must be {least} or more; correct it in "
                "[provisioning] of farola.toml"
            )
    for name in ("site_share", "stop_share"):
        if not 0 < getattr(made, name) <= 1:
            raise ProvisioningError(
                f"{name} is {getattr(made, name)}: it must be above 0 and at most 1; correct it in "
                "[provisioning] of farola.toml"
            )
    return made
