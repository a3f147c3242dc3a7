"""Values at the edge of what a setting takes: what the programs behind it refuse, the setting refuses."""

import pytest
from pydantic.alias_generators import to_camel

from settings import parsing
from settings.values import Values
from tests.mock_engine import stack_config

LOCAL = parsing.typed(stack_config("local"))
"""tests/accepted asks the programs themselves, with values that are drawn."""


def refused(key: str, value: object) -> bool:
    """Whether this value of a setting is refused, with its key."""
    _, problems = parsing.each_value({**LOCAL, key: value})
    assert all(line.startswith(tuple(f"observability:{key}{end}" for end in (": ", ".", "["))) for line in problems)
    return bool(problems)


@pytest.mark.parametrize("key", ["prometheusRetention", "jaegerRetention", "lokiRetention", "groupWait"])
def test_a_duration_is_one_that_64_bits_of_nanoseconds_hold(key: str) -> None:
    assert not refused(key, "292y")
    assert refused(key, "293y")


@pytest.mark.parametrize("key", ["prometheusStorage", "lokiMemory", "collectorMemory", "grafanaStorage"])
def test_a_quantity_is_one_that_64_bits_of_bytes_hold(key: str) -> None:
    assert not refused(key, "1024Pi")
    assert refused(key, "1025Pi")


NUMBERS = {
    "prometheusReplicas": (1, 10),
    "alertmanagerReplicas": (1, 9),
    "lokiReplicas": (1, 9),
    "jaegerReplicas": (1, 9),
    "collectorReplicas": (1, 20),
    "traceSamplingPercentage": (0, 100),
    "opensearchInstances": (1, 80),
    "volumeIops": (3_000, 80_000),
    "volumeThroughput": (125, 2_000),
}
"""Setting -> its least and its greatest value."""
# The first name of a certificate has at most 64 characters: jaeger.<domain>.
LENGTHS = {"domain": 57, "ingressClass": 253, "storageClass": 253}
"""Setting -> the most characters of its value."""


@pytest.mark.parametrize("key", NUMBERS)
def test_a_number_is_refused_outside_of_its_range(key: str) -> None:
    least, most = NUMBERS[key]
    assert [refused(key, value) for value in (least - 1, least, most, most + 1)] == [True, False, False, True]


@pytest.mark.parametrize("key", LENGTHS)
def test_a_longer_name_is_refused(key: str) -> None:
    name = "a" * 28 + "."  # a label of a domain has at most 63 characters
    name *= LENGTHS[key] // len(name)
    longest = name + "b" * (LENGTHS[key] - len(name))
    assert [refused(key, value) for value in (longest, longest + "b")] == [False, True]


def test_every_setting_with_a_range_is_tried_at_its_ends() -> None:
    bounded = {
        to_camel(name)
        for name, field in Values.model_fields.items()
        if {"Le", "MaxLen"} & set(map(_kind, field.metadata))
    }
    assert bounded == {*NUMBERS, *LENGTHS}


def _kind(bound: object) -> str:
    return type(bound).__name__


PARTS = {
    "http://a/%zz": "Go refuses the escape",
    "http://a%41/": "Go refuses an escape in a host",
    "http://[fe80::1%eth0]/": "a zone",
    "http://a/\x7f": "a control character",
    "http://a/{{x": "a template in an annotation, which Prometheus refuses",
    "http://a/$(POD_NAME)": "Kubernetes replaces it in an argument",
    "http://a/${POD_IP}": "Loki replaces it in its configuration",
    "http://a/;b": "a comment in grafana.ini",
    'http://a/"b': "no character of a URL",
    "http://a\\b/": "no character of a host",
    "http://exämple.com/": "has to be written as DNS has it",
    "HTTP://a/": "the scheme is compared in small letters",
    "http://a:0": "no port",
    "http://a:65536": "no port",
}


@pytest.mark.parametrize("url", PARTS)
@pytest.mark.parametrize("key", ["prometheusUrl", "runbookBaseUrl"])
def test_a_url_has_only_what_every_program_reads_as_written(key: str, url: str) -> None:
    assert refused(key, url), PARTS[url]


@pytest.mark.parametrize(
    "url", ["http://a", "https://a.b-c_d.e:8443/f/%2Fg/", "http://[2001:db8::1]:9090/x", "http://a/~b/(c)'d,e=f"]
)
def test_a_usual_url_is_accepted(url: str) -> None:
    assert not refused("prometheusUrl", url)


