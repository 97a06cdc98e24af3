"""The words of the weekly digest in English, Spanish, Italian and Portuguese, and how each writes
numbers and dates. English is the key; a test asks for every word in every language."""

from __future__ import annotations

from datetime import date

_WORDS: dict[str, tuple[str, str, str]] = {
    "NPS, week of {week}": (
        "NPS, semana del {week}",
        "NPS, settimana del {week}",
        "NPS, semana de {week}",
    ),
    "Week of {first} to {last}": (
        "Semana del {first} al {last}",
        "Settimana dal {first} al {last}",
        "Semana de {first} a {last}",
    ),
    "NPS {nps}, 95 % interval {low} to {high}, n {n} in four weeks": (
        "NPS {nps}, intervalo del 95 % de {low} a {high}, n {n} en cuatro semanas",
        "NPS {nps}, intervallo al 95 % da {low} a {high}, n {n} in quattro settimane",
        "NPS {nps}, intervalo de 95 % de {low} a {high}, n {n} em quatro semanas",
    ),
    "Too few answers to say an NPS: n {n} in four weeks": (
        "Muy pocas respuestas para dar un NPS: n {n} en cuatro semanas",
        "Troppo poche risposte per un NPS: n {n} in quattro settimane",
        "Poucas respostas para dar um NPS: n {n} em quatro semanas",
    ),
    "Answers this week: {n}": (
        "Respuestas esta semana: {n}",
        "Risposte questa settimana: {n}",
        "Respostas nesta semana: {n}",
    ),
    "fell": ("bajó", "è sceso", "caiu"),
    "rose": ("subió", "è salito", "subiu"),
    "no evidence of change": (
        "sin indicios de cambio",
        "nessun indizio di cambiamento",
        "sem indícios de mudança",
    ),
    "too few to say": ("muy pocas para decirlo", "troppo poche per dirlo", "poucas para dizer"),
    "{weeks} weeks against the year before: {verdict}": (
        "{weeks} semanas frente al año anterior: {verdict}",
        "{weeks} settimane rispetto all'anno precedente: {verdict}",
        "{weeks} semanas em relação ao ano anterior: {verdict}",
    ),
    "{difference} points, interval {low} to {high}": (
        "{difference} puntos, intervalo de {low} a {high}",
        "{difference} punti, intervallo da {low} a {high}",
        "{difference} pontos, intervalo de {low} a {high}",
    ),
    "Closing the loop": ("Cierre del ciclo", "Chiusura del ciclo", "Fechamento do ciclo"),
    "New cases": ("Casos nuevos", "Casi nuovi", "Casos novos"),
    "Closed": ("Cerrados", "Chiusi", "Fechados"),
    "Open": ("Abiertos", "Aperti", "Abertos"),
    "Overdue": ("Vencidos", "Scaduti", "Atrasados"),
    "Detractors nobody has contacted": (
        "Detractores que nadie ha contactado",
        "Detrattori che nessuno ha contattato",
        "Detratores que ninguém contatou",
    ),
    "On time": ("A tiempo", "In tempo", "No prazo"),
    "{share} % ({low} to {high}) of {n} due in four weeks": (
        "{share} % ({low} a {high}) de {n} que vencían en cuatro semanas",
        "{share} % (da {low} a {high}) di {n} in scadenza in quattro settimane",
        "{share} % ({low} a {high}) de {n} com prazo em quatro semanas",
    ),
    "nothing was due": ("nada vencía", "nulla in scadenza", "nada com prazo"),
    "Gaps": ("Huecos", "Lacune", "Lacunas"),
    "No gaps: everything received was decided and delivered.": (
        "Sin huecos: todo lo recibido se decidió y se entregó.",
        "Nessuna lacuna: tutto ciò che è arrivato è stato deciso e consegnato.",
        "Sem lacunas: tudo o que chegou foi decidido e entregue.",
    ),
    "records could not be read": (
        "registros no se pudieron leer",
        "record non leggibili",
        "registros não puderam ser lidos",
    ),
    "records are held: their survey or source is unknown": (
        "registros retenidos: no se conoce su encuesta o su origen",
        "record trattenuti: indagine o fonte sconosciuta",
        "registros retidos: pesquisa ou origem desconhecida",
    ),
    "records wait to be decided for too long": (
        "registros esperan demasiado una decisión",
        "record in attesa di decisione da troppo tempo",
        "registros esperam há demasiado tempo por uma decisão",
    ),
    "records were decided without a decision": (
        "registros decididos sin decisión",
        "record decisi senza decisione",
        "registros decididos sem decisão",
    ),
    "actions are parked": ("acciones aparcadas", "azioni accantonate", "ações paradas"),
    "actions are in doubt": ("acciones en duda", "azioni in dubbio", "ações em dúvida"),
    "actions are held": ("acciones retenidas", "azioni trattenute", "ações retidas"),
    "actions are overdue": ("acciones atrasadas", "azioni in ritardo", "ações atrasadas"),
    "Topics": ("Temas", "Temi", "Temas"),
    "In their words": ("En sus palabras", "Con parole loro", "Nas palavras deles"),
    "Nobody wrote anything.": (
        "Nadie escribió nada.",
        "Nessuno ha scritto nulla.",
        "Ninguém escreveu nada.",
    ),
    "{score} of {high}": ("{score} de {high}", "{score} su {high}", "{score} de {high}"),
    "no score": ("sin puntuación", "nessun punteggio", "sem nota"),
    "Open the dashboard": ("Abrir el panel", "Apri il pannello", "Abrir o painel"),
    "There were no answers.": (
        "No hubo respuestas.",
        "Non ci sono state risposte.",
        "Não houve respostas.",
    ),
    "week of {day}: {nps} ({low} to {high}), n {n}": (
        "semana del {day}: {nps} ({low} a {high}), n {n}",
        "settimana del {day}: {nps} (da {low} a {high}), n {n}",
        "semana de {day}: {nps} ({low} a {high}), n {n}",
    ),
    "NPS by week with its 95 % interval": (
        "NPS por semana con su intervalo del 95 %",
        "NPS per settimana con il suo intervallo al 95 %",
        "NPS por semana com o seu intervalo de 95 %",
    ),
    "An interval is about chance among those who answered. The verdict may be read every week: "
    "without a change it raises an alarm for at most one survey in twenty in a year.": (
        "Un intervalo trata del azar entre quienes respondieron. El veredicto puede leerse cada "
        "semana: sin cambios da una alarma como mucho en una de veinte encuestas al año.",
        "Un intervallo riguarda il caso tra chi ha risposto. Il verdetto si può leggere ogni "
        "settimana: senza cambiamenti allarma al massimo per un'indagine su venti in un anno.",
        "Um intervalo trata do acaso entre quem respondeu. O veredicto pode ser lido toda semana: "
        "sem mudança, alarma no máximo para uma em vinte pesquisas num ano.",
    ),
}
LANGUAGES = ("en", "es", "it", "pt")
_MONTHS = {
    "en": "January February March April May June July August September October November December",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre "
    "diciembre",
    "it": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre "
    "dicembre",
    "pt": "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro "
    "dezembro",
}
_OF = {"es": " de ", "pt": " de "}


def say(language: str, words: str, **values: object) -> str:
    """Raises KeyError for words that nobody translated."""
    place = LANGUAGES.index(language)
    text = words if place == 0 and words in _WORDS else _WORDS[words][place - 1]
    return text.format(**values) if values else text


def number(language: str, value: float, signed: bool = False) -> str:
    """A whole number: `1,234` in English, `1.234` elsewhere; a minus that is one."""
    whole = round(value)
    text = f"{abs(whole):,}"
    if language != "en":
        text = text.replace(",", ".")
    sign = "−" if whole < 0 else "+" if signed and whole else ""  # noqa: RUF001
    return sign + text


def day(language: str, value: date, year: bool = False) -> str:
    """`16 November`, `16 de noviembre de 2026`."""
    between = _OF.get(language, " ")
    text = f"{value.day}{between}{_MONTHS[language].split()[value.month - 1]}"
    return f"{text}{between}{value.year}" if year else text


def every_word() -> dict[str, tuple[str, str, str]]:
    return dict(_WORDS)
