"""The gateway's web application: the transcoder's routes, and beside them health, the live socket and the reference."""

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from starlette.routing import Route, WebSocketRoute
from starlette.types import Receive, Scope, Send

from gateway.backends import Backends
from gateway.http.origin import OriginPolicy
from gateway.http.wire import header
from gateway.live.hub import LiveHub
from gateway.reference.document import about
from gateway.reference.page import PAGE_POLICY, render
from gateway.transcode import Options, Transcoder

API = "/api/v1"
MAX_BODY_BYTES = 1024 * 1024  # no request of the contract needs more
CALL_TIMEOUT_S = 15.0  # what a call with one answer may take whose client says nothing
STREAM_TIMEOUT_S = 3600.0  # what any call may take; a client that watches on comes back


def build_app(
    *, descriptors: FileDescriptorSet, backends: Backends, live: LiveHub, origins: OriginPolicy, version: str
) -> FastAPI:
    """The application. Raises ContractError when a rule of the contract can't be served."""
    transcoder = Transcoder(descriptors, backends.by_service, options=_options(origins))
    document = transcoder.openapi(about(descriptors, version=version))
    page = render(document)
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)

    @app.get("/healthz")
    async def healthz() -> Response:
        """Whether everything that the API needs answers."""
        states = await backends.health()
        down = sorted(name for name, state in states.items() if state != "serving")
        body = {"status": "degraded" if down else "serving", "backends": dict(states), "down": down}
        return JSONResponse(body, status_code=503 if down else 200)

    @app.get(f"{API}/openapi.json")
    async def openapi() -> Response:
        """The API's description."""
        return JSONResponse(document, headers={"cache-control": "public, max-age=60"})

    @app.get("/docs")
    async def docs() -> Response:
        """The API's reference for people; without any outside asset or script."""
        return Response(page, media_type="text/html", headers={"content-security-policy": PAGE_POLICY})

    @app.get(f"{API}/ws")
    async def plain_request_to_the_socket(_: Request) -> Response:
        """What a request gets that asks for no upgrade."""
        message = "This is a WebSocket. Connect with `Upgrade: websocket`."
        body = {"code": 9, "message": message, "details": []}
        return JSONResponse(body, status_code=426, headers={"upgrade": "websocket"})

    own = [route.path for route in app.routes if isinstance(route, Route)]
    app.router.routes.append(WebSocketRoute(f"{API}/ws", live.serve))
    app.router.routes.extend(Route(path, _OtherMethods()) for path in own)
    app.mount("/", transcoder)
    return app


class _OtherMethods:
    """Answers what is no GET on a path of the gateway's own as the transcoder does, which knows nothing of the path."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = {"code": 12, "message": "Method Not Allowed", "details": []}
        await JSONResponse(body, status_code=405, headers={"allow": "GET"})(scope, receive, send)


def _options(origins: OriginPolicy) -> Options:
    return Options(
        default_timeout_s=CALL_TIMEOUT_S,
        stream_timeout_s=STREAM_TIMEOUT_S,
        max_timeout_s=STREAM_TIMEOUT_S,
        max_body_bytes=MAX_BODY_BYTES,
        admit_origin=lambda scope: origins.admits(
            header(scope, "origin"), scheme=scope["scheme"], host=header(scope, "host") or ""
        ),
    )
