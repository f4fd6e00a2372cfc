"""One attempt to tell a receiver: read its secret, compose, post, judge. No secret gets out of here."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from nodetide_core.alerts.notify.answers import Kind, Verdict, judge
from nodetide_core.alerts.notify.compose import compose
from nodetide_core.alerts.notify.message import Message
from nodetide_core.alerts.notify.posting import AddressWrong, Poster, Unanswered
from nodetide_core.policy.spec import Notify, Policy, SecretRef
from nodetide_core.redaction import redacted

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
        return Verdict(Kind.LATER, redacted(str(error), secret))
    # Receivers may quote what they were sent.
    said = redacted(reply.body.decode("utf-8", "replace"), secret)
    return judge(reply._replace(body=said.encode()), receiver.type, now)


def _explained(error: OSError | LookupError) -> str:
    # The text of a KeyError is quoted.
    text = error.args[0] if isinstance(error, LookupError) and error.args else error
    return " ".join(str(text).split()) or type(error).__name__
