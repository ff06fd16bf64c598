"""The tests, by kind: unit, contract, integration, e2e, chaos, bench; and the matrix of who may do what."""

import os

# Tests start programs while gRPC's threads run in this process; its own fork handlers can end such a child before it
# becomes the program. Read once, when grpc is first imported.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"
