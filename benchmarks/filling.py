"""Filling a store as two years of a large programme leave it, by statements over whole sets."""

from __future__ import annotations

import functools
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import text

from connector.store import searching, tallies

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from connector.workspace import Workspace

DAYS = 730
CASES_EVERY = 10  # answers to one case
_CACHE_KB = 600_000
_LANGUAGES = ("en", "en", "en", "es", "es", "de", "fr", "it", "pt", "ja")
_PLANS = ("basic", "basic", "pro", "scale", "enterprise")
_TOPICS = ("billing", "support", "delivery", "quality", "price", "app", "onboarding", "returns")
_SURVEYS = ("nps", "nps", "nps", "partners", "rating")
_SOURCES = ("app", "web", "mail")
_RULES = ("detractor", "passive", "promoter", "urgent")
_TEAMS = ("Support", "Retention", "Billing", "North", "South", "Key accounts")
_OWNERS = ("Ana", "Bo", "Chidi", "Dana", "Emil", "Fay", "Goro", "Hana", "Ivo", "Jun", "Kim")
_CAUSES = ("late delivery", "wrong invoice", "defect", "waiting time", "")
_ACTIONS = ("called", "refunded", "replaced", "")
# (once, twice): words of comments, some in nearly every one, some in next to none.
_FIRST = ("the", "my", "your", "our", "this")
_SECOND = ("order", "invoice", "support", "delivery", "app", "price", "refund", "agent", "site")
_THIRD = ("was", "is", "came", "arrived", "felt", "works", "stopped", "looks")
_FOURTH = ("late", "slow", "great", "broken", "fine", "awful", "quick", "expensive", "confusing")


