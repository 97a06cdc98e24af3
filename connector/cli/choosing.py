"""The part of the shipped configuration that names only the sources and sinks of `--only`.

It cuts whole blocks of lines, so that comments and order stay as they are shipped.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Iterator, Mapping, Sequence

import click

from connector.cli.shipped import ENVIRONMENT
from connector.environment import placeholders
from connector.text import did_you_mean

CONFIG, RULES = "connector.yaml", "rules.yaml"
_SOURCES, _SINKS = "sources", "sinks"
_FOLLOWING = "# these get the call of the rule above"


def only(shipped: Mapping[str, bytes], wanted: str) -> dict[str, bytes]:
    """`wanted` are ids or types of sources and sinks, with commas between them.

    Raises ClickException for a name that does not exist, and without a source and a sink.
    """
    config = shipped[CONFIG].decode()
    blocks = {part: _blocks(config, part) for part in (_SOURCES, _SINKS)}
    chosen = _chosen(blocks, [word.strip() for word in wanted.split(",") if word.strip()])
    kept = "".join(text for ids in chosen.values() for text in ids.values())
    types = {_type(text) for text in chosen[_SINKS].values()}
    config = _config(config, chosen, kept)
    files = {
        name: data
        for name, data in shipped.items()
        if "email" in types or not name.startswith("templates/")
    }
    files[CONFIG] = config.encode()
    files[RULES] = _rules(shipped[RULES].decode(), types).encode()
    files[ENVIRONMENT] = _environment(shipped[ENVIRONMENT].decode(), placeholders(config)).encode()
    return files


def _chosen(
    blocks: Mapping[str, Mapping[str, str]], wanted: Sequence[str]
) -> dict[str, dict[str, str]]:
    known = [
        name for ids in blocks.values() for id, text in ids.items() for name in (id, _type(text))
    ]
    for word in wanted:
        if word not in known:
            near = did_you_mean(word, known) or f"there are: {', '.join(dict.fromkeys(known))}"
            raise click.ClickException(f"--only: there is no source or sink '{word}'; {near}")
    chosen = {
        part: {id: text for id, text in ids.items() if {id, _type(text)} & set(wanted)}
        for part, ids in blocks.items()
    }
    for part, ids in chosen.items():
        if not ids:
            there = ", ".join(blocks[part])
            raise click.ClickException(f"--only: name one of the {part} as well: {there}")
    return chosen


def _blocks(config: str, part: str) -> dict[str, str]:
    """Id -> its lines, of one part of connector.yaml."""
    inside = _section(config, part)[1]
    starts = [match.start() for match in re.finditer(r"(?m)^  [a-z]", inside)]
    cut = [inside[a:b] for a, b in zip(starts, [*starts[1:], None], strict=True)]
    return {text.partition(":")[0].strip(): text for text in cut}


def _section(config: str, name: str) -> tuple[str, str, str]:
    """What stands before the lines below `name:`, these lines, and the rest."""
    head = config.index(f"\n{name}:\n") + len(f"\n{name}:\n")
    following = re.compile(r"(?m)^(?=\S)").search(config, head)
    end = following.start() if following else len(config)
    return config[:head], config[head:end], config[end:]


def _type(block: str) -> str:
    found = re.search(r"(?m)^    type: (\S+)", block)
    return found[1] if found else ""


def _config(config: str, chosen: Mapping[str, Mapping[str, str]], kept: str) -> str:
    for part, ids in chosen.items():
        before, _, after = _section(config, part)
        config = f"{before}{''.join(text.rstrip() + chr(10) for text in ids.values())}\n{after}"
    surveys = _blocks(config, "surveys")
    used = set(re.findall(r"[\w-]+", " ".join(re.findall(r"surveys?: (.+)", kept))))
    before, _, after = _section(config, "surveys")
    config = before + "".join(text for id, text in surveys.items() if id in used).rstrip()
    config += f"\n\n{after}"
    if "slack-main" not in chosen[_SINKS]:
        config = config[: config.index("\nalarms:\n")]
    return config.rstrip() + "\n"


def _rules(text: str, types: Collection[str]) -> str:
    """Actions of other sinks are left out, and rules that would do nothing any more."""
    head, rest = re.split(r"(?m)(?<=^rules:\n)", text, maxsplit=1)
    body, default = re.split(r"(?m)(?=^default:)", rest, maxsplit=1)
    starts = [0, *(m.start() for m in re.finditer(r"(?m)^  - id: |^  # ---", body)), len(body)]
    kept: list[str] = []
    for first, last in itertools.pairwise(starts):
        block = body[first:last]
        if not block.lstrip().startswith("- id: "):
            kept.append(block)
            continue
        then, actions, after = _actions(block)
        mine = [action for action in actions if _sink_of(action) in types]
        if mine:
            kept.append(then + "".join(_alone(action, types) for action in mine) + after)
    body = "".join(_with_a_rule(kept))
    if "salesforce" not in types:
        body = body.replace(_FOLLOWING, "# for these a talk about growing comes first")
    return f"{head}{body.rstrip()}\n\n{default}"


def _actions(rule: str) -> tuple[str, list[str], str]:
    """A rule's lines up to its actions, the actions, and what follows them."""
    head = rule.index("    then:\n") + len("    then:\n")
    following = re.compile(r"(?m)^(?=    \S|$)").search(rule, head)
    end = following.start() if following else len(rule)
    return rule[:head], re.split(r"(?m)(?!\A)(?=^      - )", rule[head:end]), rule[end:]


def _sink_of(action: str) -> str:
    return action.strip().removeprefix("- ").partition(".")[0]


def _alone(action: str, types: Collection[str]) -> str:
    """An alert must not speak of a ticket that nobody opens."""
    if "zendesk" in types:
        return action
    return action.replace("ticket in Retention, call due in 4 working hours", "call today")


def _with_a_rule(blocks: Sequence[str]) -> Iterator[str]:
    """A heading without a rule below it says nothing."""
    for block, following in zip(blocks, [*blocks[1:], "  # ---"], strict=True):
        heading = block.lstrip().startswith("# ---")
        if not (heading and following.lstrip().startswith("# ---")):
            yield block


def _environment(example: str, names: Collection[str]) -> str:
    head, *entries = re.split(r"(?m)^(?=# .*\n[A-Z_]+=$)", example)
    return head + "".join(e for e in entries if e.splitlines()[1].rstrip("=") in names)
