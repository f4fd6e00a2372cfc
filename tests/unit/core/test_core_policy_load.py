"""Policies from files: the traps of YAML, what Kubernetes mounts, and what two policies must not share."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from nodetide_core.errors import PolicyError
from nodetide_core.policy import load_policies, parse_policy

HEAD = "apiVersion: nodetide.io/v1alpha1\nkind: MetricPolicy\nmetadata: {name: p}\n"


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes a policy file: the text (or bytes) as it is, or a spec below the usual head."""

    def make(content: str | bytes, name: str = "policy.yaml", *, head: bool = True) -> Path:
        file = tmp_path / name
        if isinstance(content, bytes):
            file.write_bytes(content)
        else:
            file.write_text((HEAD if head else "") + content, encoding="utf-8")
        return file

    return make


def refusal(path: Path) -> str:
    with pytest.raises(PolicyError) as caught:
        load_policies(path)
    assert str(path.name) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        # YAML 1.1 reads these as booleans, numbers or dates.
        ("spec: {collection: {labels: {on: x}}}", "labels: the key true must be text; put it in quotes"),
        ("spec: {collection: {labels: {enabled: yes}}}", "labels.enabled: must be text, not true; put it in quotes"),
        ("spec: {collection: {labels: {country: NO}}}", "labels.country: must be text, not false; put it in quotes"),
        ("spec: {collection: {labels: {version: 1.10}}}", "labels.version: must be text, not 1.1; put it in quotes"),
        ("spec: {collection: {labels: {empty: }}}", "labels.empty: must be text, not null"),
        ("spec: {collection: {labels: {bin: !!binary aGk=}}}", "labels.bin: must be text, not the bytes b'hi'"),
        ("spec: {collection: {interval: 1:30}}", "spec.collection.interval: must be a duration such as 1s"),
        ("spec: {collection: {interval: 0o10}}", "spec.collection.interval: must be a duration such as 1s"),
        ("spec: {collection: {interval: }}", "spec.collection.interval: must be a duration such as 1s"),
        ("spec: {collection: !!set {groups}}", "spec.collection: must be a mapping, not the set {'groups'}"),
        ("spec: {collection: !!omap [groups: x]}", "spec.collection: must be a mapping, not a list"),
        ("spec: {collection: {maxSeriesPerNode: 1e3}}", "must be a whole number, not '1e3'"),
        ("spec: {collection: {maxSeriesPerNode: 0x" + "F" * 9_000 + "}}", "10 to 100000, not a number of that size"),
        # What is refused before it is a document.
        ("spec: {suspend: true, suspend: false}", "is not YAML: line 4: key 'suspend' stands twice"),
        ("spec: {collection: {labels: {a: x, b: y, a: z}}}", "key 'a' stands twice"),
        ("spec: {yes: 1, true: 2}", "key True stands twice"),
        ("base: &b {suspend: true}\nspec: {<<: *b}", "merge keys (<<) are not supported; write the fields out"),
        ("spec:\n\tsuspend: true", "'\\t' that cannot start any token"),
        ("spec: {suspend: true", "is not YAML"),
        ("spec: {? [a] : b}", "unhashable key"),
        ("spec: &a {collection: *a}", "recursive"),
        ("spec: !!python/object/apply:os.system [id]", "could not determine a constructor"),
        ("spec: {collection: {labels: {day: !!timestamp 2024-99-99}}}", "is not YAML"),
        ("spec: {collection: {labels: {day: !!timestamp 2024-01-01}}}", "must be text, not the date 2024-01-01"),
        ("spec: {suspend: !!bool maybe}", "is not YAML"),
        ("spec: {suspend: !!int ''}", "is not YAML"),
        ("spec: {suspend: !!timestamp x}", "is not YAML"),
        ("spec: {suspend: !!float x}", "is not YAML"),
        ("spec: {x: 1" + ":59" * 400 + ".5}", "is not YAML"),
        ("spec: {x: " + "9" * 9_000 + "}", "is not YAML"),
        ("spec: " + "[" * 20_000, "nested too deeply"),
        ("spec: \x01", "is not YAML"),
        ("%YAML 9.9\n---\n", "is not YAML"),
    ],
)  # fmt: skip
def test_traps_of_yaml(write: Callable[..., Path], spec: str, message: str):
    assert message in refusal(write(spec))


@pytest.mark.parametrize("value", ["on", "yes", "true", "True"])
def test_yamls_own_booleans_are_booleans_where_one_is_wanted(write: Callable[..., Path], value: str):
    assert load_policies(write(f"spec: {{suspend: {value}}}"))[0].suspend is True


def test_quotes_make_text_of_what_yaml_would_change(write: Callable[..., Path]):
    (policy,) = load_policies(write('spec: {collection: {labels: {"on": "yes", version: "1.10"}}}'))
    assert policy.collection.labels == {"on": "yes", "version": "1.10"}


