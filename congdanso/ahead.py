"""Routes that nearly all requests are for, tried before all others and called without FastAPI's way to an endpoint.

FastAPI looks through its included routers one by one, twice a request, and works out what an endpoint wants of it. Measured with
messages that come faster than they can be answered: a third of the processor time went there, and what was to be acknowledged
waited for it. The routes stay in FastAPI as they are, for the document that describes them.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Collection
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, compile_path

Endpoint = Callable[..., Awaitable[Response]]


def ahead(app: FastAPI, paths: Collection[str]) -> None:
    """Put the routes of some paths in front of all others.

    Raises:
        RuntimeError: there is no such route, or its endpoint wants more than the request and what stands in its path.
    """
    wanted = set(paths)
    found: list[Route] = []
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if isinstance(route, APIRoute) and route.path in wanted:
            found.append(_plain(route))
            wanted.discard(route.path)
    if wanted:
        raise RuntimeError(f"no such route: {', '.join(sorted(wanted))}")
    app.router.routes[:0] = found


def _plain(route: APIRoute) -> Route:
    endpoint: Endpoint = route.endpoint
    wants = set(inspect.signature(endpoint).parameters)
    if not wants <= {"request", *compile_path(route.path)[2]}:
        raise RuntimeError(f"{route.path}: wants more than its request")

    async def called(request: Request) -> Response:
        given: dict[str, Any] = {"request": request, **request.path_params}
        return await endpoint(**{name: given[name] for name in wants})

    return Route(route.path, called, methods=sorted(route.methods or ()), name=route.name, include_in_schema=False)
