"""The receiver: records every delivered notification as proof of delivery. For test clusters."""

from collections.abc import Sequence
from typing import TypedDict

import pulumi
from pulumi_kubernetes.networking.v1 import NetworkPolicyPeerArgsDict

from components.kubernetes import labels
from components.kubernetes.deployment import app_deployment
from settings import apps

APP = apps.RECEIVER.name
PORT = apps.RECEIVER.port
SMTP_PORT = 2525


class ReceiverArgs(TypedDict):
    """Arguments of Receiver."""

    namespace: pulumi.Input[str]
    """An existing namespace."""
    image: str
    senders: Sequence[NetworkPolicyPeerArgsDict]
    """Pods that may deliver to the receiver and scrape it."""


class Receiver(pulumi.ComponentResource):
    """Replaces Slack, PagerDuty, mailboxes and other channels inside the cluster."""

    url: pulumi.Output[str]
    """Address inside the cluster. Channels are below /deliver/; mail is accepted on port 2525 of the same host."""

    def __init__(self, name: str, args: ReceiverArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("observability:index:Receiver", name, {}, opts)
        app_deployment(
            name,
            {
                "app": APP,
                "namespace": args["namespace"],
                "image": args["image"],
                "module": "simulator.receiver",
                # One replica only, because each would have its own deliveries.
                "replicas": 1,
                "port": PORT,
                "more_ports": {"smtp": SMTP_PORT},
                "env": {
                    "RECEIVER_DATA": "/data/deliveries.jsonl",
                    "RECEIVER_PORT": str(PORT),
                    "RECEIVER_SMTP_PORT": str(SMTP_PORT),
                },
                "data": "/data",
                "pod_labels": {labels.RECEIVER: "true"},
                "with_service": True,
                "allowed": args["senders"],
            },
            parent=self,
        )
        self.url = pulumi.Output.format("http://{0}.{1}.svc:{2}", APP, args["namespace"], PORT)
        self.register_outputs({"url": self.url})
