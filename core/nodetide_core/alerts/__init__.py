"""Alerts of policies: from values over time to what is told to whom.  The same for every store.

``questions`` says what an alert asks of a store, ``folding`` and ``grouping`` what the answers come to, ``levels`` what
a value means, ``machine`` what follows from it over time for one series, ``machines`` for all of an alert, and
``schedule`` when.  Those are pure; ``asking`` and ``evaluator`` ask the store, and save before they tell.  ``notify``
tells receivers; ``prometheus`` says the same alerts to Prometheus.
"""

from __future__ import annotations

__all__: list[str] = []
