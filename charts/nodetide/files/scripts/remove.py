"""Deletes a MetricPolicy and gives the operator time to end what belongs to it. Never fails: uninstalling goes on.

remove.py NAMESPACE NAME METRICS-OF-THE-OPERATOR
"""

# ruff: noqa: S310 - the addresses are the chart's

import os
import pathlib
import re
import ssl
import sys
import time
import urllib.error
import urllib.request

PATIENCE = 90.0
ACCOUNT = pathlib.Path(os.environ.get("ACCOUNT", "/var/run/secrets/kubernetes.io/serviceaccount"))


def seen(url):
    """(turns that went well, policies known) of the operator, or None where it does not answer."""
    try:
        with urllib.request.urlopen(url, timeout=3) as answer:
            text = answer.read().decode()
    except OSError:
        return None
    turns = re.findall(r'^nodetide_operator_turns_total\{loop="reconcile",result="ok"\} (\S+)', text, re.M)
    policies = re.findall(r"^nodetide_operator_policies\{.*\} (\S+)", text, re.M)
    return sum(map(float, turns)), sum(map(float, policies))


def delete(namespace, name):
    """Whether the policy is gone."""
    host = os.environ["KUBERNETES_SERVICE_HOST"]
    host = f"[{host}]" if ":" in host else host
    server = f"https://{host}:{os.environ['KUBERNETES_SERVICE_PORT']}"
    url = f"{server}/apis/nodetide.io/v1alpha1/namespaces/{namespace}/metricpolicies/{name}"
    token = (ACCOUNT / "token").read_text().strip()
    request = urllib.request.Request(url, None, {"Authorization": f"Bearer {token}"}, method="DELETE")
    try:
        trusted = ssl.create_default_context(cafile=ACCOUNT / "ca.crt")
        urllib.request.urlopen(request, timeout=20, context=trusted).close()
    except urllib.error.HTTPError as error:
        if error.code != 404:
            print(f"{namespace}/{name} stays: {error.code} {error.read().decode()}")
            return False
    except OSError as error:
        print(f"{namespace}/{name} stays: {error}")
        return False
    return True


def swept(before, now):
    """Whether a turn has ended that began without the policy: one that knows fewer, or the second since."""
    return now is not None and ((now[0] > before[0] and now[1] < before[1]) or now[0] >= before[0] + 2)


namespace, name, url = sys.argv[1:]
before = seen(url)
if delete(namespace, name):
    end = time.monotonic() + PATIENCE
    while before is not None and not swept(before, seen(url)):
        if time.monotonic() >= end:
            print("the operator has not ended what belongs to it; an operator installed here again will")
            break
        time.sleep(0.5)
    else:
        print(f"{namespace}/{name} is deleted" + ("" if before else "; no operator is there to sweep behind it"))