def test_times_are_text_without_quotes_as_they_are_for_kubectl(write: Callable[..., Path]):
    silence = "{match: {host: a}, until: 2026-01-31T18:00:00Z}"
    (policy,) = load_policies(write(f"spec: {{collection: {{labels: {{day: 2024-01-01}}}}, silences: [{silence}]}}"))
    assert policy.collection.labels == {"day": "2024-01-01"}
    assert policy.silences[0].until == 1_769_882_400


def test_anchors_and_aliases_are_welcome(write: Callable[..., Path]):
    (policy,) = load_policies(write("spec: {collection: {labels: {a: &v x, b: *v}}}"))
    assert policy.collection.labels == {"a": "x", "b": "x"}


def test_empty_values_are_defaults_where_a_mapping_is_wanted(write: Callable[..., Path]):
    (policy,) = load_policies(write("spec:\n  collection:\n    groups:\n      cpu:\n      mem:\n  storage:\n"))
    assert list(policy.collection.groups) == ["cpu", "mem", "collector"]


@pytest.mark.timeout(60)
def test_a_billion_laughs_are_not_laughed(write: Callable[..., Path]):
    """Aliases of aliases: 10^9 entries if each were followed."""
    lines = ["status:", "  a: &a [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"  {new}: &{new} [{', '.join([f'*{old}'] * 10)}]" for old, new in itertools.pairwise("abcdefghi")]
    lines += ["spec: {alerts: *i, notify: *i, collection: {groups: {net: {include: *i}}, nodeLabels: *i}}"]
    message = refusal(write("\n".join(lines)))
    assert "spec.alerts[9]: must be a mapping, not a list" in message
    assert len(message) < 5_000


@pytest.mark.timeout(60)
def test_many_aliases_of_one_large_alert_are_not_all_looked_at(write: Callable[..., Path]):
    labels = ", ".join(f"l{n}: 5" for n in range(2_000))
    spec = f"spec:\n  alerts:\n  - &a {{name: A, type: flux, labels: {{{labels}}}}}\n" + "  - *a\n" * 20_000
    assert "spec.alerts: has 20001 entries; 0 to 100 are allowed" in refusal(write(spec))


def test_a_file_too_large_to_be_a_policy_is_not_parsed(write: Callable[..., Path]):
    assert "is larger than 1048576 bytes" in refusal(write("#" * (1 << 20)))


def test_a_device_that_never_ends_is_not_read_to_its_end():
    assert "is larger than 1048576 bytes" in refusal(Path("/dev/zero"))


@pytest.mark.parametrize("content", [b"\xff\xfe", "spec: é".encode("latin-1"), HEAD.encode("utf-16")])
def test_text_that_is_not_utf8_is_refused(write: Callable[..., Path], content: bytes):
    assert "cannot be read: 'utf-8'" in refusal(write(content))


def test_a_byte_order_mark_does_no_harm(write: Callable[..., Path], document: Callable[..., Any]):
    assert load_policies(write(b"\xef\xbb\xbf" + HEAD.encode()))[0].name == "p"
    assert load_policies(write(b"\xef\xbb\xbf" + json.dumps(document()).encode(), "p.json"))[0].name == "p"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not JSON"),
        ("{", "is not JSON"),
        ('{"a": 1, "a": 2}', "is not JSON: key 'a' stands twice"),
        ("[" * 200_000, "nested too deeply"),
        ("1" * 9_000, "is not JSON"),
        ("[]", "must be a MetricPolicy"),
        ("NaN", "must be a MetricPolicy"),
    ],
)
def test_traps_of_json(write: Callable[..., Path], text: str, message: str):
    assert message in refusal(write(text, "policy.json", head=False))


def test_json_is_read_without_yaml(write: Callable[..., Path], document: Callable[..., Any]):
    file = write(json.dumps(document({"suspend": True})), "policy.json", head=False)
    assert load_policies(file) == [parse_policy(document({"suspend": True}))]


def test_several_documents_of_one_file(write: Callable[..., Path]):
    text = "---\n" + HEAD + "---\n# nothing\n---\n" + HEAD.replace("name: p", "name: q") + "...\n"
    assert [policy.name for policy in load_policies(write(text, head=False))] == ["p", "q"]


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n---\n"])
def test_a_file_without_a_document_is_refused(write: Callable[..., Path], text: str):
    assert "holds no MetricPolicy" in refusal(write(text, head=False))


def test_what_is_not_there_is_refused(tmp_path: Path):
    assert "cannot be read" in refusal(tmp_path / "missing.yaml")
    assert "has no .yaml, .yml or .json file" in refusal(tmp_path)


