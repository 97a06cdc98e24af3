"""What we use of google-auth, imported on first use, and by this one door.

Its modules import each other: two threads that enter by different doors meet a half-made one.
https://github.com/python/cpython/issues/106176
"""

from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import Request
from google.oauth2.service_account import Credentials

__all__ = ["Credentials", "GoogleAuthError", "Request"]
