"""Applies an object of the kind MetricPolicy, as soon as the apiserver serves that kind.

apply.py NAMESPACE NAME FILE
"""

# ruff: noqa: S310 - the addresses are the chart's

import os
import pathlib
import ssl
import sys
import time
import urllib.error
import urllib.request

PATIENCE = 60.0
ACCOUNT = pathlib.Path(os.environ.get("ACCOUNT", "/var/run/secrets/kubernetes.io/serviceaccount"))

namespace, name, path = sys.argv[1:]
policy = pathlib.Path(path).read_bytes()
host = os.environ["KUBERNETES_SERVICE_HOST"]
host = f"[{host}]" if ":" in host else host
server = f"https://{host}:{os.environ['KUBERNETES_SERVICE_PORT']}"
kind = f"/apis/nodetide.io/v1alpha1/namespaces/{namespace}/metricpolicies"
url = f"{server}{kind}/{name}?fieldManager=nodetide-chart&force=true&fieldValidation=Strict"
trusted = ssl.create_default_context(cafile=ACCOUNT / "ca.crt")
end = time.monotonic() + PATIENCE
while True:
    token = (ACCOUNT / "token").read_text().strip()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/apply-patch+yaml"}
    request = urllib.request.Request(url, policy, headers, method="PATCH")
    try:
        urllib.request.urlopen(request, timeout=20, context=trusted).close()
        print(f"applied {namespace}/{name}")
        break
    except urllib.error.HTTPError as error:
        said = error.read().decode()
        # The kind is served some moments after its definition was made, and rights come after their binding. (What the
        # definition does not know is a 500.)
        if error.code not in (403, 404, 429, 503, 504) or time.monotonic() >= end:
            sys.exit(f"{namespace}/{name} is refused: {error.code} {said}")
    except OSError as error:
        if time.monotonic() >= end:
            sys.exit(f"the apiserver does not answer: {error}")
    time.sleep(1)
