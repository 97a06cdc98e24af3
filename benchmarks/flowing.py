"""From the webhook to the effect: how many per second, and how soon."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.installation import World, installation, sink
from benchmarks.report import Figure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.scale import Scale

_LANES = 64
_BACKLOG = 500  # answers on their way at most: what is sustained, not what is heaped up
_PAUSE_SECONDS = 0.02


def sustained(world: World, scale: Scale) -> Iterator[Figure]:
    """`connector run` on SQLite; the sinks answer at once."""
    for type, words in (("single", "one call each"), ("bulk", "one call for 200")):
        world.do("behave", delay_seconds=0)
        with installation(*sink(type, world)) as where:
            where.receiver("run")
            arguments = {"port": where.port, "lanes": _LANES, "backlog": _BACKLOG}
            found = world.do("flow", **arguments, seconds=scale.seconds)
        yield Figure(f"webhook to effect, {words}", found["effects_per_second"], "/s")


def reaction(world: World, scale: Scale) -> Iterator[Figure]:
    """`connector run` with nothing else to do; an effect may come before the 202 is read."""
    world.do("behave", delay_seconds=0)
    with installation(*sink("single", world)) as where:
        where.receiver("run")
        arguments = {"port": where.port, "pause_seconds": _PAUSE_SECONDS}
        world.do("react", **arguments, answers=10)
        took = sorted(world.do("react", **arguments, answers=scale.reactions)["milliseconds"])
    for share, reach in ((0.5, 50.0), (0.99, 250.0)):
        value = took[min(int(len(took) * share), len(took) - 1)]
        yield Figure(f"202 to sink called, p{share * 100:.0f}", value, "ms", reach, "most")
