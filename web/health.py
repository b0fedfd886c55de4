"""What a load balancer and a monitor ask: is the process alive, can it serve, what has it counted."""

import time
from collections.abc import Callable
from functools import cache

from flask import Flask, Response, g, jsonify, request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest

from controlplane.policy import authorize
from web.context import actor

_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})


def init_app(app: Flask, why_not_ready: Callable[[], str | None]) -> None:
    """Serve /healthz, /readyz and /metrics, and count every request."""
    registry = CollectorRegistry()
    seconds = Histogram("steppe_request_seconds", "Time to answer", ("endpoint", "method"), registry=registry)
    answers = Counter("steppe_answers_total", "Answers given", ("endpoint", "status"), registry=registry)

    # Finding a series by its labels takes longer than counting in it. There are few: nothing made up is a label.
    timed, given = cache(seconds.labels), cache(answers.labels)

    @app.before_request
    def start() -> None:
        g.began = time.perf_counter()

    @app.after_request
    def count(answer: Response) -> Response:
        endpoint = request.endpoint or "unknown"
        if "began" in g:
            method = request.method if request.method in _METHODS else "other"
            timed(endpoint, method).observe(time.perf_counter() - g.began)
        given(endpoint, answer.status_code).inc()
        return answer

    def alive() -> Response:
        return jsonify({"status": "ok"})

    def ready() -> tuple[Response, int]:
        trouble = why_not_ready()
        return jsonify({"status": trouble or "ok"}), 503 if trouble else 200

    def metrics() -> Response:
        authorize(actor(), "centre.read")
        return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)

    app.add_url_rule("/healthz", "health.alive", alive)
    app.add_url_rule("/readyz", "health.ready", ready)
    app.add_url_rule("/metrics", "health.metrics", metrics)
