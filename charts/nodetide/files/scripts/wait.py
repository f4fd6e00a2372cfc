"""Waits until files are there, or a policy is in effect, or so many seconds are over.

wait.py METRICS-OF-THE-OPERATOR SECONDS FILE...    (a FILE may end with *)
"""

# ruff: noqa: S310 - the addresses are the chart's

import pathlib
import re
import sys
import time
import urllib.request


def in_effect(url):
    """Whether the operator says that a policy is ready."""
    try:
        with urllib.request.urlopen(url, timeout=3) as answer:
            text = answer.read().decode()
    except OSError:
        return False
    found = re.search(r'^nodetide_operator_policies\{ready="true"\} (\S+)', text, re.M)
    return found is not None and float(found[1]) > 0


def missing(files):
    return [file for file in map(pathlib.Path, files) if not any(file.parent.glob(file.name))]


url, patience, *files = sys.argv[1:]
end = time.monotonic() + float(patience)
while absent := missing(files):
    if time.monotonic() >= end:
        print("starting without:", *absent)
        break
    if patience != "inf" and in_effect(url):
        print("the operator has made them")
        break
    time.sleep(0.5)
