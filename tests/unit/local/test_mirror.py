"""Which of apt's sources is Debian's own archive."""

import pytest

from deploy.local.embedded.apt import choose_mirror

MAIN = "Packages|Debian|Debian|main|bookworm|http://mirror.example/debian/"
SECURITY = "Packages|Debian|Debian-Security|main|bookworm-security|http://mirror.example/debian-security/"
FOREIGN = "Packages|Other|Other|main|stable|https://packages.example/apt/"


@pytest.mark.parametrize(
    ("targets", "mirror"),
    [
        ([FOREIGN, SECURITY, MAIN], "http://mirror.example/debian/"),
        ([SECURITY, FOREIGN], None),
        ([MAIN.replace("|main|", "|contrib|")], None),
        (["Translations|Debian|Debian|main|bookworm|http://mirror.example/debian/"], None),
        # Before the first `apt-get update` neither origin nor label is known.
        (["Packages|||main|bookworm-security|http://m/debian-security/", "Packages|||main|bookworm|http://m/debian/"],
         "http://m/debian/"),
        (["Packages|||main|noble|http://m/ubuntu/"], None),
        ([], None),
    ],
    ids=["debian", "no-archive", "no-main", "no-packages", "never-updated", "other-system", "none"],
)  # fmt: skip
def test_debians_main_archive_is_chosen(targets: list[str], mirror: str | None) -> None:
    assert choose_mirror(targets) == mirror
