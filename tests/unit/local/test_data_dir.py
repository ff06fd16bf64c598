"""One data directory: one launcher, short sockets, secrets that stay."""

import hashlib
import os
import stat
import tomllib
from pathlib import Path

import pytest

from deploy.local.data_dir import DataDir
from deploy.local.errors import AlreadyRunningError, LocalError


def test_a_second_launcher_is_refused_and_told_the_first_ones_pid(tmp_path: Path) -> None:
    with DataDir(path=tmp_path / "data"), pytest.raises(AlreadyRunningError, match=f"process {os.getpid()}"):
        DataDir(path=tmp_path / "data").__enter__()

    with DataDir(path=tmp_path / "data") as again:
        assert again.path == tmp_path / "data"


def test_secrets_are_kept_private_and_stay_the_same(tmp_path: Path) -> None:
    with DataDir(path=tmp_path / "data") as data:
        first, other = data.secret("redis"), data.secret("postgres")
    with DataDir(path=tmp_path / "data") as data:
        again = data.secret("redis")
    path = tmp_path / "data/secrets/redis"

    assert first == again != other
    assert len(first) >= 43
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_auth_gets_only_hashes_of_the_services_secrets(tmp_path: Path) -> None:
    with DataDir(path=tmp_path / "data") as data:
        data.write_service_secrets(("ingest", "query"))
        found = tomllib.loads(data.service_secrets.read_text())
        expected = {name: hashlib.sha256(data.secret(name).encode()).hexdigest() for name in ("ingest", "query")}

    assert found == expected


def test_sockets_lie_in_the_data_directory_unless_its_path_is_too_long(tmp_path: Path) -> None:
    short, long = DataDir(path=Path("/srv/flick")), DataDir(path=Path("/srv") / ("x" * 90))
    found = long.socket_directory(runtime_dir=Path("/run"))

    assert short.socket_directory(runtime_dir=Path("/run")) == Path("/srv/flick/run")
    assert found.parent == Path("/run")
    assert len(str(found / ".s.PGSQL.65535")) < 100


def test_a_damaged_state_counts_as_none(tmp_path: Path) -> None:
    with DataDir(path=tmp_path / "data") as data:
        data.remember(ports={"gateway": 1})
        data.remember(more=2)
        whole = data.remembered()
        (data.path / "state.json").write_text("{")

        assert whole == {"ports": {"gateway": 1}, "more": 2}
        assert data.remembered() == {}


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(LocalError, match=r"file/data cannot be used.*--data-dir"):
        DataDir(path=tmp_path / "file/data").__enter__()


def test_a_folder_that_others_could_plant_links_in_is_refused(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)

    with pytest.raises(LocalError, match="chmod o-w"):
        DataDir(path=tmp_path / "open").__enter__()
    assert list((tmp_path / "open").iterdir()) == []


def test_a_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    foreign = Path("/usr")  # root's
    if os.geteuid() == 0:
        foreign = tmp_path / "foreign"
        foreign.mkdir()
        os.chown(foreign, 65534, 65534)

    with pytest.raises(LocalError, match=f"chown {os.geteuid()} {foreign}"):
        DataDir(path=foreign).__enter__()


def test_nobody_else_can_take_the_lock(tmp_path: Path) -> None:
    with DataDir(path=tmp_path / "data"):
        mode = stat.S_IMODE((tmp_path / "data/lock").stat().st_mode)

    assert mode == 0o600
