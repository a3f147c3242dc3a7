"""A Pulumi mock engine that records resources. Only this module and program.py know SDK internals."""

from dataclasses import dataclass, field
from typing import Any

from pulumi.runtime import is_dry_run, rpc
from pulumi.runtime.mocks import MockCallArgs, MockMonitor, MockResourceArgs, Mocks

from tools.recording import aws


class KubernetesMocks(Mocks):
    """Accepts every resource, as an API server and AWS would, and returns its inputs with generated outputs."""

    def new_resource(self, args: MockResourceArgs) -> tuple[str, dict[str, Any]]:
        # In a preview, an output that the mock leaves out is unknown, as for a resource that does not exist yet.
        answers = {} if is_dry_run() else aws.answers(args)
        return f"{args.name}-id", {**args.inputs, **answers}

    def call(self, args: MockCallArgs) -> Any:
        raise AssertionError(f"the program calls {args.token}, which the mock engine does not support")


@dataclass
class Registration:
    """One resource as the program registered it."""

    type: str
    name: str
    parent: str
    provider: str
    providers: dict[str, str]
    custom: bool
    inputs: dict[str, Any]
    secret_inputs: frozenset[str]
    dependencies: frozenset[str]
    protect: bool = False
    retain: bool = False
    """AWS keeps the resource when the program no longer has it."""
    ignored: tuple[str, ...] = ()
    """Paths of inputs whose changes the engine ignores."""
    aliases: tuple[tuple[str, str, str], ...] = ()
    """Former type, name and parent's name of the resource. A part that an alias omits has its current value."""

    @property
    def kind(self) -> str:
        return self.type.rsplit(":", 1)[-1]

    @property
    def object_name(self) -> str:
        return self.inputs["metadata"]["name"]

    @property
    def namespace(self) -> str | None:
        return self.inputs["metadata"].get("namespace")

    @property
    def pod(self) -> dict[str, Any] | None:
        """The pod template; None for kinds without one."""
        return self.inputs["spec"]["template"] if self.kind in ("StatefulSet", "Deployment", "DaemonSet") else None


@dataclass
class Recorded:
    """The resources, outputs and exports of one run of a program."""

    resources: list[Registration] = field(default_factory=list)
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Maps a resource's name to its arguments of register_outputs."""
    exports: dict[str, Any] = field(default_factory=dict)

    def of(self, kind: str) -> list[Registration]:
        return [resource for resource in self.resources if resource.kind == kind]

    def one(self, kind: str, object_name: str) -> Registration:
        (found,) = [resource for resource in self.of(kind) if resource.object_name == object_name]
        return found

    @property
    def pods(self) -> list[Registration]:
        return [resource for resource in self.resources if resource.pod]


class RecordingMonitor(MockMonitor):
    """Records parents, providers, dependencies, secret inputs and outputs, which the SDK's own monitor drops."""

    def __init__(self, recorded: Recorded) -> None:
        super().__init__(KubernetesMocks())
        self.recorded = recorded

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802
        response = super().RegisterResource(request)
        if request.type != "pulumi:pulumi:Stack":
            inputs = rpc.deserialize_properties(request.object)
            self.recorded.resources.append(
                Registration(
                    type=request.type,
                    name=request.name,
                    parent=request.parent.rsplit("::", 1)[-1],
                    provider=request.provider,
                    providers=dict(request.providers),
                    custom=request.custom,
                    inputs={key: unwrap(value) for key, value in inputs.items()},
                    secret_inputs=frozenset(key for key, value in inputs.items() if rpc.is_rpc_secret(value)),
                    dependencies=frozenset(urn.rsplit("::", 1)[-1] for urn in request.dependencies),
                    protect=request.protect,
                    retain=request.retainOnDelete,
                    ignored=tuple(request.ignoreChanges),
                    aliases=tuple(former(alias, request) for alias in request.aliases),
                )
            )
        return response

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802
        name = request.urn.rsplit("::", 1)[-1]
        outputs = {key: unwrap(value) for key, value in rpc.deserialize_properties(request.outputs).items()}
        if request.urn.split("::")[2] == "pulumi:pulumi:Stack":  # the SDK registers the stack's outputs itself
            return super().RegisterResourceOutputs(request)
        assert name not in self.recorded.outputs, f"{name} registers its outputs twice"
        self.recorded.outputs[name] = outputs
        return super().RegisterResourceOutputs(request)


def former(alias: Any, request: Any) -> tuple[str, str, str]:
    """Type, name and parent's name that an alias gives for a resource."""
    parent = request.parent.rsplit("::", 1)[-1]
    if alias.urn:
        *_, kinds, name = alias.urn.split("::")
        return kinds.rsplit("$", 1)[-1], name, parent
    spec = alias.spec
    parent = "" if spec.noParent else spec.parentUrn.rsplit("::", 1)[-1] or parent
    return spec.type or request.type, spec.name or request.name, parent


def unwrap(value: Any) -> Any:
    """The value without the wrapper that marks a secret."""
    return rpc.unwrap_rpc_secret(value) if rpc.is_rpc_secret(value) else value
