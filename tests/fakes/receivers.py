"""Receivers of alerts as their vendors document them, strict: what they would refuse or show wrongly is an error."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_ENTITY = re.compile(r"&(?!amp;|lt;|gt;)")
_MRKDWN_LINK = re.compile(r"<https?://[^\s<>|]+\|[^<>|]+>")


def _seconds(text: Any) -> float:
    assert isinstance(text, str) and _RFC3339.fullmatch(text), text
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def _texts(mapping: Any) -> None:
    assert isinstance(mapping, dict)
    assert all(isinstance(key, str) and isinstance(value, str) for key, value in mapping.items())


def alertmanager(body: bytes) -> list[dict[str, Any]]:
    """``postableAlerts`` of the OpenAPI description of API v2, and what its server checks beyond."""
    alerts: list[dict[str, Any]] = json.loads(body)
    assert isinstance(alerts, list) and alerts
    for alert in alerts:
        assert set(alert) <= {"labels", "annotations", "startsAt", "endsAt", "generatorURL"}
        _texts(alert["labels"])
        _texts(alert["annotations"])
        assert all(_NAME.fullmatch(name) for name in (*alert["labels"], *alert["annotations"]))
        assert any(alert["labels"].values())
        assert _seconds(alert["startsAt"]) <= _seconds(alert["endsAt"])
    return alerts


def http(body: bytes) -> dict[str, Any]:
    """docs/alert-receivers.md."""
    document: dict[str, Any] = json.loads(body)
    assert set(document) == {
        "version", "status", "id", "severity", "previousSeverity", "labels", "annotations", "startsAt", "endsAt",
        "value", "reason",
    }  # fmt: skip
    assert document["version"] == "1"
    assert document["status"] in ("firing", "resolved")
    assert isinstance(document["id"], str) and document["id"]
    assert document["severity"] in ("critical", "warning", "info")
    assert document["previousSeverity"] in ("critical", "warning", "info", None)
    _texts(document["labels"])
    _texts(document["annotations"])
    starts = _seconds(document["startsAt"])
    assert (document["endsAt"] is None) == (document["status"] == "firing")
    assert document["endsAt"] is None or _seconds(document["endsAt"]) >= starts
    assert document["value"] is None or isinstance(document["value"], (int, float))
    assert document["reason"] is None or document["reason"]
    return document


def pagerduty(body: bytes) -> dict[str, Any]:
    """Alert events of the Events API v2."""
    assert len(body) <= 512 * 1024
    event: dict[str, Any] = json.loads(body)
    assert set(event) <= {
        "routing_key",
        "event_action",
        "dedup_key",
        "payload",
        "images",
        "links",
        "client",
        "client_url",
    }
    assert isinstance(event["routing_key"], str) and len(event["routing_key"]) == 32
    assert event["event_action"] in ("trigger", "acknowledge", "resolve")
    assert 1 <= len(event["dedup_key"]) <= 255
    payload = event["payload"]
    assert set(payload) <= {
        "summary", "source", "severity", "timestamp", "component", "group", "class", "custom_details",
    }  # fmt: skip
    assert isinstance(payload["summary"], str) and 1 <= len(payload["summary"]) <= 1024
    assert isinstance(payload["source"], str) and payload["source"]
    assert payload["severity"] in ("critical", "error", "warning", "info")
    _seconds(payload["timestamp"])
    assert isinstance(payload["custom_details"], dict)
    for link in event.get("links", []):
        assert set(link) <= {"href", "text"} and link["href"].startswith(("http://", "https://"))
    return event


def slack(body: bytes) -> dict[str, Any]:
    """A message for an incoming webhook, in which no user's text can be a mention, a link or mark-up."""
    message: dict[str, Any] = json.loads(body)
    assert set(message) <= {"text", "blocks", "attachments", "mrkdwn", "thread_ts"}
    assert 1 <= len(message["text"]) <= 4000
    assert message["mrkdwn"] is False
    _escaped(message["text"])
    assert len(message["attachments"]) <= 20
    for attachment in message["attachments"]:
        assert set(attachment) <= {"color", "blocks"}
        assert re.fullmatch(r"#[0-9a-f]{6}", attachment["color"])
        assert 1 <= len(attachment["blocks"]) <= 50
        for block in attachment["blocks"]:
            _block(block)
    return message


def _block(block: dict[str, Any]) -> None:
    if block["type"] == "section":
        assert set(block) == {"type", "text"}
        _text_object(block["text"])
        return
    assert block["type"] == "context" and set(block) == {"type", "elements"}
    assert 1 <= len(block["elements"]) <= 10
    for element in block["elements"]:
        _text_object(element)


def _text_object(text: dict[str, Any]) -> None:
    assert 1 <= len(text["text"]) <= 3000
    if text["type"] == "plain_text":
        assert set(text) <= {"type", "text", "emoji"}
        _escaped(text["text"])
        return
    assert text["type"] == "mrkdwn" and set(text) <= {"type", "text", "verbatim"}
    assert _MRKDWN_LINK.fullmatch(text["text"])
    assert not _ENTITY.search(text["text"])


def _escaped(text: str) -> None:
    assert not set(text) & set("<>")
    assert not _ENTITY.search(text)
