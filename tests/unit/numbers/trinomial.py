"""Answers drawn at random, quickly: all outcomes of n answers with their chance."""

from __future__ import annotations

import itertools
import random
from math import exp, lgamma, log

from connector.numbers.score import Counts

Shares = tuple[float, float, float]  # of promoters, passives, detractors


def outcomes(n: int, shares: Shares) -> list[tuple[Counts, float]]:
    """Every outcome that is not next to impossible, with its probability."""
    found = []
    for promoters in range(n + 1):
        for passives in range(n - promoters + 1):
            counts = Counts(promoters, passives, n - promoters - passives)
            chance = lgamma(n + 1)
            for count, share in zip(counts, shares, strict=True):
                chance += count * log(share) - lgamma(count + 1)
            if chance > -25:
                found.append((counts, exp(chance)))
    return found


class Weeks:
    """Weeks of n answers each from one population."""

    def __init__(self, n: int, shares: Shares) -> None:
        found = outcomes(n, shares)
        self._counts = [counts for counts, _ in found]
        self._weights = list(itertools.accumulate(chance for _, chance in found))

    def draw(self, rng: random.Random, weeks: int) -> list[Counts]:
        return rng.choices(self._counts, cum_weights=self._weights, k=weeks)
