"""An authority, a certificate and an identity for each test."""

import pytest

from agent.identity import Identity
from tests.integration.agent.certificates import Authority, Issued
from tests.integration.agent.streaming import KEY


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="session")
def tls(authority: Authority) -> Issued:
    return authority.issue()


@pytest.fixture
def identity(authority: Authority) -> Identity:
    return Identity(server_id="server", agent_key=KEY, ingest_address="127.0.0.1:1", ca_pem=authority.pem)
