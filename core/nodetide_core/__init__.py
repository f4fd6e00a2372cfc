"""The model every part of Nodetide shares: no web framework, no cluster client, no I/O at import."""

__all__ = ["__version__"]

__version__ = "0.1.0"
