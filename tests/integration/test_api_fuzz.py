"""The API fuzzed from its own OpenAPI document: no 5xx, and every answer as documented."""

from __future__ import annotations

import schemathesis
from hypothesis import settings
from schemathesis.config import PositiveDataAcceptanceConfig
from tests.fakes.memory_reader import MemoryReader

from nodetide_api.app import create_app
from nodetide_api.config import ApiConfig
from nodetide_core.points import Point, make_tags

NOW = 1_772_355_600
TOKEN = "fuzzed"
AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}


def app_with_data():
    store = MemoryReader(NOW)
    for back in range(0, 600, 10):
        store.add(
            Point(
                "cpu", make_tags({"host": "node-1", "cpu": "cpu-total"}), {"usage_active": back % 97 + 0.5}, NOW - back
            ),
            Point("net", make_tags({"host": "node-1", "interface": "eth0"}), {"bytes_recv": 10**9 - back}, NOW - back),
            Point("mem", make_tags({"host": "node-2"}), {"used_percent": 50.0, "total": 8}, NOW - back),
            Point("collector", make_tags({"host": "node-2", "group": "all"}), {"policy_hash": "abc"}, NOW - back),
        )
    app = create_app(store, ApiConfig(token=TOKEN), clock=lambda: NOW + 0.5)
    app.state.stop_streams()  # a stream would never end; so it ends after its head
    return app


def schema_of(app):
    found = schemathesis.openapi.from_asgi("/openapi.json", app, headers=AUTHORIZED)
    # A start after the end, a policy nobody has, an aggregate that does not suit the metric: no schema can say these,
    # so a 400 is a right answer to what the schema allows.
    found.config.checks.positive_data_acceptance = PositiveDataAcceptanceConfig(expected_statuses=["2xx", "400"])
    return found


schema = schema_of(app_with_data())


@schema.parametrize()
@settings(max_examples=40, deadline=None, derandomize=True)  # the same cases each time: a failure is a change's
def test_every_answer_is_as_documented(case):
    case.call_and_validate(headers=AUTHORIZED)
