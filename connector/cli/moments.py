"""Times on the command line: a date, a time, or how long ago."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import click

from connector.text import parse_duration

Command = TypeVar("Command", bound=Callable[..., Any])


class Moment(click.ParamType[datetime]):
    """Becomes an aware datetime in UTC; never in the future."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        if isinstance(value, datetime):
            return value
        now = datetime.now(UTC)
        try:
            found = datetime.fromisoformat(value)
        except ValueError:
            found = now - self._ago(value, param, ctx)
        moment = found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
        if moment > now:
            self.fail(f"{value} has not come yet (times without a zone are UTC)", param, ctx)
        return moment

    def _ago(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            ago = parse_duration(value)
        except ValueError:
            ago = None
        if not isinstance(ago, timedelta):
            self.fail(
                f"'{value}' is no time; write 2026-11-24, 2026-11-24T03:00 (UTC) or 6h (ago)",
                param,
                ctx,
            )
        return ago


class Span(click.ParamType[timedelta]):
    """Becomes a timedelta of more than nothing."""

    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        try:
            span = parse_duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if not isinstance(span, timedelta) or not span:
            self.fail("write more than nothing, such as 30d", param, ctx)
        return span


MOMENT = Moment()
SPAN = Span()


def period(usual: str) -> Callable[[Command], Command]:
    """`--last`, `--since` and `--until`; `usual` is the time where nothing is said."""

    def decorate(command: Command) -> Command:
        until, since = "Up to here; now by default.", "From here on, in place of --last."
        for option in (
            click.option("--until", type=MOMENT, metavar="TIME", help=until),
            click.option("--since", type=MOMENT, metavar="TIME", help=since),
            click.option("--last", type=SPAN, help=f"How far back; {usual} where nothing is said."),
        ):
            command = option(command)
        return command

    return decorate
