"""One attempt to tell a receiver: read its secret, compose, post, judge. No secret gets out of here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

from nodetide_core.alerts.notify.answers import Kind, Verdict, judge
from nodetide_core.alerts.notify.compose import compose
from nodetide_core.alerts.notify.message import Message
from nodetide_core.alerts.notify.posting import AddressWrong, Poster, Unanswered
from nodetide_core.policy.spec import Notify, Policy, SecretRef

__all__ = ["Secrets", "attempt"]

#: What a reference of a policy holds, read anew; raises OSError or LookupError, saying what is missing.
Secrets = Callable[[Policy, SecretRef], str]


def attempt(
    messages: Sequence[Message], policy: Policy, receiver: Notify, *, poster: Poster, secrets: Secrets, now: int
) -> Verdict:
    """
    Args:
        now: Unix seconds.
    """
    secret = None
    if receiver.secret_ref is not None:
        ref = receiver.secret_ref
        try:
            secret = secrets(policy, ref).strip()
        except (OSError, LookupError) as error:
            return Verdict(Kind.DENIED, f"secret {ref.name}, key {ref.key}: {_explained(error)}")
        if not secret:
            return Verdict(Kind.DENIED, f"secret {ref.name}, key {ref.key}: it is empty")
    try:
        reply = poster.post(compose(receiver, messages, secret, now))
    except AddressWrong as error:
        return Verdict(Kind.DENIED, str(error))
    except Unanswered as error:
        return _redacted(Verdict(Kind.LATER, str(error)), secret)
    return _redacted(judge(reply, receiver.type, now), secret)


def _explained(error: OSError | LookupError) -> str:
    # The text of a KeyError is quoted.
    text = error.args[0] if isinstance(error, LookupError) and error.args else error
    return " ".join(str(text).split()) or type(error).__name__


def _redacted(verdict: Verdict, secret: str | None) -> Verdict:
    """Receivers may quote what they were sent."""
    reason = verdict.reason
    if secret:
        path = urlsplit(secret).path if "://" in secret else ""
        for hidden in (secret, path):
            if len(hidden) > 1:
                reason = reason.replace(hidden, "***")
    return Verdict(verdict.kind, reason, verdict.retry_after)
