"""What a test measured, in its own words: `make chaos` shows it and writes it down."""


def report(what: str, **figures: object) -> None:
    """Say what was measured."""
    print(f"{what}:", ", ".join(f"{name}={value}" for name, value in figures.items()))  # noqa: T201 - that is its work
