"""The four contexts, and the embedded store over the network."""

import os

# gRPC's core would write past our logs, to standard error, what is said better by the errors that
# it answers. It asks for this when it is first imported: before that, there is only this module.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
