"""Tags in the forms that services want."""

from collections.abc import Callable, Iterable

from local.providers.aws.kind import Change
from local.providers.aws.service import Service
from local.providers.values import Object, mapping, mappings

PLAIN = ("Key", "Value")
"""What most services call a tag's two parts."""


def tag_list(tags: object, names: tuple[str, str] = PLAIN) -> list[Object]:
    """A list of tags from a map of them."""
    return [dict(zip(names, tag, strict=True)) for tag in mapping(tags).items()]


def tag_map(tags: Iterable[Object] | None, names: tuple[str, str] = PLAIN) -> Object:
    """A map of tags from a list of them."""
    return {str(tag[names[0]]): tag[names[1]] for tag in tags or ()}


def retag(what: str, key: str, names: tuple[str, str] = PLAIN) -> Change:
    """Brings the tags of an object to those of the inputs, by `list_<what>_tags`, `tag_<what>` and `untag_<what>`."""

    def change(service: Service, found: str, inputs: Object) -> None:
        here, wanted = {key: found}, mapping(inputs["tags"])
        there = tag_map(mappings(service.call(f"list_{what}_tags", here).get("Tags")), names)
        if gone := sorted(there.keys() - wanted.keys()):
            service.call(f"untag_{what}", {**here, "tagKeys": gone})
        if wanted:
            service.call(f"tag_{what}", {**here, "tags": tag_list(wanted, names)})

    return change


def retag_arn(arn: Callable[[Service, str, Object], str]) -> Change:
    """The same for services whose tags are a map, and hang at what `arn` gives."""

    def change(service: Service, found: str, inputs: Object) -> None:
        here, wanted = {"resourceArn": arn(service, found, inputs)}, mapping(inputs["tags"])
        there = mapping(service.call("list_tags_for_resource", here).get("tags"))
        if gone := sorted(there.keys() - wanted.keys()):
            service.call("untag_resource", {**here, "tagKeys": gone})
        if wanted:
            service.call("tag_resource", {**here, "tags": wanted})

    return change
