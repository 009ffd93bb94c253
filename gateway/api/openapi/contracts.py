"""The contracts as their descriptor set tells them: messages, bindings, comments."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from google.api import annotations_pb2, http_pb2
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    MethodDescriptorProto,
)

import acervo

DESCRIPTOR_SET = Path(acervo.__path__[0]).parent / "acervo.binpb"
OWN = "acervo."
# Numbers of fields in descriptor.proto: comments are found by the path through them.
FILE_MESSAGES, FILE_ENUMS, FILE_SERVICES = 4, 5, 6
MESSAGE_FIELDS, MESSAGE_NESTED, ENUM_VALUES, SERVICE_METHODS = 2, 3, 2, 2


@dataclass(frozen=True, slots=True)
class Message:
    """A message, with the comments of its fields by name."""

    descriptor: DescriptorProto
    comment: str
    field_comments: dict[str, str]


@dataclass(frozen=True, slots=True)
class Enum:
    """An enum, with the comments of its values by name."""

    descriptor: EnumDescriptorProto
    comment: str
    value_comments: dict[str, str]


@dataclass(frozen=True, slots=True)
class Binding:
    """One HTTP binding of a method. `number` is 0 for the first of the method."""

    service: str  # the short name
    method: MethodDescriptorProto
    comment: str
    rule: http_pb2.HttpRule
    number: int


@dataclass(frozen=True, slots=True)
class Contracts:
    """Everything, by full name; bindings in the order of the files."""

    messages: dict[str, Message]
    enums: dict[str, Enum]
    bindings: list[Binding]
    service_comments: dict[str, str]


def read_contracts(descriptor_set: Path = DESCRIPTOR_SET) -> Contracts:
    """Read a descriptor set that was made with its source info."""
    contracts = Contracts({}, {}, [], {})
    for file in FileDescriptorSet.FromString(descriptor_set.read_bytes()).file:
        comments = {tuple(place.path): _plain(place.leading_comments) for place in file.source_code_info.location}
        _read_types(contracts, file, comments)
        if file.package.startswith(OWN):
            _read_services(contracts, file, comments)
    return contracts


Comments = dict[tuple[int, ...], str]


def _read_types(contracts: Contracts, file: FileDescriptorProto, comments: Comments) -> None:
    for index, message in enumerate(file.message_type):
        for name, found in _messages(file.package, message, (FILE_MESSAGES, index), comments):
            contracts.messages[name] = found
    for index, enum in enumerate(file.enum_type):
        path = (FILE_ENUMS, index)
        values = {value.name: comments.get((*path, ENUM_VALUES, n), "") for n, value in enumerate(enum.value)}
        contracts.enums[f"{file.package}.{enum.name}"] = Enum(enum, comments.get(path, ""), values)


def _messages(
    scope: str, message: DescriptorProto, path: tuple[int, ...], comments: Comments
) -> Iterator[tuple[str, Message]]:
    name = f"{scope}.{message.name}"
    fields = {field.name: comments.get((*path, MESSAGE_FIELDS, n), "") for n, field in enumerate(message.field)}
    yield name, Message(message, comments.get(path, ""), fields)
    for index, nested in enumerate(message.nested_type):
        yield from _messages(name, nested, (*path, MESSAGE_NESTED, index), comments)


def _read_services(contracts: Contracts, file: FileDescriptorProto, comments: Comments) -> None:
    for index, service in enumerate(file.service):
        path = (FILE_SERVICES, index)
        contracts.service_comments[service.name] = comments.get(path, "")
        for number, method in enumerate(service.method):
            rule = method.options.Extensions[annotations_pb2.http]
            comment = comments.get((*path, SERVICE_METHODS, number), "")
            rules = [rule, *rule.additional_bindings] if rule.WhichOneof("pattern") else []
            contracts.bindings.extend(
                Binding(service.name, method, comment, one, count) for count, one in enumerate(rules)
            )


def _plain(comment: str) -> str:
    """Paragraphs of one line each."""
    paragraphs = re.split(r"\n\s*\n", comment.strip())
    return "\n\n".join(" ".join(line.strip() for line in paragraph.splitlines()) for paragraph in paragraphs)
