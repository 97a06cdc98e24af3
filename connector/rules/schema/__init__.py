"""`rules.schema.json`: what editors complete and mark while a rule is typed."""

from connector.rules.schema.building import Names, Surroundings, rules_schema

__all__ = ["Names", "Surroundings", "rules_schema"]
