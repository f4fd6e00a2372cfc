"""Waits until something listens at an address, or so many seconds are over.

reach.py URL SECONDS
"""

import socket
import sys
import time
import urllib.parse

url, patience = sys.argv[1:]
parts = urllib.parse.urlsplit(url)
address = parts.hostname, parts.port or {"http": 80, "https": 443}[parts.scheme]
end = time.monotonic() + float(patience)
while True:
    try:
        socket.create_connection(address, timeout=3).close()
        print(f"{url} listens")
        break
    except OSError as error:
        if time.monotonic() >= end:
            print(f"{url} does not listen yet: {error}")
            break
    time.sleep(0.5)
