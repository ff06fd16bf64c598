import pytest

from tests.integration.agent.certificates import Authority, Issued


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="session")
def tls(authority: Authority) -> Issued:
    return authority.issue()