class _Words:
    """What the two databases say differently."""

    def __init__(self, is_sqlite: bool, now: datetime, answers: int) -> None:
        self.is_sqlite, self._answers = is_sqlite, answers
        self._first = now - timedelta(days=DAYS)

    def pick(self, values: Sequence[str], spread: int) -> str:
        """One of these, by the number of the row; `spread` makes columns independent."""
        number = f"((i * {spread}) / 7) % {len(values)}"
        cases = " ".join(f"WHEN {place} THEN '{value}'" for place, value in enumerate(values))
        return f"(CASE {number} {cases} END)"

    @property
    def second(self) -> str:
        """Of the answer, counted from 1970."""
        step = max(DAYS * 86_400 // max(self._answers, 1), 1)
        return f"({int(self._first.timestamp())} + i * {step})"

    @property
    def time(self) -> str:
        return self.later("0")

    def later(self, seconds: str) -> str:
        """So long after the answer."""
        if self.is_sqlite:
            moment = f"{self.second} + {seconds}"
            return f"(strftime('%Y-%m-%d %H:%M:%S', {moment}, 'unixepoch') || '.000000')"
        return f"to_timestamp({self.second} + {seconds})"

    @property
    def day(self) -> str:
        if self.is_sqlite:
            return f"strftime('%Y-%m-%d', {self.second}, 'unixepoch')"
        return f"to_char(to_timestamp({self.second}) AT TIME ZONE 'UTC', 'YYYY-MM-DD')"

    @property
    def monday(self) -> str:
        if self.is_sqlite:
            return f"date({self.second}, 'unixepoch', '-6 days', 'weekday 1')"
        week = f"date_trunc('week', to_timestamp({self.second}) AT TIME ZONE 'UTC')"
        return f"to_char({week}, 'YYYY-MM-DD')"

    def numbered(self, count: int) -> str:
        if self.is_sqlite:
            return (
                f"(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})"
                " SELECT i FROM n)"
            )
        return f"generate_series(1::bigint, {count}) AS n(i)"

    def padded(self, prefix: str, number: str, width: int = 12) -> str:
        if self.is_sqlite:
            return f"printf('{prefix}%0{width}d', {number})"
        return f"('{prefix}' || lpad(({number})::text, {width}, '0'))"

    def json(self, said: str) -> str:
        return said if self.is_sqlite else f"({said})::json"

    @property
    def yes(self) -> str:
        return "1" if self.is_sqlite else "true"

    @property
    def no(self) -> str:
        return "0" if self.is_sqlite else "false"


def fill(workspace: Workspace, now: datetime, answers: int) -> None:
    """Answers, decisions, readings, tallies, words, and a case for every tenth; one customer for
    every three answers."""
    store = workspace.store
    if store.is_sqlite:
        store.write(lambda c: c.exec_driver_sql(f"PRAGMA cache_size=-{_CACHE_KB}"))
    words = _Words(store.is_sqlite, now, answers)
    for statement in _statements(words, answers):
        # A single sign would be psycopg's own.
        said = statement if store.is_sqlite else statement.replace("%", "%%")
        store.write(functools.partial(_run, said))
    store.write(lambda c: _finish(c, answers, store.is_sqlite))


def _run(statement: str, connection: Connection) -> None:
    connection.exec_driver_sql(statement)


def _statements(w: _Words, answers: int) -> list[str]:
    i = "i"
    person = f"((i * 31) % {answers // 3 + 1})"
    response, customer = w.padded("r", i, 20), w.padded("c", person, 31)
    owner = w.padded("c", "i - 1", 31)
    score = "(((i * 13) / 3) % 11)"
    segment = f"(CASE WHEN {score} >= 9 THEN 'promoter' WHEN {score} >= 7 THEN 'passive' ELSE 'detractor' END)"
    survey, source = w.pick(_SURVEYS, 11), w.pick(_SOURCES, 17)
    language, plan, topic = w.pick(_LANGUAGES, 19), w.pick(_PLANS, 23), w.pick(_TOPICS, 29)
    rule = w.pick(_RULES, 37)
    comment = (
        f"(CASE WHEN i % 2 = 0 THEN '' ELSE {w.pick(_FIRST, 41)} || ' ' || {w.pick(_SECOND, 43)} || ' ' ||"
        f" {w.pick(_THIRD, 47)} || ' ' || {w.pick(_FOURTH, 53)} || ' ' ||"
        f" CASE WHEN i % 20011 = 1 THEN 'lawyer' ELSE {w.pick(_SECOND, 59)} END"
        f" || ' number' || (i % 5003) END)"
    )
    content = w.json(f"""'{{"record": "r' || i || '", "comment": "' || {comment} || '"}}'""")
    email = f"'p' || {person} || '@example.com'"
    facts = w.json(
        f"""'{{"response_id": "' || {response} || '", "source": "' || {source} || '", "survey": "' || {survey}
        || '", "score": ' || {score} || ', "segment": "' || {segment} || '", "comment": "' || {comment}
        || '", "language": "' || {language} || '", "customer_id": "' || {customer}
        || '", "customer": {{"email": "' || {email} || '", "plan": "' || {plan} || '"}}}}'"""
    )
    verdict = w.json(
        f"""'{{"matches": [{{"rule_id": "' || {rule} || '", "status": "live"}}], "intents": [],
        "topics": ["' || {topic} || '"], "flags": [], "complaints": []}}'"""
    )
    rows = w.numbered(answers)
    reading = f"((({w.second} * 1000) << 20) | (i % 1000000))"
    counted = w.json(
        f"""'[["survey", ""], ["source", "' || {source} || '"], ["language", "' || {language}
        || '"], ["brand", ""], ["rule", "' || {rule} || '"], ["topic", "' || {topic}
        || '"], ["customer.plan", "' || {plan} || '"]]'"""
    )
    ruleset = "(SELECT max(hash) FROM rulesets)"
    case = f"i % {CASES_EVERY} = 0"
    life = _life(w, answers)
    return [
        "INSERT INTO customers (id, name, attributes, created_at) "
        f"SELECT {owner}, 'First' || ((i - 1) % 40) || ' Last' || ((i - 1) % 3000), {w.json(chr(39) + chr(123) + chr(125) + chr(39))}, {w.time} "
        f"FROM {w.numbered(answers // 3 + 1)}",
        "INSERT INTO customer_keys (kind, value, customer_id) "
        f"SELECT 'email', 'p' || (i - 1) || '@example.com', {owner} FROM {w.numbered(answers // 3 + 1)}",
        "INSERT INTO responses (id, source, record, survey, customer_id, score, segment, revision, content,"
        " content_hash, answered_at, received_at, history) "
        f"SELECT {response}, {source}, 'rec' || i, {survey}, {customer}, {score}, {segment}, 1, {content},"
        f" 'h', {w.time}, {w.time}, {w.no} FROM {rows}",
        "INSERT INTO revisions (response_id, number, content, received_at) "
        f"SELECT {response}, 1, {content}, {w.time} FROM {rows}",
        "INSERT INTO decisions (number, response_id, revision, ruleset, engine, history, facts, verdict,"
        " decided_at) "
        f"SELECT i, {response}, 1, {ruleset}, '1', {w.no}, {facts}, {verdict}, {w.time} FROM {rows}",
        "INSERT INTO readings (id, response_id, number, epoch, seq, survey, source, given, score, segment,"
        " language, customer_id, has_comment, counted) "
        f"SELECT {reading}, {response}, i, 1, i, {survey}, {source}, {w.time}, {score}, {segment},"
        f" {language}, {customer}, CASE WHEN i % 2 = 0 THEN {w.no} ELSE {w.yes} END, {counted} FROM {rows}",
        *(
            "INSERT INTO tallies (dimension, day, survey, value, score, segment, n) "
            f"SELECT '{span}{dimension}', {day}, {survey}, {value}, {_text(score)}, {segment}, count(*) "
            f"FROM {rows} GROUP BY 1, 2, 3, 4, 5, 6"
            for span, day in (("", w.day), (tallies.WEEK, w.monday))
            for dimension, value in (
                ("survey", "''"),
                ("source", source),
                ("language", language),
                ("brand", "''"),
                ("rule", rule),
                ("topic", topic),
                ("customer.plan", plan),
            )
        ),
        _search(w, rows, reading, comment, survey, segment, language, topic, score, email, person),
        'INSERT INTO actions (id, "key", response_id, customer_id, source, decision, rule_id, sink, account,'
        ' kind, opens_case, to_customer, "order", state, due_at, attempts, fence, remote_id, url,'
        " created_at, finished_at) "
        f"SELECT i, 'k' || i, {response}, {customer}, {source}, i, {rule}, 'far', 'far', 'far.case', {w.yes},"
        f" {w.no}, {w.json(chr(39) + chr(123) + chr(125) + chr(39))}, 'done', {w.time}, 1, 1, 'T' || i,"
        f" 'https://desk.example.com/' || i, {w.time}, {w.time} FROM {rows} WHERE {case}",
        "INSERT INTO cases (action_id, response_id, customer_id, source, survey, score, segment, rule_id,"
        " sink, remote_id, url, priority, answered_at, opened_at, respond_by, reopened, "
        + ", ".join(life)
        + f") SELECT i, {response}, {customer}, {source}, {survey}, {score}, {segment}, {rule}, 'far', 'T' || i,"
        f" 'https://desk.example.com/' || i, 'high', {w.time}, {w.later('5')}, {w.later('86400')},"
        f" CASE WHEN i % 330 = 0 THEN 1 ELSE 0 END, {', '.join(life.values())} FROM {rows} WHERE {case}",
        *(
            "INSERT INTO case_events (action_id, kind, key, at, noticed_at) "
            f"SELECT i, '{kind}', '{kind}', {w.time}, {w.time} FROM {rows} WHERE {case}"
            for kind in ("opened", "contacted", "closed")
        ),
    ]


def _life(w: _Words, answers: int) -> dict[str, str]:
    """How cases go on: most are touched within a day or two and closed within a week, some wait
    for long; the newest tenth is open, of it half untouched."""
    touched = "(60 + ((i * 7919) % 1009) * ((i * 104729) % 1013) / 4)"
    closed = f"({touched} + ((i * 15485863) % 997) * ((i * 6151) % 991) / 2)"
    is_new = f"i > {answers * 9 // 10}"
    untouched = f"{is_new} AND i % 20 = 0"
    known = f"CASE WHEN {untouched} THEN NULL ELSE"
    told = f"CASE WHEN {is_new} THEN NULL ELSE"
    return {
        "state": f"CASE WHEN {untouched} THEN 'open' WHEN {is_new} THEN 'contacted' ELSE 'closed' END",
        "contacted_at": f"{known} {w.later(touched)} END",
        "working_seconds": f"{known} {touched} / 3.0 END",
        "closed_at": f"{told} {w.later(closed)} END",
        "team": w.pick(_TEAMS, 61),
        "owner": f"{known} {w.pick(_OWNERS, 67)} END",
        "cause": f"{told} {w.pick(_CAUSES, 71)} END",
        "action_taken": f"{told} {w.pick(_ACTIONS, 73)} END",
    }


def _text(expression: str) -> str:
    return f"CAST({expression} AS text)"


def _search(w: _Words, rows: str, reading: str, comment: str, *said: str) -> str:
    survey, segment, language, topic, score, email, person = said
    plain = f"replace(replace({email}, '@', ' :n'), '.', ' :n')"
    tokens = (
        f"CASE WHEN i % 2 = 0 THEN '' ELSE {comment} || ' :c1 :v' || {survey} || ' :s' || {score} || ' :g'"
        f" || {segment} || ' :l' || {language} || ' :t' || {topic} || ' ' END"
        f" || ':nfirst' || ({person} % 40) || ' :nlast' || ({person} % 3000) || ' :n' || {plain}"
    )
    if w.is_sqlite:
        return (
            f"INSERT INTO {searching.TABLE} (rowid, words) SELECT {reading}, {tokens} FROM {rows}"
        )
    return (
        f"INSERT INTO {searching.TABLE} (id, words) "
        f"SELECT {reading}, array_to_tsvector(string_to_array({tokens}, ' ')) FROM {rows}"
    )


def _finish(connection: Connection, answers: int, is_sqlite: bool) -> None:
    """How far it is projected, and what the planner should know."""
    connection.execute(text("DELETE FROM projected"))
    connection.execute(
        text(
            "INSERT INTO projected (id, number, reached, seen_number, seen_xid, seq, epoch, dimensions) "
            "VALUES (1, :n, :n, :n, 0, :n, 1, :d)"
        ),
        {
            "n": answers,
            "d": '["survey", "source", "language", "brand", "rule", "topic", "shadow", "customer.plan", "weeks"]',
        },
    )
    if is_sqlite:
        return
    for table, column in (("decisions", "number"), ("actions", "id")):
        connection.exec_driver_sql(
            f"SELECT setval(pg_get_serial_sequence('{table}', '{column}'), "
            f"(SELECT max({column}) FROM {table}))"
        )
    connection.exec_driver_sql("ANALYZE")
