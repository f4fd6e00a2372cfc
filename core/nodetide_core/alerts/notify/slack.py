"""What Slack is sent: a message for an incoming webhook. Pure.

https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks (text, attachments with blocks),
https://docs.slack.dev/messaging/formatting-message-text (the three characters to be escaped),
https://docs.slack.dev/reference/block-kit/composition-objects/text-object (3,000 characters each).

Whatever comes from users is plain text, where Slack looks for no mark-up, mentions or links, and escaped, so that
``<!channel>`` is five letters more and no ping.
"""

from __future__ import annotations

import re
from typing import Any

from nodetide_core.alerts.notify.message import Message, Request, clean, encode, instant
from nodetide_core.alerts.notify.wording import details, headline, labels_shown

__all__ = ["request"]

_COLORS = {"critical": "#d0021b", "warning": "#f5a623", "info": "#4a90e2"}
_RESOLVED = "#2eb886"
#: Characters of a text object, and of the line above, which stands in notifications of the desktop, too.
_TEXT = 3000
_LINE = 300
_LINK = re.compile(r"https?://[!-~]+")
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def request(message: Message, *, url: str) -> Request:
    """
    Args:
        url: the webhook's, which is the secret.
    """
    alert = message.alert
    blocks = [_plain(text) for text in (details(message), labels_shown(alert.labels)) if text]
    link = _link(alert.annotations.get("runbook_url", ""))
    if link:
        blocks.append(_section("mrkdwn", link))
    when = f"Began {instant(alert.starts_at)}"
    if alert.ends_at is not None:
        when += f", ended {instant(alert.ends_at)}"
    blocks.append({"type": "context", "elements": [{"type": "plain_text", "text": when, "emoji": False}]})
    color = _COLORS.get(alert.severity, _COLORS["info"]) if message.firing else _RESOLVED
    document = {
        "text": _escaped(headline(message), _LINE),
        "mrkdwn": False,
        "attachments": [{"color": color, "blocks": blocks}],
    }
    return Request(url, encode(document), {"Content-Type": "application/json"})


def _plain(text: str) -> dict[str, Any]:
    return _section("plain_text", _escaped(text, _TEXT))


def _section(kind: str, text: str) -> dict[str, Any]:
    # Either says that nothing but what is marked up is to be turned into something else.
    option = {"emoji": False} if kind == "plain_text" else {"verbatim": True}
    return {"type": "section", "text": {"type": kind, "text": text, **option}}


def _link(url: str) -> str:
    """A link, if it is one: a bar would end it early."""
    escaped = _escaped(url.replace("|", "%7C"), _TEXT)
    return f"<{escaped}|Runbook>" if _LINK.fullmatch(url) and len(escaped) < _TEXT // 2 else ""


def _escaped(text: str, limit: int) -> str:
    """Cut so that it keeps to the limit when escaped, and in no escape."""
    pieces: list[str] = []
    length = 0
    for character in clean(text):
        piece = _ESCAPES.get(character, character)
        length += len(piece)
        if length > limit:
            while pieces and length - len(piece) > limit - 1:
                length -= len(pieces.pop())
            return "".join(pieces) + "…"
        pieces.append(piece)
    return "".join(pieces)