@pytest.mark.parametrize(
    ("key", "good", "bad"),
    [
        ("smtpSmarthost", "mail.example.com:65535", "mail.example.com:65536"),
        ("smtpSmarthost", "mail.example.com:1", "mail.example.com:0"),
        ("smtpFrom", "alerts@example.com", "{{a@example.com"),
        ("smtpFrom", "on.call@example.com", "on..call@example.com"),
        ("smtpFrom", "alerts@example.com", "alerts@example.com;"),
        ("smtpFrom", "alerts@eu.example.com", "alerts@example..com"),
        ("smtpSmarthost", "mail.example.com:25", "mail..example.com:25"),
        ("storageClass", "fast.ssd-1", "fast..ssd"),
        ("storageClass", "a" * 253, "a" * 254),
        ("storageClass", "a.b", "a.-b"),
        ("ingressClass", "alb", "a.-b"),
        ("simulatorImage", "registry:5000/team/simulator:V1.2_a", "registry:5000/Team/simulator:1"),
        ("simulatorImage", "simulator@sha256:" + "0" * 64, "simülator:1"),
    ],
)
def test_names_and_ports_are_those_of_kubernetes(key: str, good: str, bad: str) -> None:
    assert not refused(key, good)
    assert refused(key, bad)


def test_a_range_of_addresses_has_a_prefix_length() -> None:
    """A mask in its place is what Python takes, too, and neither Kubernetes nor AWS."""
    assert not refused("podCidrs", ("10.1.0.0/16", "2001:db8::/32"))
    for wrong in ("10.1.0.0/255.255.0.0", "10.1.0.0/0.0.255.255", "10.1.0.0", "10.1.0.1/16"):
        _, problems = parsing.each_value({**LOCAL, "podCidrs": (wrong,)})
        assert [line.partition(": ")[0] for line in problems] == ["observability:podCidrs[0]"], wrong


def test_a_login_in_a_url_is_not_shown() -> None:
    _, problems = parsing.each_value({**LOCAL, "runbookBaseUrl": "https://user:hush@example.com"})
    assert len(problems) == 1
    assert "hush" not in problems[0]


def toleration(**fields: object) -> dict[str, object]:
    return {"all": {"tolerations": [fields]}}


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ({"all": {"nodeSelector": {"example.com/pool": "Fast_1"}}}, {"all": {"nodeSelector": {"a b": "fast"}}}),
        ({"all": {"nodeSelector": {"pool": ""}}}, {"all": {"nodeSelector": {"pool": "x" * 64}}}),
        ({"all": {"priorityClass": "a.b-1"}}, {"all": {"priorityClass": "a..b"}}),
        (toleration(operator="Exists"), toleration(operator="Exists", value="x")),
        (toleration(key="a", value="b"), toleration(value="b")),
        (toleration(key="example.com/a"), toleration(key="a b")),
        (toleration(key="a", effect="NoExecute", tolerationSeconds=5), toleration(key="a", tolerationSeconds=5)),
    ],
)
def test_where_pods_run_is_said_as_kubernetes_takes_it(good: object, bad: object) -> None:
    assert not refused("podSettings", good)
    assert refused("podSettings", bad)


@pytest.mark.parametrize("place", ["host:65536", "host:0", "-host", "host.", "host/Folder"])
def test_a_registry_is_the_beginning_of_an_image_s_name(place: str) -> None:
    assert not refused("imageRegistry", {"all": "host-1.example:65535/folder/b_c"})
    assert refused("imageRegistry", {"all": place})


RANGES = {
    "10.0.0.0/255.0.0.0": "a mask",
    "10.0.0.0/0.255.255.255": "a mask the other way round",
    "10.0.0.0/08": "a leading zero",
    "fe80::%eth0/64": "a zone",
    "::ffff:10.0.0.0/104": "IPv4 within IPv6",
    "::ffff:a00:0/104": "IPv4 within IPv6",
}


@pytest.mark.parametrize("cidr", RANGES)
def test_a_range_is_written_as_kubernetes_and_aws_read_it(cidr: str) -> None:
    assert refused("podCidrs", (cidr,)), RANGES[cidr]


@pytest.mark.parametrize("cidr", ["10.0.0.0/8", "0.0.0.0/0", "2001:db8::/32", "FD00::/8", "::/0"])
def test_a_usual_range_is_accepted(cidr: str) -> None:
    assert not refused("podCidrs", (cidr,))
