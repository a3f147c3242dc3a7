"""The latencies of a load test as a picture: SVG, one line for each service."""

import math
from collections.abc import Mapping
from html import escape

_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 720, 360, 70, 50, 30
_COLOURS = ("#64748b", "#2563eb", "#c2410c", "#15803d")


def plot(services: Mapping[str, Mapping[str, float]]) -> str:
    """Seconds by percentile of each service, on a logarithmic axis from half the fastest to twice the slowest."""
    keys = list(next(iter(services.values())))
    values = [max(seconds, 1e-6) for service in services.values() for seconds in service.values()]
    low, high = math.log10(min(values) / 2), math.log10(max(values) * 2)

    def x(number: int) -> float:
        return _LEFT + number * (_WIDTH - _LEFT - 30) / max(1, len(keys) - 1)

    def y(seconds: float) -> float:
        share = (math.log10(max(seconds, 1e-6)) - low) / (high - low)
        return _HEIGHT - _BOTTOM - share * (_HEIGHT - _BOTTOM - _TOP)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        'font-family="Helvetica, Arial, sans-serif" font-size="12"><title>Latency by percentile</title>',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>',
    ]
    for exponent in range(math.ceil(low), math.floor(high) + 1):
        height = y(10.0**exponent)
        parts.append(f'<path d="M{_LEFT} {height:.1f}H{_WIDTH - 30}" stroke="#e2e8f0"/>')
        shown = f"{10.0**exponent * 1000:g} ms"
        parts.append(f'<text x="{_LEFT - 8}" y="{height + 4:.1f}" text-anchor="end">{shown}</text>')
    for number, key in enumerate(keys):
        parts.append(f'<text x="{x(number):.1f}" y="{_HEIGHT - 28}" text-anchor="middle">p{key}</text>')
    for number, (name, service) in enumerate(services.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        points = " ".join(f"{x(place):.1f},{y(service[key]):.1f}" for place, key in enumerate(keys))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        place = _LEFT + 20 + number * 160
        parts.append(f'<text x="{place}" y="{_TOP - 10}" fill="{colour}" font-weight="bold">{escape(name)}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"
