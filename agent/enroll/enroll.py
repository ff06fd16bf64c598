"""`flick-agent enroll`: from address and join token to an identity."""

from agent.enroll.gateway import Gateway
from agent.enroll.join_token import parse_join_token
from agent.errors import AgentError
from agent.identity import Identity
from agent.network.address import split_address
from flick.v1 import enrollment_pb2, servers_pb2


def enroll(*, gateway: Gateway, token: str, host: servers_pb2.Host, version: str) -> Identity:
    """Exchange the join token for this agent's identity.

    The token's own checksum is looked at first, then the peer's authority is compared with the token's fingerprint, and
    only then the token is sent. Raises AgentError.
    """
    parsed = parse_join_token(token)
    ca_pem = gateway.trusted_authority(parsed)
    request = enrollment_pb2.EnrollServerRequest(token=parsed.text, host=host, agent_version=version)
    answer = gateway.enroll(request, ca_pem=ca_pem)
    if not (answer.agent_key and answer.server.server_id and answer.ingest_address):
        raise AgentError(
            "FLick's answer has no agent key or no ingest address; its operator must set the public addresses"
        )
    split_address(answer.ingest_address)
    return Identity(
        server_id=answer.server.server_id,
        agent_key=answer.agent_key,
        ingest_address=answer.ingest_address,
        ca_pem=answer.trust_bundle.ca_pem,
    )
