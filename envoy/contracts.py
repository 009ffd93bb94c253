"""The services of a descriptor set, as far as the edge cares for them."""

from dataclasses import dataclass
from pathlib import Path

from google.api import annotations_pb2
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet, MethodDescriptorProto, MethodOptions

OWN = "acervo."


@dataclass(frozen=True, slots=True)
class Method:
    """An RPC. `service` is the full name; `http_paths` are the templates of its REST bindings."""

    service: str
    name: str
    takes_stream: bool
    gives_stream: bool
    read_only: bool
    http_paths: tuple[str, ...]

    @property
    def path(self) -> str:
        """The path of the RPC in HTTP/2."""
        return f"/{self.service}/{self.name}"


def read_methods(descriptor_set: Path) -> list[Method]:
    """All RPCs of our own packages, in the order of the set."""
    files = FileDescriptorSet.FromString(descriptor_set.read_bytes()).file
    return [method for file in files if file.package.startswith(OWN) for method in _methods_of(file)]


def services_of(methods: list[Method]) -> list[str]:
    """The services of the methods, each once, sorted."""
    return sorted({method.service for method in methods})


def _methods_of(file: FileDescriptorProto) -> list[Method]:
    return [_method(f"{file.package}.{service.name}", method) for service in file.service for method in service.method]


def _method(service: str, method: MethodDescriptorProto) -> Method:
    return Method(
        service=service,
        name=method.name,
        takes_stream=method.client_streaming,
        gives_stream=method.server_streaming,
        read_only=method.options.idempotency_level == MethodOptions.NO_SIDE_EFFECTS,
        http_paths=_http_paths(method.options),
    )


def _http_paths(options: MethodOptions) -> tuple[str, ...]:
    rule = options.Extensions[annotations_pb2.http]
    bindings = [rule, *rule.additional_bindings]
    paths = (getattr(binding, binding.WhichOneof("pattern")) for binding in bindings if binding.WhichOneof("pattern"))
    return tuple(paths)
