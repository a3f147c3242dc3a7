"""Calls to one AWS service: arguments in Pulumi's spelling, checked by botocore's own model, and refusals in words."""

from typing import Any, cast

from botocore import exceptions
from botocore.validate import ParamValidator

from local.providers.errors import ProviderError
from local.providers.values import Object, mapping

_ERRORS = (exceptions.BotoCoreError, exceptions.ClientError)
_MISSING = "NoSuch"
"""How the code of an answer begins when there is nothing; others have NotFound in it."""
_NO_BODY = "404"
"""What botocore makes of the answer to HEAD, which has no code."""


class GoneError(ProviderError):
    """There is no such object."""


class Service:
    """One boto3 client. Blocking; may be used by several threads."""

    def __init__(self, client: Any) -> None:  # noqa: ANN401 (boto3 makes its clients' classes when it runs)
        self._client = client
        self.name: str = client.meta.service_model.service_name
        self.region: str = client.meta.region_name
        self.partition: str = client.meta.partition

    def call(self, operation: str, given: Object) -> Object:
        """The answer to an operation such as `create_bucket`. Raises GoneError, or ProviderError with its reason."""
        arguments = self.shaped(operation, given)
        try:
            answer = getattr(self._client, operation)(**arguments)
        except _ERRORS as error:
            raise self._refused(operation, error) from error
        return {key: value for key, value in cast(Object, answer).items() if key != "ResponseMetadata"}

    def wait(self, waiter: str, given: Object) -> None:
        """Return when boto3's waiter, such as `cluster_active`, is content. Raises ProviderError when it gives up."""
        try:
            self._client.get_waiter(waiter).wait(**given)
        except _ERRORS as error:
            raise self._refused(waiter, error) from error

    def rehearse(self, operation: str, given: Object) -> list[str]:
        """What botocore finds wrong with the arguments of an operation; nothing is sent."""
        found = ParamValidator().validate(self.shaped(operation, given), self._shape(operation))
        return [line.strip() for line in str(found.generate_report()).splitlines() if line.strip()]

    def shaped(self, operation: str, given: Object) -> Object:
        """`given` in the operation's spelling, as in `sseAlgorithm` for `SSEAlgorithm`."""
        return cast(Object, _spelled(self._shape(operation), given))

    def _shape(self, operation: str) -> Any:  # noqa: ANN401 (a shape of botocore, which has no types)
        meta = self._client.meta
        return meta.service_model.operation_model(meta.method_to_api_mapping[operation]).input_shape

    def _refused(self, operation: str, error: Exception) -> ProviderError:
        where = f"{self.name} {operation} at {self._client.meta.endpoint_url}"
        answer = mapping(mapping(getattr(error, "response", None)).get("Error"))
        code, message = (str(answer.get(key, "")) for key in ("Code", "Message"))
        if message.lstrip().lower().startswith("<!doctype"):
            return ProviderError(f"{where}: this endpoint does not know the operation (HTTP {code})")
        if code.startswith(_MISSING) or "NotFound" in code or code == _NO_BODY:
            return GoneError(f"{where}: {message or code}")
        return ProviderError(f"{where}: {f'{code}: {message}' if code else error}")


def _spelled(shape: Any, value: object) -> object:  # noqa: ANN401 (see Service._shape)
    kind = getattr(shape, "type_name", "")
    if kind == "structure" and isinstance(value, dict):
        members = {name.lower(): name for name in shape.members}
        named = {members.get(key.lower(), key): item for key, item in cast(Object, value).items()}
        return {name: _spelled(shape.members.get(name), item) for name, item in named.items()}
    if kind == "list" and isinstance(value, list):
        return [_spelled(shape.member, item) for item in cast(list[Any], value)]
    if kind == "map" and isinstance(value, dict):
        return {key: _spelled(shape.value, item) for key, item in cast(Object, value).items()}
    return value


def like(given: object, answer: object) -> object:
    """`answer` of a service in the spelling of `given`, an object of the program, as far as that speaks of it."""
    if isinstance(given, dict) and isinstance(answer, dict):
        found = {key.lower(): item for key, item in cast(Object, answer).items()}
        return {
            key: like(item, found[key.lower()]) for key, item in cast(Object, given).items() if key.lower() in found
        }
    if isinstance(given, list) and isinstance(answer, list):
        wanted, there = cast(list[Any], given), cast(list[Any], answer)
        if len(wanted) != len(there) or all(isinstance(item, str) for item in there):
            return there
        return [like(*pair) for pair in zip(wanted, there, strict=True)]
    return answer
