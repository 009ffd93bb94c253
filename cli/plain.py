"""Messages of the contracts as plain data for `--json`: short enums, whole numbers as numbers, times in ISO."""

from typing import Any

from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc.status_pb2 import Status

from cli.refusal import reason_of

# Of a field or an enum. The types differ with the implementation of protobuf that is loaded.
Descriptor = Any


def plain(message: Message) -> dict[str, Any]:
    """All fields by their names in the contract; None for those that are absent."""
    return {field.name: _field(message, field) for field in message.DESCRIPTOR.fields}


def word(message: Message, field: str) -> str:
    """The short name of an enum field's value: `SUCCEEDED`."""
    enum = message.DESCRIPTOR.fields_by_name[field].enum_type
    if enum is None:
        raise TypeError(f"{field} is not an enum")
    return short_name(enum, getattr(message, field))


def short_name(enum: Descriptor, number: int) -> str:
    """A value's name without the enum's prefix; the number itself if this release does not know it."""
    value = enum.values_by_number.get(number)
    prefix = enum.values_by_number[0].name.removesuffix("UNSPECIFIED")
    return str(number) if value is None else value.name.removeprefix(prefix)


def _field(message: Message, field: Descriptor) -> Any:
    value = getattr(message, field.name)
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return dict(value)
    if field.is_repeated:
        return [_value(field, one) for one in value]
    if field.has_presence and not message.HasField(field.name):
        return None
    return _value(field, value)


def _value(field: Descriptor, value: Any) -> Any:
    if field.enum_type is not None:
        return short_name(field.enum_type, value)
    return _well_known(value) if isinstance(value, Message) else value


def _well_known(message: Message) -> Any:
    match message:
        case Timestamp():
            return message.ToJsonString()
        case Duration():
            return message.ToTimedelta().total_seconds()
        case Struct():
            return MessageToDict(message)
        case Status():
            return {"reason": reason_of(message), "message": message.message}
    return plain(message)
