"""JSON schemas of messages, enums and fields, as protobuf writes them in JSON."""

from typing import Any

from google.protobuf.descriptor_pb2 import FieldDescriptorProto as Kind

from buf.validate import validate_pb2
from gateway.api.openapi.contracts import Contracts

Schema = dict[str, Any]
LONG: Schema = {"type": "string", "format": "int64"}  # JSON numbers cannot hold all of them
SCALARS: dict[int, Schema] = {
    Kind.TYPE_DOUBLE: {"type": "number", "format": "double"},
    Kind.TYPE_FLOAT: {"type": "number", "format": "float"},
    Kind.TYPE_INT64: LONG,
    Kind.TYPE_UINT64: {"type": "string", "format": "uint64"},
    Kind.TYPE_INT32: {"type": "integer", "format": "int32"},
    Kind.TYPE_UINT32: {"type": "integer", "format": "uint32"},
    Kind.TYPE_BOOL: {"type": "boolean"},
    Kind.TYPE_STRING: {"type": "string"},
    Kind.TYPE_BYTES: {"type": "string", "contentEncoding": "base64"},
}
WELL_KNOWN: dict[str, Schema] = {
    ".google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    ".google.protobuf.Duration": {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]{1,9})?s$"},
    ".google.protobuf.Struct": {"type": "object", "additionalProperties": True},
    ".google.protobuf.Any": {
        "type": "object",
        "properties": {"@type": {"type": "string"}},
        "required": ["@type"],
        "additionalProperties": True,
    },
}


class Schemas:
    """Makes schemas; what one refers to is among `components` afterwards."""

    def __init__(self, contracts: Contracts) -> None:
        self._contracts = contracts
        self.components: dict[str, Schema] = {}

    def reference(self, full_name: str) -> Schema:
        """The schema of a message or enum, `.package.Name`."""
        if full_name in WELL_KNOWN:
            return dict(WELL_KNOWN[full_name])
        name = full_name.removeprefix(".")
        if name not in self.components:
            self.components[name] = {}  # stands in while a message that holds itself is read
            self.components[name] = self._enum(name) if name in self._contracts.enums else self._message(name)
        return {"$ref": f"#/components/schemas/{name}"}

    def field(self, field: Kind, comment: str) -> Schema:
        """The schema of a field, with its rules and its comment."""
        entry = self._map_entry(field)
        if entry is not None:
            schema: Schema = {"type": "object", "additionalProperties": self._one(entry)}
        elif field.label == Kind.LABEL_REPEATED:
            schema = {"type": "array", "items": self._one(field)}
        else:
            schema = self._one(field)
        schema = {**schema, **_rules(field, schema)}
        return {**schema, "description": comment} if comment else schema

    def _one(self, field: Kind) -> Schema:
        return self.reference(field.type_name) if field.type_name else dict(SCALARS[field.type])

    def _map_entry(self, field: Kind) -> Kind | None:
        """The value field, where the field is a map."""
        message = self._contracts.messages.get(field.type_name.removeprefix("."))
        if message is None or not message.descriptor.options.map_entry:
            return None
        return message.descriptor.field[1]

    def _message(self, name: str) -> Schema:
        message = self._contracts.messages[name]
        comments = message.field_comments
        properties = {field.name: self.field(field, comments[field.name]) for field in message.descriptor.field}
        schema: Schema = {"type": "object", "description": message.comment, "properties": properties}
        required = [field.name for field in message.descriptor.field if _is_required(field)]
        return {**schema, "required": required} if required else schema

    def _enum(self, name: str) -> Schema:
        enum = self._contracts.enums[name]
        values = [f"- `{value}`: {comment}" for value, comment in enum.value_comments.items()]
        description = "\n".join([enum.comment, "", *values])
        return {"type": "string", "enum": [value.name for value in enum.descriptor.value], "description": description}


def _is_required(field: Kind) -> bool:
    rules = field.options.Extensions[validate_pb2.field]
    return rules.required or rules.string.min_len > 0


def _rules(field: Kind, schema: Schema) -> Schema:
    """What the field's validation asks for, where JSON Schema can say it."""
    rules = field.options.Extensions[validate_pb2.field]
    found: Schema = {}
    if schema.get("type") == "string" and schema.get("format") is None:
        found = {"pattern": rules.string.pattern, "minLength": rules.string.min_len, "maxLength": rules.string.max_len}
        found = {key: value for key, value in found.items() if value}
    if schema.get("type") == "integer":
        least = {"minimum": rules.int32.gte} if rules.int32.HasField("gte") else {}
        most = {"maximum": rules.int32.lte} if rules.int32.HasField("lte") else {}
        found = {**least, **most}
    if schema.get("type") == "array" and rules.repeated.max_items:
        found = {"maxItems": rules.repeated.max_items}
    return found
