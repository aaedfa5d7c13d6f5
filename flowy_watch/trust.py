"""Whose certificates are believed."""

import ssl
from functools import cache

import httpx


@cache
def trusted() -> ssl.SSLContext:
    """httpx's own choice (`SSL_CERT_FILE`, `SSL_CERT_DIR`, else certifi's list) for all of its clients in this process.

    Each client would read the list anew, also for plain HTTP: 20 ms of CPU.
    A list that changes is read at the next start.
    """
    return httpx.create_ssl_context()
