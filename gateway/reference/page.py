"""The API's reference as one HTML page made from the OpenAPI document: no script and nothing from outside."""

import base64
import hashlib
import html
from collections.abc import Iterator, Mapping
from typing import Any

from gateway.reference.document import AGENT_KEY

_STYLE = """
:root { color-scheme: light dark; --line: #8885; --soft: #8881; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 70rem; padding: 1rem; }
h2 { border-bottom: 1px solid var(--line); margin-top: 2.5rem; }
nav ul { columns: 18rem; padding-left: 1.2rem; }
details { border: 1px solid var(--line); border-radius: 6px; margin: .6rem 0; padding: .4rem .8rem; }
summary { cursor: pointer; overflow-wrap: anywhere; }
code, pre { font: .92em ui-monospace, monospace; }
pre, table { background: var(--soft); border-radius: 6px; overflow-x: auto; padding: .6rem; }
table { border-collapse: collapse; display: block; }
th, td { padding: .2rem .8rem .2rem 0; text-align: left; vertical-align: top; }
.method { display: inline-block; font-weight: 700; min-width: 4.5rem; }
.who { opacity: .75; }
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

PAGE_POLICY = f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; frame-ancestors 'none'"
"""The page's Content-Security-Policy: its own style and nothing else."""

_REF = "#/components/schemas/"


def render(document: Mapping[str, Any]) -> str:
    """The page."""
    title = html.escape(f"{document['info']['title']} API {document['info']['version']}")
    return "".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{title}</title><style>{_STYLE}</style></head><body><main><h1>{title}</h1>",
            f"<p>{_text(document['info'].get('description', ''))}</p>",
            '<p>For programs: <a href="/api/v1/openapi.json">openapi.json</a></p>',
            *_contents(document),
            *_operations(document),
            *_schemas(document),
            "</main></body></html>",
        ]
    )


def _by_tag(document: Mapping[str, Any]) -> Mapping[str, list[tuple[str, str, Mapping[str, Any]]]]:
    found: dict[str, list[tuple[str, str, Mapping[str, Any]]]] = {}
    for path, item in document["paths"].items():
        for method, operation in item.items():
            found.setdefault(operation["tags"][0], []).append((path, method, operation))
    return found


def _contents(document: Mapping[str, Any]) -> Iterator[str]:
    yield '<nav aria-label="Contents"><ul>'
    for tag in [*_by_tag(document), "Messages"]:
        yield f'<li><a href="#{_id(tag)}">{html.escape(tag)}</a></li>'
    yield "</ul></nav>"


def _operations(document: Mapping[str, Any]) -> Iterator[str]:
    descriptions = {tag["name"]: tag.get("description", "") for tag in document.get("tags", [])}
    for tag, operations in _by_tag(document).items():
        yield f'<h2 id="{_id(tag)}">{html.escape(tag)}</h2><p>{_text(descriptions.get(tag, ""))}</p>'
        for path, method, operation in operations:
            yield from _operation(path, method, operation)


def _operation(path: str, method: str, operation: Mapping[str, Any]) -> Iterator[str]:
    yield f'<details id="{_id(operation["operationId"])}"><summary>'
    yield f'<span class="method">{method.upper()}</span> '
    yield f"<code>{html.escape(path)}</code> {_text(operation.get('summary', ''))}</summary>"
    yield f'<p>{_text(operation.get("description", ""))}</p><p class="who">{_who(operation)}</p>'
    parameters = operation.get("parameters", [])
    if parameters:
        yield "<h3>Parameters</h3><table><tr><th>Name</th><th>In</th><th>Type</th><th></th></tr>"
        for one in parameters:
            need = " (required)" if one.get("required") else ""
            yield f"<tr><td><code>{html.escape(one['name'])}</code>{need}</td><td>{one['in']}</td>"
            yield f"<td>{_type(one['schema'])}</td><td>{_text(one.get('description', ''))}</td></tr>"
        yield "</table>"
    if "requestBody" in operation:
        yield f"<h3>Body</h3><p>{_content(operation['requestBody'])}</p>"
    yield "<h3>Answers</h3><ul>"
    for status, response in operation["responses"].items():
        yield f"<li><strong>{html.escape(status)}</strong> {_text(response['description'])} {_content(response)}</li>"
    yield "</ul></details>"


def _who(operation: Mapping[str, Any]) -> str:
    security = operation.get("security")
    if not security:
        return "Open to everybody."
    roles: list[str] = next(iter(security[0].values()), [])
    person = f" of a person with the role {html.escape(roles[0])} or above" if roles else ""
    agent = ", or the key of an agent" if any(AGENT_KEY in one for one in security) else ""
    return f"Needs an access token{person}{agent}."


def _schemas(document: Mapping[str, Any]) -> Iterator[str]:
    yield '<h2 id="messages">Messages</h2>'
    for name, schema in document["components"]["schemas"].items():
        yield f'<details id="{_id(name)}"><summary><code>{html.escape(name)}</code></summary>'
        yield f"<p>{_text(schema.get('description', ''))}</p>"
        if "enum" in schema:
            yield f"<p>One of {', '.join(f'<code>{html.escape(str(value))}</code>' for value in schema['enum'])}.</p>"
        if schema.get("properties"):
            yield "<table><tr><th>Field</th><th>Type</th><th></th></tr>"
            for field, inner in schema["properties"].items():
                yield f"<tr><td><code>{html.escape(field)}</code></td><td>{_type(inner)}</td>"
                yield f"<td>{_text(inner.get('description', ''))}</td></tr>"
            yield "</table>"
        yield "</details>"


def _content(holder: Mapping[str, Any]) -> str:
    kinds = holder.get("content", {})
    return ", ".join(
        f"<code>{html.escape(media)}</code> {_type(kind.get('schema', {}))}" for media, kind in kinds.items()
    )


def _type(schema: Mapping[str, Any]) -> str:
    """A schema in a few words, with links to the messages it names."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(_REF)
        return f'<a href="#{_id(name)}">{html.escape(name.rpartition(".")[2])}</a>'
    for union in ("anyOf", "oneOf", "allOf"):
        if union in schema:
            return " or ".join(_type(one) for one in schema[union])
    kind = schema.get("type", "anything")
    if kind == "array":
        return f"list of {_type(schema.get('items', {}))}"
    if kind == "object" and schema.get("properties"):
        return "{" + ", ".join(f"{html.escape(key)}: {_type(one)}" for key, one in schema["properties"].items()) + "}"
    kinds = kind if isinstance(kind, list) else [kind]
    return html.escape(" or ".join([*kinds, *([schema["format"]] if "format" in schema else [])][: len(kinds)]))


def _text(text: str) -> str:
    """Prose with `code` in backticks."""
    parts = html.escape(text).split("`")
    return "".join(f"<code>{part}</code>" if index % 2 else part for index, part in enumerate(parts))


def _id(name: str) -> str:
    return html.escape(name.replace(" ", "-").lower(), quote=True)
