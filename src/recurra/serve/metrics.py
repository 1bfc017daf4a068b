"""What is counted and measured, for Prometheus."""

import time
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector
from starlette.types import Scope

if TYPE_CHECKING:
    from recurra.serve.service import Service

CONTENT_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048)


class Metrics:
    """The counters of one server, in a registry of its own."""

    def __init__(self, service: "Service") -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "recurra_requests", "Answers, by route and status.", ["route", "status"],
            registry=self._registry,
        )  # fmt: skip
        self._seconds = Histogram(
            "recurra_request_seconds", "From a request to its answer, by route.", ["route"],
            buckets=_SECONDS, registry=self._registry,
        )  # fmt: skip
        self._batches = Histogram(
            "recurra_batch_pushes", "Pushes run together.", buckets=_SIZES, registry=self._registry
        )
        self._by_answer: dict[tuple[str, int], Any] = {}
        self._registry.register(_Now(service))
        ProcessCollector(registry=self._registry)

    def saw_batch(self, size: int) -> None:
        """Count a batch of pushes."""
        self._batches.observe(size)

    def saw(self, scope: Scope, status: int) -> None:
        """Count an answer."""
        route = getattr(scope.get("route"), "path", "other")
        key = (route, status)
        found = self._by_answer.get(key)
        if found is None:
            found = self._requests.labels(route, str(status)), self._seconds.labels(route)
            self._by_answer[key] = found
        counter, seconds = found
        counter.inc()
        if "recurra.since" in scope:
            seconds.observe(time.perf_counter() - scope["recurra.since"])

    def text(self) -> bytes:
        """Return all as Prometheus reads it."""
        return generate_latest(self._registry)


class _Now(Collector):
    """What is read off the server when it is asked for."""

    def __init__(self, service: "Service") -> None:
        self._service = service

    def collect(self) -> Any:
        """Yield the figures."""
        calls = self._service.calls.waiting
        yield GaugeMetricFamily("recurra_calls_waiting", "Calls waiting or running.", value=calls)
        if "stream" not in self._service.family.takes:
            return
        streams, pushes = self._service.streams.live, self._service.streams.pushes
        yield GaugeMetricFamily("recurra_streams_live", "Live streams.", value=len(streams))
        yield CounterMetricFamily("recurra_streams_opened", "Streams opened.", value=streams.opened)
        ended = CounterMetricFamily("recurra_streams_ended", "Streams ended.", labels=["way"])
        for way, count in streams.ended_by.items():
            ended.add_metric([way], count)
        yield ended
        yield CounterMetricFamily("recurra_pushes", "Pushes answered.", value=pushes.answered)
        yield GaugeMetricFamily("recurra_pushes_waiting", "Pushes waiting.", value=pushes.waiting)
        yield GaugeMetricFamily(
            "recurra_streams_bytes", "What grows of streams takes.", value=pushes.room
        )

    def describe(self) -> Any:
        """Return nothing: the service is not whole yet when this is registered."""
        return []
