"""Stand-in of Google's token endpoint and Google Forms. `items` builds forms for seeding."""

from connector.sandbox.google.api import Google

__all__ = ["Google"]
