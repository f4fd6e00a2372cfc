#!/usr/bin/python3
"""Stands in for InfluxDB's command line: what the health check asks it for."""

import sys
import urllib.request

if sys.argv[1:] != ["ping"]:
    raise SystemExit(f"influx {' '.join(sys.argv[1:])}: only ping is here")
with urllib.request.urlopen("http://localhost:8086/ping", timeout=4):
    print("OK")
