"""The parts there are. To add one: write its file beside this one, and list it here."""

from __future__ import annotations

from .chromium import CHROMEDRIVER, CHROMIUM
from .influxd import INFLUXD
from .node_exporter import NODE_EXPORTER
from .part import Part
from .telegraf import TELEGRAF

PARTS: tuple[Part, ...] = (INFLUXD, TELEGRAF, NODE_EXPORTER, CHROMIUM, CHROMEDRIVER)
