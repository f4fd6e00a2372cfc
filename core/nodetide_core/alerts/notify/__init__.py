"""Telling receivers of alerts: what to send when is decided in pure functions, each receiver sends on its own."""
