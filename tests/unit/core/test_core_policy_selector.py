"""Label selectors by Kubernetes' own rules.

https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodetide_core.policy import NodeSelector, Requirement

LABELS = {"zone": "a", "gpu": "", "disk": "ssd"}


@pytest.mark.parametrize(
    ("requirement", "matches"),
    [
        (Requirement("zone", "In", ("a",)), True),
        (Requirement("zone", "In", ("b", "a")), True),
        (Requirement("zone", "In", ("b",)), False),
        (Requirement("zone", "In", ("A",)), False),
        (Requirement("zone", "In", ("aa",)), False),
        (Requirement("missing", "In", ("a",)), False),
        (Requirement("missing", "In", ("",)), False),
        (Requirement("gpu", "In", ("",)), True),
        (Requirement("gpu", "In", ("x",)), False),
        (Requirement("zone", "NotIn", ("a",)), False),
        (Requirement("zone", "NotIn", ("b", "a")), False),
        (Requirement("zone", "NotIn", ("b",)), True),
        # A node without the label is selected, too.
        (Requirement("missing", "NotIn", ("a",)), True),
        (Requirement("missing", "NotIn", ("",)), True),
        (Requirement("gpu", "NotIn", ("",)), False),
        (Requirement("zone", "Exists"), True),
        (Requirement("gpu", "Exists"), True),
        (Requirement("missing", "Exists"), False),
        (Requirement("Zone", "Exists"), False),
        (Requirement("zone", "DoesNotExist"), False),
        (Requirement("gpu", "DoesNotExist"), False),
        (Requirement("missing", "DoesNotExist"), True),
    ],
)
def test_one_expression(requirement: Requirement, matches: bool):
    assert NodeSelector({}, (requirement,)).matches(LABELS) is matches


@pytest.mark.parametrize(
    ("wanted", "matches"),
    [
        ({}, True),
        ({"zone": "a"}, True),
        ({"zone": "a", "disk": "ssd"}, True),
        ({"zone": "a", "disk": "hdd"}, False),
        ({"zone": "b"}, False),
        ({"missing": "a"}, False),
        # An empty value is a value: a node that lacks the label does not have it.
        ({"missing": ""}, False),
        ({"gpu": ""}, True),
        ({"gpu": "x"}, False),
    ],
)
def test_labels(wanted: dict[str, str], matches: bool):
    assert NodeSelector(wanted).matches(LABELS) is matches


def test_an_empty_selector_selects_every_node():
    assert NodeSelector().matches({})
    assert NodeSelector().matches(LABELS)


_KEYS = st.sampled_from(["zone", "gpu", "disk", "missing"])
_VALUES = st.sampled_from(["a", "", "ssd", "x"])
_requirements = st.builds(
    Requirement, _KEYS, st.sampled_from(["In", "NotIn"]), st.lists(_VALUES, min_size=1).map(tuple)
) | st.builds(Requirement, _KEYS, st.sampled_from(["Exists", "DoesNotExist"]))
_nodes = st.dictionaries(_KEYS, _VALUES)


@given(st.dictionaries(_KEYS, _VALUES), st.lists(_requirements), _nodes)
def test_all_conditions_must_hold(labels: dict[str, str], expressions: list[Requirement], node: dict[str, str]):
    each = [NodeSelector({key: value}) for key, value in labels.items()]
    each += [NodeSelector({}, (expression,)) for expression in expressions]
    assert NodeSelector(labels, tuple(expressions)).matches(node) == all(one.matches(node) for one in each)


@given(_KEYS, st.lists(_VALUES, min_size=1).map(tuple), _nodes)
def test_operators_and_their_opposites(key: str, values: tuple[str, ...], node: dict[str, str]):
    def holds(operator: str, given: tuple[str, ...] = ()) -> bool:
        return NodeSelector({}, (Requirement(key, operator, given),)).matches(node)

    assert holds("In", values) != holds("NotIn", values)
    assert holds("Exists") != holds("DoesNotExist")
    assert not holds("In", values) or holds("Exists")
    assert NodeSelector({key: values[0]}).matches(node) == holds("In", values[:1])
