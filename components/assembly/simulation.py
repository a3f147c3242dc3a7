"""Creates the simulated systems of a test cluster and the receiver of its notifications, in their own namespaces."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi

from alerting.durations import seconds
from components.collector import agent as collector_agent
from components.grafana import server
from components.kubernetes.endpoints import Endpoint, endpoint
from components.kubernetes.namespace import Namespace, SharedArgs
from components.kubernetes.network_policies import app_in
from components.metrics import alertmanager, prometheus
from components.simulation import receiver, simulator
from settings.apps import SIMULATED, SIMULATED_PORT
from settings.stack import Settings


@dataclass(frozen=True, kw_only=True)
class Simulation:
    """The running simulation."""

    endpoints: dict[str, Endpoint]
    """Endpoints of each system's fault switches and of the receiver."""
    namespaces: Mapping[str, pulumi.Input[str]]
    """Name of a namespace -> the namespace, once it exists."""


def simulation(
    settings: Settings,
    otlp_url: pulumi.Output[str],
    dns_servers: Sequence[pulumi.Input[str]],
    opts: pulumi.ResourceOptions,
) -> Simulation:
    """Creates every simulated system, which sends traces to `otlp_url`, and the receiver. For `dns_servers` see
    NamespaceArgs."""
    values = settings.values
    scraper = app_in(values.namespace, prometheus.APP)
    agent = app_in(settings.agent_namespace, collector_agent.APP)
    common: SharedArgs = {
        "dns_servers": dns_servers,
        "image_login": settings.image_login,
        "ca_bundle": values.ca_bundle,
    }
    endpoints: dict[str, Endpoint] = {}
    namespaces: dict[str, pulumi.Output[str]] = {}
    for number, (system, simulated) in enumerate(SIMULATED.items()):
        name, namespace_name = simulated.resource, simulated.namespace
        # Systems may share a namespace.
        if namespace_name not in namespaces:
            namespaces[namespace_name] = Namespace(
                namespace_name,
                {"name": namespace_name, **common},
                opts,
            ).namespace
        namespace = namespaces[namespace_name]
        programs = simulator.Simulator(
            name,
            {
                "system": system,
                "namespace": namespace,
                "image": settings.simulator_image,
                "scraper": scraper,
                "traces": {
                    "endpoint": otlp_url,
                    "agent": agent,
                    "percentage": values.trace_sampling_percentage,
                    "slow": seconds(values.trace_slower_than),
                },
            },
            opts,
        )
        app = simulated.programs[0].app
        local_port = SIMULATED_PORT + number
        endpoints[name] = endpoint(app, SIMULATED_PORT, namespace, programs.url, local_port=local_port)
    receiver_namespace = Namespace(
        receiver.APP,
        {"name": receiver.APP, **common},
        opts,
    ).namespace
    notifications = receiver.Receiver(
        "notifications",
        {
            "namespace": receiver_namespace,
            "image": settings.simulator_image,
            "senders": [scraper, *(app_in(values.namespace, app) for app in (alertmanager.APP, server.APP))],
        },
        opts,
    )
    endpoints["receiver"] = endpoint(receiver.APP, receiver.PORT, receiver_namespace, notifications.url)
    return Simulation(endpoints=endpoints, namespaces=namespaces)
