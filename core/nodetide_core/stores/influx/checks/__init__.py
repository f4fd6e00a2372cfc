"""Alerts that InfluxDB evaluates itself (``alertEngine: influxdb``): checks, notification endpoints and rules.

As with buckets, `wanted` says what must be there, `planning` what to do about it (both pure) and `control` how;
`keeping` joins them for one policy.  See docs/alert-engines.md for what InfluxDB cannot do.
"""