def test_a_directory_that_cannot_be_listed_is_refused(tmp_path: Path):
    class Denied(type(tmp_path)):  # type: ignore[misc]
        """As a directory without permission, which root does not meet."""

        def iterdir(self) -> Any:
            raise PermissionError(13, "Permission denied", str(self))

    assert "Permission denied" in refusal(Denied(tmp_path))


def test_every_file_of_a_directory_in_order_of_name(write: Callable[..., Path], tmp_path: Path):
    for name, policy in (("b.yml", "b"), ("c.json", "c"), ("a.yaml", "a")):
        text = HEAD.replace("name: p", f"name: {policy}")
        write(json.dumps(yaml.safe_load(text)) if name.endswith("json") else text, name, head=False)
    write("no policy", "README.md", head=False)
    write("no policy", ".hidden.yaml", head=False)
    (tmp_path / "folder.yaml").mkdir()
    assert [policy.name for policy in load_policies(tmp_path)] == ["a", "b", "c"]


def test_a_config_map_volume_is_read_once_and_again_after_it_changed(tmp_path: Path):
    """Kubernetes mounts `..<time>/` with the files, `..data` as a link to it, and a link for each file."""

    def publish(stamp: str, spec: str) -> None:
        version = tmp_path / f"..{stamp}"
        version.mkdir()
        (version / "policy.yaml").write_text(HEAD + spec)
        (tmp_path / "..data_tmp").symlink_to(version.name)
        (tmp_path / "..data_tmp").rename(tmp_path / "..data")

    publish("2026_01_01", "spec: {suspend: false}")
    (tmp_path / "policy.yaml").symlink_to("..data/policy.yaml")
    assert [policy.suspend for policy in load_policies(tmp_path)] == [False]
    publish("2026_01_02", "spec: {suspend: true}")
    assert [policy.suspend for policy in load_policies(tmp_path)] == [True]
    assert [policy.suspend for policy in load_policies(tmp_path / "policy.yaml")] == [True]


def test_every_wrong_file_is_named(write: Callable[..., Path], tmp_path: Path):
    write("spec: {suspend: 1}", "a.yaml")
    write("spec: {suspend: 2}", "b.yaml")
    with pytest.raises(PolicyError) as caught:
        load_policies(tmp_path)
    assert [problem.path for problem in caught.value.problems] == ["a.yaml: spec.suspend", "b.yaml: spec.suspend"]
    assert str(caught.value).startswith(f"{tmp_path}: a.yaml: spec.suspend: must be true or false, not 1; b.yaml:")


def _two(tmp_path: Path, first: dict[str, Any], second: dict[str, Any]) -> list[str]:
    for name, document in (("a.json", first), ("b.json", second)):
        (tmp_path / name).write_text(json.dumps(document))
    try:
        load_policies(tmp_path)
    except PolicyError as error:
        return [str(problem) for problem in error.problems]
    return []


@pytest.mark.parametrize(
    ("first", "second", "problem"),
    [
        (("p", {}), ("q", {}), None),
        (("p", {}), ("p", {}), "b.json: metadata.name: 'p' is in a.json already"),
        (("p", {}), ("q", {"bucket": "p"}), "b.json: spec.storage.bucket: 'p' belongs to policy p (a.json) already"),
        (("p", {"bucket": "x"}), ("q", {"bucket": "x"}), "b.json: spec.storage.bucket: 'x' belongs to policy p"),
        (("p", {"bucket": "x"}), ("q", {"bucket": "X"}), None),
        # The bucket of a tier is `<bucket>-<tier>`.
        (("p", {}), ("p-5m", {}), "b.json: spec.storage.bucket: 'p-5m' belongs to policy p (a.json) already"),
        (("p-1d", {}), ("p", {}), "b.json: spec.storage.bucket: 'p-1d' belongs to policy p-1d (a.json) already"),
        (("p", {}), ("q", {"bucket": "p-1h"}), "b.json: spec.storage.bucket: 'p-1h' belongs to policy p"),
        (("p", {}), ("p-2m", {}), None),
        (("p", {"tiers": [{"name": "raw", "retention": "1d"}]}), ("p-5m", {}), None),
    ],
)
def test_policies_do_not_share_names_or_buckets(
    tmp_path: Path,
    document: Callable[..., Any],
    first: tuple[str, Any],
    second: tuple[str, Any],
    problem: str | None,
):
    found = _two(tmp_path, *(document({"storage": storage}, name=name) for name, storage in (first, second)))
    assert len(found) == (problem is not None)
    assert all(problem is not None and text.startswith(problem) for text in found)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_refused(write: Callable[..., Path]):
    file = write("")
    file.chmod(0)
    assert "cannot be read: [Errno 13]" in refusal(file)
