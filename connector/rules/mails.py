"""`templates/NAME/LANG.txt` and `.html`: the mails that a rule may send, in their languages."""

from __future__ import annotations

import re
from collections.abc import Mapping

from connector.domain import Problem
from connector.rules.model import RulesetText, Vocabulary
from connector.rules.template_check import compile_template
from connector.rules.templates import FALLBACK_LANGUAGE, MailParts, MailTemplate, TextTemplate
from connector.text import one_line

_FILE = re.compile(r"templates/([a-z0-9][a-z0-9_-]*)/([A-Za-z]{2,3}(?:-[A-Za-z0-9]+)*)\.(txt|html)")
_SUBJECT = re.compile(r"Subject:[ \t]*(\S.*)")


def read_mails(
    text: RulesetText, vocabulary: Vocabulary
) -> tuple[dict[str, MailTemplate], list[Problem]]:
    """Every mail template by name, and every problem in their files."""
    reader = _Reader(text.files, vocabulary)
    names: dict[str, dict[str, str]] = {}
    for file in sorted(text.files):
        found = _FILE.fullmatch(file)
        if found:
            names.setdefault(found[1], {})[found[2].lower()] = file.rpartition(".")[0]
        elif file.startswith("templates/"):
            hint = "allowed: templates/NAME/LANGUAGE.txt and .html, such as templates/thanks/en.txt"
            reader.wrong(file, 1, "this is no place for a mail template", hint)
    mails = {
        name: MailTemplate(
            name, {lang: parts for lang, stem in stems.items() if (parts := reader.parts(stem))}
        )
        for name, stems in names.items()
    }
    for name, stems in names.items():
        if FALLBACK_LANGUAGE not in stems:
            first = min(stems.values())
            message = f"{name} has no {FALLBACK_LANGUAGE}.txt"
            hint = f"other languages get {min(stems)}"
            reader.wrong(f"{first}.txt", 1, message, hint, warning=True)
    return mails, reader.problems


class _Reader:
    def __init__(self, files: Mapping[str, str], vocabulary: Vocabulary) -> None:
        self.files, self.vocabulary = files, vocabulary
        self.problems: list[Problem] = []

    def wrong(
        self, file: str, line: int, message: str, hint: str = "", warning: bool = False
    ) -> None:
        self.problems.append(
            Problem(
                file=file,
                line=line,
                column=1,
                severity="warning" if warning else "error",
                message=message,
                hint=hint,
            )
        )

    def parts(self, stem: str) -> MailParts | None:
        """Subject and bodies of one language; None where a problem was noted."""
        text_file, html_file = f"{stem}.txt", f"{stem}.html"
        html_source = self.files.get(html_file)
        html = None if html_source is None else self.compile(html_file, html_source, 1, html=True)
        if text_file not in self.files:
            self.wrong(html_file, 1, "the plain text is missing", f"write {text_file} too")
            return None
        first, _, rest = self.files[text_file].replace("\r\n", "\n").partition("\n")
        blank, _, body = rest.partition("\n")
        found = _SUBJECT.fullmatch(first.removeprefix("\ufeff").rstrip())
        if not found:
            self.wrong(text_file, 1, "the first line must be 'Subject: …'")
        elif blank.strip():
            self.wrong(text_file, 2, "the second line must be empty", "the text begins in line 3")
        elif not body.strip():
            self.wrong(text_file, 3, "the text is missing")
        else:
            subject = self.compile(text_file, found[1], 1)
            text = self.compile(text_file, body, 3)
            if subject and text and (html or html_source is None):
                return MailParts(subject, text, html)
        return None

    def compile(self, file: str, source: str, line: int, html: bool = False) -> TextTemplate | None:
        template, remarks = compile_template(source, self.vocabulary, html)
        for remark in remarks:
            self.wrong(file, line + remark.line - 1, one_line(remark.message), remark.hint)
        return template


def printed_variables(mail: MailTemplate, language: str) -> dict[tuple[str, str], int]:
    """(file ending, variable that can be empty) -> line in that file."""
    parts = mail.languages[language]
    found = {("txt", name): 1 for name in parts.subject.needs}
    for name, line in parts.text.needs.items():
        found.setdefault(("txt", name), line + 2)
    if parts.html:
        found.update({("html", name): line for name, line in parts.html.needs.items()})
    return found
