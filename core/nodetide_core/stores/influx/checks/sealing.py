"""Telling whether InfluxDB holds a secret, though it never gives one back.

Beside each secret stands a seal: a random salt, and half of what PBKDF2 makes of the secret with it.  Who reads the
seal can only test guesses, each at the price of `_ROUNDS` hashes, and without the salt of this endpoint nothing that
was computed before helps; tokens, webhook addresses and routing keys are far too long to be guessed.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

__all__ = ["Sealer", "Secret"]

_ROUNDS = 20_000
_BYTES = 16
#: Seals that are remembered, so that not each look costs their computing.
_KNOWN = 4_096


@dataclass(frozen=True, slots=True)
class Secret:
    """Text that is never shown."""

    text: str = field(repr=False)


class Sealer:
    """Belongs to one thread.

    Args:
        salt: hex text, another each time.
    """

    def __init__(self, salt: Callable[[], str] = lambda: secrets.token_hex(_BYTES)) -> None:
        self._salt = salt
        self._known: dict[tuple[str, Secret], str] = {}

    def seal(self, secret: Secret) -> str:
        """A seal of the secret, another each time."""
        return self._sealed(self._salt(), secret)

    def holds(self, seal: str, secret: Secret) -> bool:
        """Whether it is a seal of this secret."""
        salt = seal.partition(":")[0]
        try:
            return hmac.compare_digest(self._sealed(salt, secret), seal)
        except (ValueError, TypeError):  # edited by hand
            return False

    def _sealed(self, salt: str, secret: Secret) -> str:
        found = self._known.get((salt, secret))
        if found is None:
            made = hashlib.pbkdf2_hmac(
                "sha256", secret.text.encode("utf-8", "surrogatepass"), bytes.fromhex(salt), _ROUNDS, _BYTES
            )
            if len(self._known) >= _KNOWN:
                self._known.clear()
            found = self._known[salt, secret] = f"{salt}:{made.hex()}"
        return found
