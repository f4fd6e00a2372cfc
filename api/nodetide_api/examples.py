"""Examples of answers for the OpenAPI document; a test parses each with its model."""

from __future__ import annotations

from typing import Any

__all__ = ["EXAMPLES", "STREAM_EXAMPLE"]

_TIME = "2026-03-01T09:00:00Z"

_HOST: dict[str, Any] = {"host": "node-1", "time": _TIME, "age_seconds": 0.4, "stale": False}

_CURRENT: dict[str, Any] = {
    "time": "2026-03-01T09:00:00.400Z",
    "stale_after_seconds": 10.0,
    "hosts": [
        _HOST
        | {
            "series": [
                {
                    "measurement": "cpu",
                    "tags": {"cpu": "cpu-total"},
                    "time": _TIME,
                    "values": {"usage_active": 12.5},
                    "rates": {},
                },
                {
                    "measurement": "net",
                    "tags": {"interface": "eth0"},
                    "time": _TIME,
                    "values": {"bytes_recv": 918273645},
                    "rates": {"bytes_recv": 20480.0},
                },
            ]
        }
    ],
    "units": {"cpu.usage_active": "percent", "net.bytes_recv": "bytes"},
}

_SERIES: dict[str, Any] = {
    "host": "node-1",
    "measurement": "cpu",
    "field": "usage_active",
    "tags": {"cpu": "cpu-total"},
    "kind": "gauge",
    "unit": "percent",
}

_RANGE: dict[str, Any] = {
    "metric": "cpu",
    "start": "2026-03-01T08:00:00Z",
    "end": "2026-03-01T09:00:01Z",
    "tier": "raw",
}

#: By name of the model in `nodetide_api.models`.
EXAMPLES: dict[str, dict[str, Any]] = {
    "Health": {"status": "ok", "version": "0.1.0", "checks": {"store": "ok", "data": "ok"}},
    "Current": _CURRENT,
    "History": _RANGE
    | {
        "step_seconds": 5,
        "aggregate": "mean",
        "series": [_SERIES | {"t": [1772352000, 1772352005], "v": [12.5, 13.0]}],
    },
    "Summary": _RANGE
    | {
        "resolution_seconds": 1,
        "series": [
            _SERIES
            | {
                "min": 1.5,
                "max": 98.0,
                "mean": 12.75,
                "p50": 10.0,
                "p95": 45.5,
                "p99": 90.25,
                "last": 11.0,
                "count": 3600,
            }
        ],
    },
    "Nodes": {"nodes": [{"host": "node-1", "last_seen": _TIME, "age_seconds": 0.4, "stale": False}]},
    "Policies": {
        "policies": [
            {
                "name": "system-metrics",
                "bucket": "system-metrics",
                "interval_seconds": 1,
                "tiers": [
                    {
                        "name": "raw",
                        "bucket": "system-metrics",
                        "window_seconds": 0,
                        "retention_seconds": 86400,
                        "rolled_up_to": None,
                    },
                    {
                        "name": "5m",
                        "bucket": "system-metrics-5m",
                        "window_seconds": 300,
                        "retention_seconds": 604800,
                        "rolled_up_to": _TIME,
                    },
                ],
            }
        ]
    },
    "Alerts": {
        "evaluated": True,
        "firing": 1,
        "pending": 0,
        "alerts": [
            {
                "name": "DiskFillsUp",
                "severity": "warning",
                "state": "firing",
                "policy": "system-metrics",
                "tags": {"host": "node-1", "path": "/data"},
                "labels": {
                    "alertname": "DiskFillsUp",
                    "severity": "warning",
                    "policy": "system-metrics",
                    "namespace": "default",
                    "host": "node-1",
                    "path": "/data",
                },
                "annotations": {"summary": "The file system is nearly full"},
                "value": 91.25,
                "since": "2026-03-01T08:50:00Z",
                "starts_at": "2026-03-01T08:55:00Z",
                "silenced": False,
            }
        ],
    },
    "CatalogueAnswer": {
        "aliases": {"load": "Load averages."},
        "measurements": [
            {
                "name": "temp",
                "help": "Temperatures the hardware reports.",
                "tags": {"sensor": "Chip and label, such as `coretemp_package_id_0`."},
                "fields": [
                    {
                        "name": "temp",
                        "type": "float",
                        "unit": "celsius",
                        "kind": "gauge",
                        "help": "Temperature.",
                        "prometheus": "nodetide_temp_temp_celsius",
                    }
                ],
            }
        ],
    },
}

#: What `/api/v1/metrics/stream` sends.
STREAM_EXAMPLE = """: nodetide
retry: 2000

id: 1772355600
event: sample
data: {"time":"2026-03-01T09:00:00.400Z","stale_after_seconds":10.0,"hosts":[],"units":{}}

id: 1772355601
event: status
data: {"status":"unavailable","detail":"the store is down","time":"2026-03-01T09:00:01.400Z"}

"""
