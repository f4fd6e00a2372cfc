"""The typed catalogue: every measurement, tag and field, its type, unit and kind.

Encoder, API, rollups, dashboards, docs and ``/metrics`` all come from here.  Names are Telegraf's,
so that dashboards made for Telegraf work; they are an interface and change only on purpose.
"""

from nodetide_core.catalogue.aliases import ALIASES, Alias, Selection, select
from nodetide_core.catalogue.measurements import CATALOGUE
from nodetide_core.catalogue.model import Catalogue, Field, Kind, Measurement, Platform, Tag, Type, Unit
from nodetide_core.catalogue.prometheus import label_name, prometheus_name

__all__ = [
    "ALIASES",
    "CATALOGUE",
    "Alias",
    "Catalogue",
    "Field",
    "Kind",
    "Measurement",
    "Platform",
    "Selection",
    "Tag",
    "Type",
    "Unit",
    "label_name",
    "prometheus_name",
    "select",
]
