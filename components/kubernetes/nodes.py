"""Which nodes a pod for every node runs on."""

from pulumi_kubernetes.core.v1 import NodeAffinityArgsDict

# A "node" of AWS Fargate is one pod, and runs no DaemonSet: its agent would wait for ever.
REAL_NODES: NodeAffinityArgsDict = {
    "required_during_scheduling_ignored_during_execution": {
        "node_selector_terms": [
            {
                "match_expressions": [
                    {"key": "eks.amazonaws.com/compute-type", "operator": "NotIn", "values": ["fargate"]}
                ]
            }
        ]
    }
}
