"""Tells Grafana to read its data source again whenever the token has changed.

reload.py NAME-OF-THE-ADMINISTRATOR
"""

# ruff: noqa: S310 - the addresses are the chart's

import base64
import os
import pathlib
import sys
import time
import urllib.request

GRAFANA = os.environ.get("GRAFANA", "http://127.0.0.1:3000")
KEYS = pathlib.Path(os.environ.get("KEYS", "/run"))
PERIOD = float(os.environ.get("PERIOD", "5"))


def reload(user):
    password = (KEYS / "keys/password").read_text().strip()
    basic = base64.b64encode(f"{user}:{password}".encode()).decode()
    url = f"{GRAFANA}/api/admin/provisioning/datasources/reload"
    request = urllib.request.Request(url, b"", {"Authorization": f"Basic {basic}"})
    urllib.request.urlopen(request, timeout=30).close()


# At its start Grafana may have read the one before: so the first one seen here is told of, too.
told = None
while True:
    try:
        token = (KEYS / "token/token").read_text()
        if token != told:
            reload(sys.argv[1])
            told = token
            print("the data source is read again", flush=True)
    except OSError as error:  # not up yet, or the token is being replaced
        print(f"not yet: {error}", flush=True)
    time.sleep(PERIOD)
