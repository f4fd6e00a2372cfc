"""Series as the index writes them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nodetide_core.points import make_tags, tag
from nodetide_core.stores.influx.series_keys import hosts_among, series_key

_TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=6) | st.sampled_from(
    [",", "=", " "]
)
_TAGS = st.dictionaries(st.sampled_from(["host", "a", "z"]), _TEXT, max_size=3).map(make_tags)


def escaped(text: str) -> str:
    for special in ",= ":
        text = text.replace(special, f"\\{special}")
    return text


@given(st.lists(_TAGS, max_size=4))
def test_hosts_are_told_or_said_not_to_be(every: list[tuple[tuple[str, str], ...]]) -> None:
    keys = {",".join(["mem", *(f"{escaped(name)}={escaped(value)}" for name, value in tags)]) for tags in every}
    hosts = hosts_among(keys)
    if hosts is None:
        assert any("\\" in key for key in keys)
    else:
        assert hosts == {tag(tags, "host") or "" for tags in every}
        assert keys == {series_key("mem", tags) for tags in every}
