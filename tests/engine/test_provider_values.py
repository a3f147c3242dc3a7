"""Secrets and unknown values between the engine and a stand-in provider."""

from pulumi.provider.experimental.property_value import PropertyValue

from engine.stand_ins.values import UNKNOWN, has_unknown, hidden, plain, properties, secret_texts


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


def test_one_secret_item_makes_the_whole_list_secret():
    inputs = {"env": PropertyValue([mapping(value=secret("hunter22")), mapping(value=PropertyValue("x"))])}
    assert properties({"env": [{"value": "x"}, {"value": "hunter22"}]}, inputs)["env"].is_secret


def test_messages_do_not_repeat_secrets():
    inputs = {
        "data": PropertyValue({"a": mapping(b=PropertyValue("hunter22"))}, is_secret=True),
        "c": PropertyValue("x"),
    }
    assert hidden("invalid value hunter22 of x", secret_texts(inputs)) == "invalid value [secret] of x"


def test_unknown_values_are_found_anywhere():
    assert has_unknown({"a": [{"b": UNKNOWN}]})
    assert not has_unknown({"a": [{"b": "known"}]})
