"""Public holidays by country and region: the one door to the library `holidays`, opened when a
calendar asks for some. https://holidays.readthedocs.io
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from connector.text import did_you_mean, one_line

if TYPE_CHECKING:
    from types import ModuleType

_LANGUAGE = "en_US"  # of the names; without it each country speaks its own
_MOST_LISTED = 60


@cache
def of_year(country: str, region: str | None, year: int) -> Mapping[date, str]:
    """Day -> what is celebrated; what the law moves to another day stands on that day.

    Raises:
        KeyError: there is no such country or region; `problem` says it in words.
    """
    entity = _entity(country)
    if entity is None or problem(country, region):
        raise KeyError(country, region)
    days = _library().country_holidays(
        country.upper(), subdiv=region, years=year, language=_LANGUAGE, categories=("public",)
    )
    return dict(cast("Mapping[date, str]", days))


def problem(country: str, region: str | None) -> tuple[str, str, str] | None:
    """What is wrong with the names, as (key, message, hint); None where both exist."""
    entity = _entity(country)
    if entity is None:
        message = f"country: there are no holidays of '{one_line(country, 40)}'"
        return "country", message, _near_country(country)
    if region is None:
        return None
    codes, names = [*entity.subdivisions], dict(entity.subdivisions_aliases)
    if region in codes or region in names:
        return None
    message = f"region: '{one_line(region, 40)}' is no region of {country.upper()}"
    if not codes:
        return "region", message, f"{country.upper()} has none; leave it out"
    folded = {name.casefold(): code for name, code in names.items()}
    code = folded.get(region.casefold()) or next((c for c in codes if c == region.upper()), None)
    near = f"did you mean '{code}'?" if code else did_you_mean(region, [*codes, *names])
    more = ", …" if len(codes) > _MOST_LISTED else ""
    listed = f"allowed: {', '.join(codes[:_MOST_LISTED])}{more}"
    return "region", message, f"{near}; {listed}" if near else listed


def _near_country(country: str) -> str:
    known: dict[str, str] = {}
    for name, (_, *codes) in _countries().items():
        known |= dict.fromkeys((name.replace("_", " "), *codes), codes[0])
    near = did_you_mean(country.casefold(), known) or did_you_mean(country.upper(), known)
    word = near.partition("'")[2].rpartition("'")[0]
    allowed = "write two letters, such as ES, IT, PT, BR, US"
    return f"did you mean '{known[word]}'?; {allowed}" if word else allowed


@cache
def _entity(country: str) -> Any:
    """The library's class of a country; None where there is none."""
    code = country.upper()
    if not any(code == known[1] for known in _countries().values()):
        return None
    return getattr(_library(), code)


@cache
def _countries() -> Mapping[str, tuple[str, ...]]:
    """Name -> class, code of two letters, other codes."""
    from holidays.registry import COUNTRIES

    return cast("Mapping[str, tuple[str, ...]]", COUNTRIES)


def _library() -> ModuleType:
    import holidays

    return holidays
