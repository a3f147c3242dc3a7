"""The OpenTelemetry Collector in two layers: an agent on every node, and gateways that sample and deliver.

What a restart costs:

- An agent, killed or updated: no log line. It goes on at its checkpoint, which moves only when lines are in its queue
  on disk. What was in flight is sent again: at least once, at each restart. Of traces, what waits in its memory for a
  gateway that is away at the same time.
- A gateway: no log line. It acknowledges a line when it is in the queue on its volume. Of traces, those that wait for
  their sampling decision, if it is killed; told to end, it decides with what it has. Its share of the traces waits in
  the agents until it is back, so they stay whole.
- Loki or Jaeger: nothing. The gateways' queues hold everything and send it again, while their volume has room. After
  that, logs wait in the agents' queues and then in the log files, and traces are dropped and counted.

Span metrics count a span each time it arrives. While a gateway refuses because it is full, agents send requests again
of which it has taken a part: then rates are too high, until it has room.

A line that Loki refuses for good (too old, too long) is dropped and counted. Containers' logs that were rotated away
(two files of 10 MiB each, by the kubelet's default of five) before an agent came back are gone.
"""
