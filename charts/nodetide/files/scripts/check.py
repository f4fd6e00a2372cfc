"""Whether a release works: every part answers, and the API has fresh data of a node.

check.py SECONDS ADDRESS-OF-THE-API URL...
"""

# ruff: noqa: S310 - the addresses are the chart's

import json
import os
import pathlib
import sys
import time
import urllib.error
import urllib.parse
import urllib.request


def get(url):
    """What is answered. Raises OSError with what is wrong."""
    headers = {}
    if "API_TOKEN_FILE" in os.environ and url.startswith(api):
        token = pathlib.Path(os.environ["API_TOKEN_FILE"]).read_text().strip()
        headers["Authorization"] = f"Bearer {token}"
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10) as answer:
            return answer.read()
    except urllib.error.HTTPError as error:
        raise OSError(f"{error.code} {error.read().decode(errors='replace')[:500]}") from None


def data(api):
    """Nodes with fresh samples of their CPU, of whatever policy. Raises OSError where there are none."""
    known, fresh = set(), set()
    for policy in json.loads(get(f"{api}/api/v1/policies"))["policies"]:
        query = urllib.parse.urlencode({"policy": policy["name"], "metric": "cpu"})
        for host in json.loads(get(f"{api}/api/v1/metrics/current?{query}"))["hosts"]:
            known.add(host["host"])
            if not host["stale"] and any(series["values"] for series in host["series"]):
                fresh.add(host["host"])
    if not fresh:
        raise OSError(f"no fresh data of any node (hosts known: {sorted(known)})")
    return sorted(fresh)


patience, api, *urls = sys.argv[1:]
end = time.monotonic() + float(patience)
checks = [(url, get) for url in (f"{api}/readiness", *urls)] + [(api, data)]
failed = False
for url, check in checks:
    while True:
        try:
            found = check(url)
        except (OSError, ValueError, LookupError) as error:
            if time.monotonic() < end:
                time.sleep(1)
                continue
            print(f"FAILED {url}: {error}")
            failed = True
        else:
            print(f"ok     {url}", f"data of {', '.join(found)}" if check is data else "")
        break
sys.exit(failed)
