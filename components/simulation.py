"""The simulated systems of a test cluster and the receiver of its notifications, each in a namespace of its own."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from components import alertmanager, collector_agent, grafana, prometheus, receiver, simulator
from components.endpoints import Endpoint, endpoint
from components.namespace import Namespace
from components.network_policies import app_in
from components.settings import Settings

# System -> logical name of its programs, and their namespace; in the order of the local ports. The job queue's name is
# older than the others.
_SYSTEMS: dict[simulator.System, tuple[str, str]] = {
    "job-queue": ("simulator", "job-queue"),
    "speccursor": ("simulator-speccursor", "speccursor"),
    "api": ("simulator-api", "api"),
    "media-upload": ("simulator-media-upload", "media"),
    "media-clustering": ("simulator-media-clustering", "media"),
    "platform-faults": ("simulator-platform-faults", "platform-faults"),
}


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
    for number, (system, (name, place)) in enumerate(_SYSTEMS.items()):
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
        app = simulator.PROGRAMS[system][0].app
        local_port = simulator.PORT + number
        endpoints[name] = endpoint(app, simulator.PORT, namespace, programs.url, local_port=local_port)
    receiving = Namespace("receiver", {"name": "receiver"}, opts).namespace
    notifications = receiver.Receiver(
        "notifications",
        {
            "namespace": receiving,
            "image": settings.simulator_image,
            "senders": [scraper, *(app_in(values.namespace, app) for app in (alertmanager.APP, grafana.APP))],
        },
        opts,
    )
    endpoints["receiver"] = endpoint(receiver.APP, receiver.PORT, receiving, notifications.url)
    return Simulation(endpoints=endpoints, namespaces=namespaces)
