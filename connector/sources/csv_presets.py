"""Column names of known exports. Only those that exist in a file are used; `columns` wins."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Preset:
    """`columns`: field -> header names, the first that exists is taken."""

    columns: dict[str, tuple[str, ...]]
    properties: tuple[str, ...] = field(default=())
    zone: str | None = None


PRESETS: dict[str, Preset] = {
    # The export's header is not published: these are the names of its API in plain words.
    "delighted": Preset(
        {
            "score": ("Score",),
            "comment": ("Comment",),
            "email": ("Email", "Email Address", "Person Email"),
            "name": ("Name", "Person Name"),
            "phone": ("Phone Number", "Phone"),
            "external_id": ("customer_id", "Customer ID"),
            "id": ("Response ID", "Survey Response ID"),
            "answered_at": ("Created At", "Response Date", "Date"),
            "revised_at": ("Updated At",),
            "link": ("Permalink",),
            "tags": ("Tags",),
        }
    ),
    # https://support.google.com/docs/answer/2917686: the sheet that a form fills. Times have the
    # zone of the spreadsheet, which the file does not say.
    "google_sheet": Preset(
        {
            "answered_at": (
                "Timestamp",
                "Marca temporal",
                "Informazioni cronologiche",
                "Carimbo de data/hora",
                "Horodateur",
                "Zeitstempel",
            ),
            "email": (
                "Email Address",
                "Dirección de correo electrónico",
                "Indirizzo email",
                "Endereço de e-mail",
                "Adresse e-mail",
                "E-Mail-Adresse",
            ),
        }
    ),
    # One column per question follows, headed by its text. Times are taken as UTC.
    "hotjar": Preset(
        {
            "external_id": ("User ID",),
            "answered_at": ("Date Submitted",),
        },
        properties=("Country", "Source URL", "Device", "Browser", "OS", "Hotjar User ID"),
        zone="UTC",
    ),
}
