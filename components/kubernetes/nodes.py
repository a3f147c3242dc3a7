"""Node affinity of pods that run on every node."""

from pulumi_kubernetes.core.v1 import NodeAffinityArgsDict

# AWS Fargate presents each pod as a node, which cannot run a DaemonSet, and the images are for Linux: the pod of a
# DaemonSet would stay pending there forever.
REAL_NODES: NodeAffinityArgsDict = {
    "required_during_scheduling_ignored_during_execution": {
        "node_selector_terms": [
            {
                "match_expressions": [
                    {"key": "eks.amazonaws.com/compute-type", "operator": "NotIn", "values": ["fargate"]},
                    {"key": "kubernetes.io/os", "operator": "In", "values": ["linux"]},
                ]
            }
        ]
    }
}
