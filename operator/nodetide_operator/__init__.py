"""The operator: turns MetricPolicies into buckets, tasks and per-node settings, and keeps them so."""
