"""The table of what differs from Telegraf fits the catalogue; that it is true, the real Telegraf shows."""

from __future__ import annotations

import re
from collections import Counter

from nodetide_core.catalogue import CATALOGUE
from nodetide_core.catalogue.telegraf import (
    DIFFERENCES,
    OTHER_VALUES,
    REST,
    TELEGRAF_INPUTS,
    What,
    Writer,
    fields_only,
)


def test_nothing_is_listed_twice_or_without_a_reason():
    named = Counter((d.writer, d.what, d.measurement, name) for d in DIFFERENCES for name in d.names or [""])
    assert {key for key, count in named.items() if count > 1} == set()
    assert all(d.reason.endswith(".") for d in DIFFERENCES)
    assert all(bool(d.names) == (d.what is not What.MEASUREMENT) for d in DIFFERENCES)


def test_ours_are_in_the_catalogue_and_theirs_are_not():
    for d in DIFFERENCES:
        whole = d.what is What.MEASUREMENT
        assert (d.measurement in CATALOGUE) == (not whole or d.writer is Writer.NODETIDE), d
        if d.what is What.FIELD:
            known = [name in CATALOGUE[d.measurement].by_name for name in d.names]
            assert known == [d.writer is Writer.NODETIDE] * len(known), d


def test_other_values_are_of_fields_of_both():
    for other in OTHER_VALUES:
        assert set(other.fields) <= CATALOGUE[other.measurement].by_name.keys() - fields_only(
            Writer.NODETIDE, other.measurement
        )


def test_every_measurement_has_an_input_or_is_listed_as_ours():
    inputs = set(re.findall(r"^\[\[inputs\.(\w+)\]\]$", TELEGRAF_INPUTS, re.M))
    of_kernel = {"pressure"}  # by `collect = ["psi"]`
    alone = {d.measurement for d in DIFFERENCES if (d.writer, d.what) == (Writer.NODETIDE, What.MEASUREMENT)}
    assert set(CATALOGUE.names) - inputs - of_kernel == alone


def test_fields_only_gathers_all_rows_of_a_measurement():
    assert fields_only(Writer.TELEGRAF, "linux_cpu") >= {"cpuinfo_cur_freq", "throttle_max_time"}
    assert fields_only(Writer.TELEGRAF, "kernel_vmstat") == {REST}
    assert fields_only(Writer.NODETIDE, "mem") == fields_only(Writer.TELEGRAF, "swap") == frozenset()
