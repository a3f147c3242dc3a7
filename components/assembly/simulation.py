"""The simulated systems of a test cluster and the receiver of its notifications, each in a namespace of its own."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from components.collector import agent as collector_agent
from components.grafana import server
from components.kubernetes.endpoints import Endpoint, endpoint
from components.kubernetes.namespace import Namespace
from components.kubernetes.network_policies import app_in
from components.metrics import alertmanager, prometheus
from components.simulation import receiver, simulator
from settings.apps import SIMULATED, SIMULATED_PORT
from settings.stack import Settings


@dataclass(frozen=True, kw_only=True)
class Simulation:
    """What runs."""

    endpoints: dict[str, Endpoint]
    """The fault switches of each system and the receiver."""
    namespaces: Mapping[str, pulumi.Input[str]]
    """Namespace's name -> namespace that exists."""


def simulation(settings: Settings, otlp_url: pulumi.Output[str], opts: pulumi.ResourceOptions) -> Simulation:
    """Every simulated system, sending traces to `otlp_url`, and the receiver."""
    values = settings.values
    scraper = app_in(values.namespace, prometheus.APP)
    agent = app_in(settings.agent_namespace, collector_agent.APP)
    endpoints: dict[str, Endpoint] = {}
    namespaces: dict[str, pulumi.Output[str]] = {}
    for number, (system, simulated) in enumerate(SIMULATED.items()):
        name, place = simulated.resource, simulated.namespace
        # Two systems may share one.
        if place not in namespaces:
            namespaces[place] = Namespace(place, {"name": place}, opts).namespace
        namespace = namespaces[place]
        programs = simulator.Simulator(
            name,
            {
                "system": system,
                "namespace": namespace,
                "image": settings.simulator_image,
                "scraper": scraper,
                "traces": {"endpoint": otlp_url, "agent": agent},
            },
            opts,
        )
        app = simulated.programs[0].app
        local_port = SIMULATED_PORT + number
        endpoints[name] = endpoint(app, SIMULATED_PORT, namespace, programs.url, local_port=local_port)
    receiving = Namespace(receiver.APP, {"name": receiver.APP}, opts).namespace
    notifications = receiver.Receiver(
        "notifications",
        {
            "namespace": receiving,
            "image": settings.simulator_image,
            "senders": [scraper, *(app_in(values.namespace, app) for app in (alertmanager.APP, server.APP))],
        },
        opts,
    )
    endpoints["receiver"] = endpoint(receiver.APP, receiver.PORT, receiving, notifications.url)
    return Simulation(endpoints=endpoints, namespaces=namespaces)
