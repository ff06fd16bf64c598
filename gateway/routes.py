"""`python -m gateway routes`: the table of all routes of the contract, and which of them overlap."""

from google.protobuf.descriptor_pb2 import FileDescriptorSet

from gateway.transcode import DEFAULT, Binding, Profile, Types, build_router, find_overlaps, read_bindings

_ARROWS = {
    (False, False): "",
    (True, False): "stream in",
    (False, True): "stream out",
    (True, True): "stream both ways",
}


def route_table(descriptors: FileDescriptorSet, *, profile: Profile = DEFAULT) -> str:
    """One line per route (method, path, RPC, body and kind), then the pairs of which one hides the other for some path.

    Raises ContractError as the gateway does at start.
    """
    bindings = read_bindings(descriptors, Types(descriptors), profile=profile)
    rows = [_row(binding) for binding in bindings]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    overlaps = find_overlaps(bindings, build_router(bindings, bindings, profile))
    report = [f"{len(overlaps)} overlaps:", *(f"  {overlap}" for overlap in overlaps)] if overlaps else ["no overlaps"]
    return "\n".join([*lines, "", f"{len(rows)} routes, {report[0]}", *report[1:]])


def _row(binding: Binding) -> tuple[str, str, str, str, str]:
    method = binding.method
    return (
        binding.http_method,
        binding.template.text,
        binding.rpc[1:],
        f"body: {binding.body}" if binding.body else "",
        _ARROWS[method.client_streaming, method.server_streaming],
    )
