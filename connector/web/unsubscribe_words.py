"""What the unsubscribe page says, in the languages in which our mails are usually written."""

from __future__ import annotations

import re
from typing import NamedTuple

_ASKED = re.compile(r"([A-Za-z]{2,3})(?:-[A-Za-z0-9-]+)?(?:\s*;\s*q=([01](?:\.\d{0,3})?))?")


class Words(NamedTuple):
    """`title` is also what stands on the button."""

    language: str
    title: str
    text: str
    done: str
    done_text: str
    wrong: str
    wrong_text: str
    later: str
    later_text: str


_ENGLISH = Words(
    "en",
    "Unsubscribe",
    "You will get no more mails of this kind from us.",
    "Done",
    "You will get no more mails of this kind from us.",
    "This link is not valid",
    "Please open the link again from the e-mail, whole and unchanged, or answer that e-mail.",
    "Not now",
    "We could not write it down. Please try again in a few minutes.",
)
_WORDS = {
    words.language: words
    for words in (
        _ENGLISH,
        Words(
            "es",
            "Darme de baja",
            "No recibirá más correos nuestros de este tipo.",
            "Listo",
            "No recibirá más correos nuestros de este tipo.",
            "Este enlace no es válido",
            "Ábralo otra vez desde el correo, entero y sin cambios, o responda a ese correo.",
            "Ahora no",
            "No hemos podido anotarlo. Inténtelo de nuevo dentro de unos minutos.",
        ),
        Words(
            "it",
            "Annulla l'iscrizione",
            "Non riceverà più e-mail di questo tipo da noi.",
            "Fatto",
            "Non riceverà più e-mail di questo tipo da noi.",
            "Questo link non è valido",
            "Lo apra di nuovo dall'e-mail, intero e senza modifiche, oppure risponda all'e-mail.",
            "Non adesso",
            "Non siamo riusciti a registrarlo. Riprovi tra qualche minuto.",
        ),
        Words(
            "pt",
            "Cancelar a subscrição",
            "Não receberá mais e-mails nossos deste tipo.",
            "Feito",
            "Não receberá mais e-mails nossos deste tipo.",
            "Esta ligação não é válida",
            "Abra-a de novo a partir do e-mail, inteira e sem alterações, ou responda ao e-mail.",
            "Agora não",
            "Não conseguimos registá-lo. Tente de novo dentro de alguns minutos.",
        ),
        Words(
            "de",
            "Abmelden",
            "Sie erhalten keine E-Mails dieser Art mehr von uns.",
            "Erledigt",
            "Sie erhalten keine E-Mails dieser Art mehr von uns.",
            "Dieser Link ist nicht gültig",
            "Bitte öffnen Sie ihn vollständig und unverändert aus der E-Mail, oder antworten Sie "
            "auf die E-Mail.",
            "Jetzt nicht",
            "Es konnte nicht gespeichert werden. Bitte versuchen Sie es in einigen Minuten wieder.",
        ),
        Words(
            "fr",
            "Me désabonner",
            "Vous ne recevrez plus d'e-mails de ce type de notre part.",
            "C'est fait",
            "Vous ne recevrez plus d'e-mails de ce type de notre part.",
            "Ce lien n'est pas valable",
            "Rouvrez-le depuis l'e-mail, entier et sans modification, ou répondez à cet e-mail.",
            "Pas maintenant",
            "Nous n'avons pas pu l'enregistrer. Réessayez dans quelques minutes.",
        ),
    )
}


def chosen(known: str, asked: str) -> Words:
    """`known`: the language of the mail; `asked`: the browser's Accept-Language."""
    wished = sorted(_ASKED.findall(asked[:500]), key=lambda one: -float(one[1] or 1))
    candidates = (known, *(language for language, quality in wished if quality not in ("0", "0.0")))
    for language in candidates:
        words = _WORDS.get(language.partition("-")[0].casefold())
        if words is not None:
            return words
    return _ENGLISH
