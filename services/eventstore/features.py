"""What is offered, told to clients that ask (`ServerFeatures`), and what is not, to all others.

The official Python client ships no messages of ServerFeatures, which those of other languages call
before anything else; so they are described here.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import grpc
import grpc.aio
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format
from kurrentdbclient.protos.v1 import shared_pb2

PACKAGE = "event_store.client.server_features"
FEATURES = f"{PACKAGE}.ServerFeatures"

VERSION = "24.10.0"
"""The KurrentDB whose streams protocol this is: clients expect of later ones what is not here."""

METHOD_FEATURES = {"batchappend": ["deadline_duration"]}
"""What a method can beyond its first version; deadlines of appends may be durations."""

NOT_OFFERED = {
    "event_store.client.persistent_subscriptions.": "persistent subscriptions are not offered: "
    "use a catch-up subscription and keep the position of what was done",
    "event_store.client.projections.": "projections are not offered: "
    "fold a catch-up subscription, as the views of the services do",
    "event_store.client.users.": "users are not managed over the wire: "
    "the one user is set by EQUILOOP_EVENTSTORE_USER",
    "event_store.client.operations.": "operations are not offered over the wire: "
    "use `python -m services.eventstore`",
    "event_store.client.monitoring.": "statistics are not offered over the wire: "
    "use `python -m services.eventstore`",
    "event_store.cluster.": "a cluster is not offered: this is a node by itself",
    "kurrentdb.protocol.v2.": "the second version of the protocol is not offered: "
    "use event_store.client.streams.Streams, whose BatchAppend takes many appends on one call",
}
"""What KurrentDB has and this server has not, by the beginning of a service's name."""

_DESCRIPTION = """
name: "serverfeatures.proto" package: "event_store.client.server_features" syntax: "proto3"
message_type { name: "SupportedMethods"
  field { name: "methods" number: 1 label: LABEL_REPEATED type: TYPE_MESSAGE
          type_name: ".event_store.client.server_features.SupportedMethod" }
  field { name: "event_store_server_version" number: 2 label: LABEL_OPTIONAL type: TYPE_STRING } }
message_type { name: "SupportedMethod"
  field { name: "method_name" number: 1 label: LABEL_OPTIONAL type: TYPE_STRING }
  field { name: "service_name" number: 2 label: LABEL_OPTIONAL type: TYPE_STRING }
  field { name: "features" number: 3 label: LABEL_REPEATED type: TYPE_STRING } }
service { name: "ServerFeatures"
  method { name: "GetSupportedMethods" input_type: ".event_store.client.Empty"
           output_type: ".event_store.client.server_features.SupportedMethods" } }
"""


def _described() -> Any:
    """Make the messages known to protobuf, and so to reflection; answer that of the answer."""
    file = text_format.Parse(_DESCRIPTION, descriptor_pb2.FileDescriptorProto())
    file.dependency.append(shared_pb2.DESCRIPTOR.name)
    pool = descriptor_pool.Default()
    pool.Add(file)
    return message_factory.GetMessageClass(
        pool.FindMessageTypeByName(f"{PACKAGE}.SupportedMethods")
    )


SupportedMethods = _described()


def features(offered: Mapping[str, Iterable[str]]) -> dict[str, "grpc.RpcMethodHandler[Any, Any]"]:
    """Answer the handlers of ServerFeatures: it names the methods of each service `offered`."""
    answer = SupportedMethods(event_store_server_version=VERSION)
    own = {FEATURES: ["GetSupportedMethods"]}
    for service, methods in {**offered, **own}.items():
        for method in map(str.lower, methods):
            # Lower case is how KurrentDB writes names, and how clients compare them.
            given = METHOD_FEATURES.get(method, [])
            answer.methods.add(service_name=service.lower(), method_name=method, features=given)
    written: bytes = answer.SerializeToString()

    async def supported(_: shared_pb2.Empty, __: object) -> bytes:
        return written

    parse = shared_pb2.Empty.FromString
    return {"GetSupportedMethods": grpc.unary_unary_rpc_method_handler(supported, parse)}


class NotOffered(grpc.GenericRpcHandler):
    """Answers every other method UNIMPLEMENTED, saying what to use instead."""

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "Any":
        """Answer a handler that fits every kind of call."""
        method = str(handler_call_details.method).lstrip("/")
        known = (said for begin, said in NOT_OFFERED.items() if method.startswith(begin))
        said = next(known, f"{method} is not known here")

        async def refuse(_: object, context: grpc.aio.ServicerContext[Any, Any]) -> None:
            await context.abort(grpc.StatusCode.UNIMPLEMENTED, said)

        return grpc.stream_stream_rpc_method_handler(refuse)
