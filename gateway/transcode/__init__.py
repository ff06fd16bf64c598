"""REST from a protobuf contract: google.api.http rules served over HTTP, as an ASGI application of its own.

    transcoder = Transcoder(descriptors, {"acme.v1.Shelves": channel})
    app.mount("/", transcoder)

It knows a contract only by its FileDescriptorSet. ContractError at start names every rule that cannot be served.
"""

from gateway.transcode.application import Transcoder
from gateway.transcode.codec.decode import Decoder, DecoderSet
from gateway.transcode.codec.encode import Encoder, EncoderSet, json_bytes
from gateway.transcode.codec.fault import JsonError
from gateway.transcode.codec.text import parse_json
from gateway.transcode.codec.types import Types
from gateway.transcode.marshal.formats import Binary, Json, Marshaler
from gateway.transcode.openapi import About
from gateway.transcode.options import Options
from gateway.transcode.profile import DEFAULT, GRPC_GATEWAY_V2, PROFILES, Decoding, Profile
from gateway.transcode.routing.overlap import Overlap, find_overlaps
from gateway.transcode.routing.rules import Binding, ContractError, read_bindings
from gateway.transcode.routing.table import build_router

__all__ = [
    "DEFAULT",
    "GRPC_GATEWAY_V2",
    "PROFILES",
    "About",
    "Binary",
    "Binding",
    "ContractError",
    "Decoder",
    "DecoderSet",
    "Decoding",
    "Encoder",
    "EncoderSet",
    "Json",
    "JsonError",
    "Marshaler",
    "Options",
    "Overlap",
    "Profile",
    "Transcoder",
    "Types",
    "build_router",
    "find_overlaps",
    "json_bytes",
    "parse_json",
    "read_bindings",
]
