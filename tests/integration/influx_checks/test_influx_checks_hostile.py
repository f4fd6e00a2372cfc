"""Labels, messages, tags and addresses that are Flux, templates, quotes and line breaks: all of it is text there."""

from __future__ import annotations

import time
from collections.abc import Callable
from html import escape
from typing import Any

import pytest
from tests.integration.influx_checks.org import Org
from tests.integration.influx_checks.receiving import Received

from nodetide_core.points import Point, make_tags
from nodetide_core.policy import Policy

pytestmark = [pytest.mark.peer, pytest.mark.slow]

PICKED = '") |> drop(columns: ["host"]) //'
#: Each would end or begin something where it is not text.
HOSTILE = [
    '${r._level}', '"', '\\', '\\"', '"}, crit: (r) => true, x: {y: "', "a\nb\r\tc", "$$ ${", "}", "\\x24{1}",
    "{{ .x }}", PICKED, "ünïcødé 世界 \U0001f600", "' or 1=1 --", "a,b=c d", "/* */ // #",
    "<!channel> <http://a|b> &lt;",
]  # fmt: skip
ALL = " ".join(HOSTILE)


def test_whatever_users_write_is_text_all_the_way_to_the_receiver(
    org: Org, policy: Callable[..., Policy], until: Callable[..., Any], received: Received
) -> None:
    org.secrets |= {"s": 'to"ken ${r._level} \\', "chat": f"{received.url}/hook?${{r._level}}"}
    org.make_bucket("b")
    # What can be a tag of a point: no line breaks.
    tags = [text for text in HOSTILE if "\n" not in text and not text.endswith("\\")]
    alerts = [
        {"name": f"A{number}", "type": "threshold", "metric": "mem.used_percent", "every": "5s", "window": "10s",
         "critical": {"above": 50}, "filter": {"host": tag},
         "labels": {f"k{text}": text, f"{text}k": ALL},
         "annotations": {"summary": text, "description": ALL, "runbook_url": f"http://x/{text}", text: text}}
        for number, (text, tag) in enumerate(zip(HOSTILE, tags + tags, strict=False))
    ]  # fmt: skip
    receivers = [
        {"name": "in", "type": "http", "url": f"{received.url}/in?${{r._level}}\"\\",
         "secretRef": {"name": "s", "key": "k"}},
        {"name": "chat", "type": "slack", "secretRef": {"name": "chat", "key": "k"}},
        {"name": "picky", "type": "http", "url": f"{received.url}/picky", "match": {"host": PICKED}},
    ]  # fmt: skip
    wanted = policy("b", alerts=alerts, notify=receivers)
    # What HTTP cannot have in a header, the secret must not have; the rest it may.
    assert org.keep(wanted).troubles == ()
    assert org.planned(wanted) == ()
    flux_names = {check["name"] for check in org.listed("checks").values()}
    assert flux_names == {f"nodetide b A{number}" for number in range(len(HOSTILE))}

    def told() -> Any:
        """Whether all have been told of everything; each receiver has a rule, and each rule its own time."""
        at = int(time.time())
        org.write("b", [Point("mem", make_tags({"host": tag}), {"used_percent": 99.0}, at) for tag in tags])
        time.sleep(0.4)
        names = {message.body["alertname"] for message in received.at("/in?%24{r._level}%22%5C")}
        posts = {message.body["attachments"][0]["text"] for message in received.at("/hook?${r._level}")}
        return len(names) == len(posts) == len(HOSTILE) and received.at("/picky")

    until(told, 180, lambda: org.keep(wanted).troubles)
    assert org.keep(wanted).troubles == ()
    bodies = {message.body["alertname"]: message.body for message in received.at("/in?%24{r._level}%22%5C")}
    for number, text in enumerate(HOSTILE):
        body, host = bodies[f"A{number}"], (tags + tags)[number]
        labels = make_tags({f"k{text}": text, f"{text}k": ALL})
        assert {"host": host, **dict(labels)}.items() <= body.items()
        message = f"A{number} is crit: host={host} 99\n{text}\n{ALL}\nhttp://x/{text}"
        assert (body["_level"], body["_message"]) == ("crit", message)
    assert {message.authorization for message in received.at("/in?%24{r._level}%22%5C")} == {
        'Bearer to"ken ${r._level} \\'
    }
    posts = [message.body["attachments"][0]["text"] for message in received.at("/hook?${r._level}")]
    assert len(posts) >= len(HOSTILE) and set(posts) == {
        escape(body["_message"], quote=False) for body in bodies.values()
    }
    picked = {message.body["host"] for message in received.at("/picky")}
    assert picked == {PICKED}
