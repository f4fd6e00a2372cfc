"""What the operator's tests have: a real apiserver, a real influxd, and installations on them."""

from tests.integration.operator.conftest import audit, influx, kube, new_site, site

__all__ = ["audit", "influx", "kube", "new_site", "site"]
