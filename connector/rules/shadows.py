"""Shadow rules: what they would do, each as if it alone were live too. Pure."""

from __future__ import annotations

from dataclasses import replace

from connector.rules.model import Rule, Ruleset


def shadows(ruleset: Ruleset) -> tuple[Rule, ...]:
    """In the order of the file."""
    return tuple(rule for rule in ruleset.rules if rule.status == "shadow")


def as_live(ruleset: Ruleset, rule_id: str) -> Ruleset:
    """The same rules, with this one live. It keeps the hash: nothing else may tell them apart."""
    rules = (replace(rule, status="live") if rule.id == rule_id else rule for rule in ruleset.rules)
    return replace(ruleset, rules=tuple(rules))
