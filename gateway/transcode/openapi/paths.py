"""Path templates as OpenAPI writes them: variables of several segments expanded, one parameter per wildcard."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import count

from gateway.transcode.openapi.schemas import FieldPath
from gateway.transcode.routing.template import Template, Wildcard

_NAMELESS = "segment"


@dataclass(frozen=True, slots=True)
class PathParameter:
    """A `{name}` in an OpenAPI path and the variable of the template that it is part of (empty: none)."""

    name: str
    variable: FieldPath
    deep: bool
    """Whether it may hold several segments, which OpenAPI cannot say."""


@dataclass(frozen=True, slots=True)
class OpenApiPath:
    """A path with its parameters in order."""

    text: str
    parameters: tuple[PathParameter, ...]


class PathNames:
    """Spells templates as paths; equal shapes get equal parameter names, as OpenAPI demands across methods."""

    def __init__(self, *, dots: bool) -> None:
        self._dot = "." if dots else "_"
        self._names: dict[str, tuple[str, ...]] = {}

    def spell(self, template: Template) -> OpenApiPath:
        """The path of a template, in the names that the first template of its shape brought."""
        wildcards = _wildcards(template)
        words = [segment if isinstance(segment, str) else "{}" for segment in template.segments]
        shape = "/" + "/".join(words) + (f":{template.verb}" if template.verb else "")
        names = self._names.setdefault(
            shape, tuple(_unique(self._dot.join(path) or _NAMELESS for path in wildcards.values()))
        )
        parameters = [
            PathParameter(name, variable, template.segments[index] is Wildcard.MANY)
            for name, (index, variable) in zip(names, wildcards.items(), strict=True)
        ]
        for parameter, index in zip(parameters, wildcards, strict=True):
            words[index] = f"{{{parameter.name}}}"
        text = "/" + "/".join(words) + (f":{template.verb}" if template.verb else "")
        return OpenApiPath(text, tuple(parameters))


def _wildcards(template: Template) -> Mapping[int, FieldPath]:
    """The index of each wildcard with the field path it belongs to."""
    owners = {index: item.path for item in template.variables for index in range(item.start, item.stop)}
    return {
        index: owners.get(index, ()) for index, segment in enumerate(template.segments) if isinstance(segment, Wildcard)
    }


def _unique(names: Iterable[str]) -> list[str]:
    """`name`, `name_1`, `name_2` for the same name again."""
    given: list[str] = []
    for name in names:
        numbered = (f"{name}_{number}" for number in count(1))
        given.append(name if name not in given else next(one for one in numbered if one not in given))
    return given
