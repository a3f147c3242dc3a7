"""Secrets, unknown values and pruning: what goes to the server, into the state, and into a refresh."""

import base64

from pulumi.provider.experimental.property_value import PropertyValue

from local.providers.kubernetes.values import applied, pruned, with_secret_data
from local.providers.values import UNKNOWN, has_unknown, hidden, plain, properties, secret_texts


def secret(text: str) -> PropertyValue:
    return PropertyValue(text, is_secret=True)


def mapping(**items: PropertyValue) -> PropertyValue:
    return PropertyValue(items)


def test_plain_gives_integers_and_drops_nulls():
    values = {"spec": mapping(replicas=PropertyValue(2.0), ratio=PropertyValue(0.5), gone=PropertyValue.null())}
    assert plain(values) == {"spec": {"replicas": 2, "ratio": 0.5}}
    assert isinstance(plain(values)["spec"]["replicas"], int)


def test_secret_input_stays_secret_in_the_outputs():
    inputs = {"data": mapping(password=secret("hunter22"), user=PropertyValue("me"))}
    outputs = properties({"data": {"password": "hunter22", "user": "me", "added": "x"}}, inputs)
    data = outputs["data"].value
    assert data["password"].is_secret
    assert not data["user"].is_secret
    assert not data["added"].is_secret


def test_one_secret_item_makes_its_list_secret():
    inputs = {"env": PropertyValue([mapping(value=secret("hunter22")), mapping(value=PropertyValue("x"))])}
    assert properties({"env": [{"value": "x"}, {"value": "hunter22"}]}, inputs)["env"].is_secret


def test_content_of_a_secret_is_secret_whatever_the_program_said():
    values = with_secret_data("Secret", properties({"data": {"a": "b"}, "stringData": {"c": "d"}, "type": "x"}, {}))
    assert values["data"].is_secret
    assert values["stringData"].is_secret
    assert not values["type"].is_secret
    assert not with_secret_data("ConfigMap", properties({"data": {"a": "b"}}, {}))["data"].is_secret


def test_messages_do_not_repeat_secrets():
    inputs = {
        "data": PropertyValue({"a": mapping(b=PropertyValue("hunter22"))}, is_secret=True),
        "c": PropertyValue("x"),
    }
    assert hidden("invalid value hunter22 of x", secret_texts(inputs)) == "invalid value [secret] of x"


def test_unknown_values_are_found_anywhere():
    assert has_unknown({"a": [{"b": UNKNOWN}]})
    assert not has_unknown({"a": [{"b": "known"}]})


def test_string_data_is_sent_as_data_so_that_a_removed_key_goes():
    sent = applied({"kind": "Secret", "data": {"a": "eA=="}, "stringData": {"b": "x"}})
    assert sent == {"kind": "Secret", "data": {"a": "eA==", "b": base64.b64encode(b"x").decode()}}


def test_refresh_sees_only_what_the_program_set():
    inputs = {"metadata": {"name": "n", "labels": {"a": "1"}}, "spec": {"replicas": 1, "ports": [{"port": 80}]}}
    live = {
        "metadata": {"name": "n", "uid": "u", "labels": {"a": "1", "foreign": "2"}, "managedFields": []},
        "spec": {"replicas": 3, "ports": [{"port": 80, "protocol": "TCP"}, {"port": 81}], "foreign": True},
        "status": {},
    }
    assert pruned(live, inputs) == {**inputs, "spec": {"replicas": 3, "ports": [{"port": 80}]}}


def test_refresh_sees_what_was_removed():
    assert pruned({"data": {}}, {"data": {"a": "1"}}) == {"data": {}}
    assert pruned({}, {"data": {"a": "1"}}) == {}


def test_refresh_takes_the_servers_spelling_of_a_quantity_and_a_dropped_empty_list_for_no_drift():
    inputs = {"resources": {"limits": {"cpu": "1000m", "memory": "0.5Gi"}}, "args": []}
    assert pruned({"resources": {"limits": {"cpu": "1", "memory": "512Mi"}}}, inputs) == inputs
    changed = pruned({"resources": {"limits": {"cpu": "2", "memory": "512Mi"}}}, inputs)
    assert changed["resources"]["limits"]["cpu"] == "2"


def test_refresh_reads_string_data_back():
    inputs = {"kind": "Secret", "stringData": {"a": "old", "gone": "x"}}
    live = {"kind": "Secret", "data": {"a": base64.b64encode(b"new").decode()}}
    assert pruned(live, inputs) == {"kind": "Secret", "stringData": {"a": "new"}}
