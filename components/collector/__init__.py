"""The OpenTelemetry Collector in two layers: an agent on every node, and gateways that sample and deliver.

Losses at a restart:

- An agent, killed or updated, loses no log lines. It continues at its checkpoint, which advances only when lines are in
  its queue on disk. Each restart sends requests in flight again, so delivery is at least once. If it is
  killed, it loses the spans in its memory: those of the last half second, and those that wait for a gateway that is
  unavailable at the same time, at most a quarter of its memory. Gateways accept fewer spans then than agents sent.
- A gateway loses no log lines. It acknowledges a line when the line is in the queue on its volume. If it is killed,
  it loses the spans that wait for their sampling decision, so a trace that goes on afterwards lacks them: those of the
  last `decision_wait`, of as many traces as its gauge of traces in memory says. On a clean shutdown it decides with the
  spans that it has. Its share of the traces waits in the agents until it is back, so
  traces stay complete.
- Loki or Jaeger lose nothing. The gateways' queues hold the data and send it again, as long as their volumes have room.
  Beyond that, logs wait in the agents' queues and then in the log files, and traces are dropped and counted. With
  OpenSearch, Jaeger accepts a span before it is stored, and counts those that OpenSearch refuses.

Span metrics count a span each time it arrives. A full gateway may count some spans of a request before it rejects the
request. Agents retry the whole request, so rates read too high until the gateway has room.

A request above 4 MiB is refused; the program learns it, and refused_requests counts it. What is smaller passes every
queue and receiver. Gateways cut what Loki (log_limits) or Jaeger (span_limits) would refuse and replace the times of
wrong clocks, and Loki cuts long lines.
Container logs that the kubelet rotates away before an agent is back are lost (by default it keeps five files of 10 MiB
for each container). The lines of a stack trace wait a second for the next one; an agent that is killed loses them.
"""
