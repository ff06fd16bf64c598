"""What a profile of the transcoder decides. There is one today; a second that follows grpc-gateway v2 to the letter is
another instance of this class, and every branch on it reads a field, never a name."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Profile:
    """Choices between safe and compatible behaviour, wherever the two differ."""

    name: str
    """How the profile is called in messages and documents."""
    empty_segments_match: bool
    """Whether an empty path component matches `*`, so that a path variable may be empty."""
    unknown_query_is_an_error: bool
    """Whether a query key that is no field answers 400; else it is ignored."""
    wrong_method_status: int
    """HTTP status when the path exists for other methods only; 405 comes with an `Allow` header."""


DEFAULT = Profile(
    name="default",
    empty_segments_match=False,
    unknown_query_is_an_error=True,
    wrong_method_status=405,
)
