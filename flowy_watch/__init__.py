"""Watches what every Flowy API key spends and says how to revoke it when something is wrong."""

__version__ = "0.1.0"
