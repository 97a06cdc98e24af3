"""Which faults a run fires, and in which order: drawn from its seed.

Faults come in lanes. Those of one lane come one after the other; all lanes go on side by side.
"""

from __future__ import annotations

from tests.chaos.faults import (
    CALLS,
    FAR,
    FarFault,
    Fault,
    Scene,
    broker_gone,
    database_gone,
    flushed,
    keys_rolled,
    killed,
    killed_at,
    stopped,
    stopped_at,
)
from tests.chaos.servers import SINKS

UNDELIVERED = ("intake.stored", "decided")
FOLLOWING = ("hinted", "looked", "followed", "judged", "escalated")
# Where these guards would be missed. Not all news that a list loses are told by nothing else.
MISSED = {"cursor": ["followed"] * 4, "ledger": ["escalated"]}
DELIVERING = ("claimed", "prepared", "sending", "sent", "recorded")
# Where it hurts most: a short run has one sink for each point, and these are always among them.
WORST = (("sent", "desk"), ("sent", "chat"), ("sending", "mail"))
KILL_LANES = 3
RECEIVER_KILLS = 4


def far_faults(scene: Scene, short: bool) -> list[FarFault]:
    """In a full run each lets some calls pass first; one call is never hit by two."""
    wanted = [(sink, what) for sink in CALLS for what in FAR]
    wanted += [("desk note", what) for what in ("reply lost", "500")]
    wanted += [("desk news", what) for what in FAR]
    most = 0 if short else 3
    return [FarFault(of, what, scene, scene.random.randint(0, most)) for of, what in wanted]


def lanes(scene: Scene, short: bool) -> list[list[Fault]]:
    """Every one in a drawn order. Kills within following up have a lane of their own: cases come
    late, and other kills shall not wait for them."""
    kills = _kills_in_short(scene) if short else _kills(scene)
    drawn = [*(kills[i::KILL_LANES] for i in range(KILL_LANES)), _any_time(scene, short)]
    drawn.append(_kills_following(scene, short))
    servers = [flushed(), broker_gone()] if scene.broker is not None else []
    servers += [database_gone()] if scene.database is not None else []
    scene.random.shuffle(servers)
    return [lane for lane in (*drawn, servers) if lane]


def at_the_end(short: bool) -> list[Fault]:
    """When no stopped process holds a request any more."""
    return [keys_rolled() for _ in range(1 if short else 2)]


def _kills(scene: Scene) -> list[Fault]:
    """At every point of an answer, those of delivery in every sink."""
    places = [(at, "") for at in UNDELIVERED] + [(at, of) for at in DELIVERING for of in SINKS]
    scene.random.shuffle(places)
    return [killed_at(at, of, skip=scene.random.randint(0, 3)) for at, of in places]


def _kills_in_short(scene: Scene) -> list[Fault]:
    """At every point of an answer, of one sink each."""
    somewhere = [(at, scene.random.choice(SINKS)) for at in ("claimed", "prepared", "recorded")]
    places = [*((at, "") for at in UNDELIVERED), *WORST, *somewhere]
    scene.random.shuffle(places)
    return [killed_at(at, of) for at, of in places]


def _kills_following(scene: Scene, short: bool) -> list[Fault]:
    """At every point; in a short run at one."""
    if short:
        drawn = scene.random.choice(FOLLOWING)
        return [killed_at(at) for at in MISSED.get(scene.plan.broken, [drawn])]
    places = scene.random.sample(FOLLOWING, len(FOLLOWING))
    return [killed_at(at, skip=scene.random.randint(0, 1)) for at in places]


def _any_time(scene: Scene, short: bool) -> list[Fault]:
    """Processes that sleep past their lease, and kills at no point that has a name."""
    there = scene.installation
    chosen = [stopped_at("prepared", "chat")]
    embedded = there.receiver in there.workers
    chosen += [killed(there.receiver) for _ in range(1 if short or embedded else RECEIVER_KILLS)]
    chosen += [killed(role) for role in there.roles if role not in (there.receiver, *there.workers)]
    if not short:
        chosen += [stopped_at("sending", "desk"), stopped_at("prepared", "mail")]
        chosen += [stopped_at("followed", "desk")]
        chosen += [stopped(scene.random.choice(there.workers))]
        chosen += [killed(role) for role in there.roles if role != there.receiver]
    scene.random.shuffle(chosen)
    return chosen
