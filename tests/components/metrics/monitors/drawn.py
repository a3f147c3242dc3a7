"""Draws monitors with wild values at every place, and expressions that dialects read differently."""

import string
from typing import Any

from hypothesis import strategies as st

WILD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 2**65),
    st.floats(allow_nan=False),
    st.text(max_size=12),
    st.sampled_from(
        ["", "a", "$1", "${1}", "a$1", "__address__", "__tmp_a", "{{", "%", "*", "&a", "!x", "0x1", "1e3", "~"]
    ),
    st.lists(st.text(max_size=3), max_size=2),
    st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2),
)


def or_wild(values: st.SearchStrategy[Any], chances: int = 30) -> st.SearchStrategy[Any]:
    """A value that is mostly as it should be, so that whole monitors are often accepted."""
    return st.integers(0, chances).flatmap(lambda drawn: WILD if drawn == 0 else values)


def fields(**values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """An object with any of the fields, rarely with one more."""
    return st.builds(
        lambda found, more: {**found, **more},
        st.fixed_dictionaries({}, optional={name: or_wild(value) for name, value in values.items()}),
        or_wild(st.just({}), 60).map(lambda more: more if isinstance(more, dict) else {}),
    )


_PIECES = (
    *("a", "ä", "😀", " ", "-", ".", "^", "$", "|", "(", ")", "(?:", "(?i)", "(?P<n>", "(?=", "[", "]", "[^", "{", "}"),
    *("{2}", "{1000}", "{1001}", "{2,}", "{,2}", "{30}", "{0}", "{1,3}", "*", "+", "?", "??", "*+", "\\", "\\d", "\\b"),
    *("\\B", "\\z", "\\Z", "\\A", "\\1", "\\x41", "\\pL", "\\Q", "\\E", "\\n", "\\-", "\\]", "a-z", "z-a", "[:alpha:]"),
    *("[a-c]", "[^\\d]", "(.+)", "(?s:", "(?#", "(?>", "\t", "\x00", "\u2028", "[]", "[]]", "[a-]", "&&", "\\_", "\\ "),
)
PATTERNS = st.one_of(
    st.lists(st.sampled_from(_PIECES), max_size=12).map("".join),
    st.text(string.ascii_letters + "\\[](){}|*+?.^$-,0123456789:=!<>", max_size=10),
    st.recursive(
        st.sampled_from(["a", ".", "\\w", "[a-z]", "[^\\s-]", "x{2}", "(b)", "c*?"]),
        lambda part: st.one_of(
            st.tuples(part, part).map("".join),
            st.tuples(part, part).map("|".join),
            st.tuples(part, st.sampled_from(["", "*", "+?", "{3}", "{2,}", "{10,20}"])).map(
                lambda two: f"({two[0]}){two[1]}"
            ),
        ),
        max_leaves=12,
    ),
)
_LABELS = st.sampled_from(
    [
        *("b", "c", "method", "code", "__tmp_y", "label_$1", "b", "c", "method", "code", "__tmp_y", "label_$1"),
        *("a", "namespace", "job", "instance", "__address__", "__tmp_x", "__param_x", "__name__", "a_$1", "$1", "${1}"),
        *("__meta_kubernetes_pod_label_a", "a-b", "ä", "", "1", "x$", "a${b}c", "__param_$1", "_"),
    ]
)
_NAMES = st.sampled_from(["web", "http-metrics", "a.b", "a b", "a|b", "", "ä", "a" * 64])
_RELABELING = fields(
    action=st.sampled_from(
        [
            *("replace", "Replace", "keep", "drop", "keepequal", "KeepEqual", "dropequal", "hashmod", "labelmap", ""),
            *("labeldrop", "labelkeep", "LabelKeep", "lowercase", "uppercase", "delete"),
        ]
    ),
    sourceLabels=st.lists(_LABELS, max_size=3),
    separator=st.sampled_from([";", "", "$", "\n", "ä", "'", '"', "\\"]),
    regex=PATTERNS,
    modulus=st.sampled_from([0, 1, 2, 2**63 - 1, 2**63, 2**64]),
    targetLabel=_LABELS,
    replacement=st.one_of(_LABELS, st.text(max_size=5)),
)
_DURATIONS = st.sampled_from(
    ["", "0", "15s", "30s", "1m", "2m", "1m60s", "5m", "1500ms", "1d", "1", "-1s", "1s1m", "0s"]
)
_SECRET = st.sampled_from([{}, {"key": "", "name": ""}, {"secret": {}}, {"secret": {"name": "a", "key": "b"}}])
_ENDPOINT = fields(
    port=_NAMES,
    portNumber=st.integers(0, 70_000),
    targetPort=st.one_of(_NAMES, st.integers(0, 70_000)),
    path=st.sampled_from(["/metrics", "/", "", "metrics", "/a?b=c", "/%zz", "/ä", "/a#b", "//a"]),
    scheme=st.sampled_from(["http", "HTTPS", "", "file"]),
    params=st.dictionaries(
        st.sampled_from(["a", "match[]", "", "ä", "a b", "__"]), st.lists(st.text(max_size=4), max_size=2)
    ),
    interval=_DURATIONS,
    scrapeTimeout=_DURATIONS,
    tlsConfig=fields(
        insecureSkipVerify=st.booleans(),
        serverName=st.sampled_from(["a.example", "", "a b", "*"]),
        minVersion=st.sampled_from(["TLS10", "TLS12", "TLS13", "SSL3", ""]),
        maxVersion=st.sampled_from(["TLS10", "TLS12", "TLS13", "SSL3", ""]),
        ca=_SECRET,
    ),
    honorLabels=st.booleans(),
    honorTimestamps=st.booleans(),
    trackTimestampsStaleness=st.booleans(),
    followRedirects=st.booleans(),
    enableHttp2=st.booleans(),
    filterRunning=st.booleans(),
    bearerTokenSecret=_SECRET,
    relabelings=st.lists(_RELABELING, max_size=1),
    metricRelabelings=st.lists(_RELABELING, max_size=1),
)
_LIMIT = st.sampled_from([0, 1, 10**6, 2**63 - 1, 2**64, -1])
_SIZES = st.sampled_from(["0", "", "1B", "10KB", "1.5MiB", ".5GB", "1EB", "9999999EiB", "1.B", "B", "1 MB"])
_PROTOCOLS = st.sampled_from(["PrometheusProto", "OpenMetricsText1.0.0", "PrometheusText0.0.4", "a", ""])
_KEYS = st.sampled_from(["app", "example.com/a-b.c", "1a", "a b", "", "namespace", "__a", "instance"])
SPECS = fields(
    jobLabel=_KEYS,
    targetLabels=st.lists(_KEYS, max_size=2),
    podTargetLabels=st.lists(_KEYS, max_size=2),
    selector=fields(
        matchLabels=st.dictionaries(_KEYS, st.sampled_from(["a", "", "a.b", "a)|(b", "-"]), max_size=2),
        matchExpressions=st.lists(
            st.fixed_dictionaries(
                {
                    "key": _KEYS,
                    "operator": st.sampled_from(["In", "NotIn", "Exists", "DoesNotExist"]),
                    "values": st.lists(st.sampled_from(["a", "b.c", ")"]), max_size=2),
                }
            ),
            max_size=1,
        ),
    ),
    namespaceSelector=fields(
        any=st.booleans(), matchNames=st.lists(st.sampled_from(["shop", "media", "A", "*"]), max_size=2)
    ),
    sampleLimit=_LIMIT,
    targetLimit=_LIMIT,
    labelLimit=_LIMIT,
    labelNameLengthLimit=_LIMIT,
    labelValueLengthLimit=_LIMIT,
    keepDroppedTargets=_LIMIT,
    bodySizeLimit=_SIZES,
    scrapeProtocols=st.lists(_PROTOCOLS, max_size=2),
    fallbackScrapeProtocol=_PROTOCOLS,
)
"""Specs without endpoints."""
ENDPOINTS = st.lists(_ENDPOINT, min_size=1, max_size=2)
RELABELINGS = st.lists(_RELABELING, min_size=5, max_size=10)
