"""multipart/form-data, piece by piece: bytes in, events out. Limits hold before anything is kept."""

from dataclasses import dataclass

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from serving.errors import InvalidInput

FORM = "multipart/form-data"
MAX_PARTS = 100
MAX_FIELD_BYTES = 65_536
MAX_HEADERS = 8
MAX_HEADER_BYTES = 4_096


@dataclass(frozen=True, slots=True)
class Field:
    """A text field, whole."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class FileBegin:
    """A file begins. Its bytes follow."""

    file_name: str
    media_type: str


@dataclass(frozen=True, slots=True)
class FileData:
    """Bytes of the file that began last."""

    data: bytes


Event = Field | FileBegin | FileData


def is_form(content_type: str) -> bool:
    """Whether a body of this type is a form."""
    return content_type.partition(";")[0].strip().lower() == FORM


class FormParser:
    """Feed it the body; it is `complete` once the closing boundary has come."""

    def __init__(self, content_type: str) -> None:
        """Raises InvalidInput where the type names no usable boundary."""
        boundary = parse_options_header(content_type)[1].get(b"boundary", b"")
        if not boundary:
            raise InvalidInput("A multipart form needs a boundary in its content type.", field="content-type")
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin_part,
                    "on_part_data": self._data,
                    "on_part_end": self._end_part,
                    "on_header_field": self._header_name,
                    "on_header_value": self._header_value,
                    "on_header_end": self._end_header,
                    "on_headers_finished": self._end_headers,
                    "on_end": self._end,
                },
                max_header_count=MAX_HEADERS,
                max_header_size=MAX_HEADER_BYTES,
            )
        except FormParserError as error:
            raise InvalidInput("The boundary of the form is too long.", field="content-type") from error
        self.complete = False
        self._events: list[Event] = []
        self._parts = 0
        self._headers: dict[str, str] = {}
        self._name, self._value = bytearray(), bytearray()
        self._field: str | None = None  # None within a file
        self._text = bytearray()

    def feed(self, data: bytes) -> list[Event]:
        """What the next bytes hold. Raises InvalidInput."""
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise InvalidInput("The body is no valid multipart form.", field="body") from error
        events, self._events = self._events, []
        return events

    def _begin_part(self) -> None:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise InvalidInput(f"A form has at most {MAX_PARTS} parts.", field="body")
        self._headers = {}

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        # Browsers send names as UTF-8; what is not is still a name.
        self._headers[_text(self._name).lower()] = _text(self._value)
        self._name, self._value = bytearray(), bytearray()

    def _end_headers(self) -> None:
        # The parser of options speaks latin-1: what passes through it comes out as the bytes that went in.
        disposition = self._headers.get("content-disposition", "").encode().decode("latin-1")
        options = parse_options_header(disposition)[1]
        file_name = options.get(b"filename")
        if file_name is None:
            self._field, self._text = _text(options.get(b"name", b"")), bytearray()
            return
        self._field = None
        self._events.append(FileBegin(_text(file_name), self._headers.get("content-type", "")))

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._field is None:
            self._events.append(FileData(data[start:end]))
            return
        if len(self._text) + end - start > MAX_FIELD_BYTES:
            raise InvalidInput(f"A text field has at most {MAX_FIELD_BYTES} bytes.", field=self._field[:64])
        self._text += data[start:end]

    def _end_part(self) -> None:
        if self._field is None:
            return
        try:
            self._events.append(Field(self._field, self._text.decode()))
        except UnicodeDecodeError as error:
            raise InvalidInput("A text field must be UTF-8.", field=self._field[:64]) from error

    def _end(self) -> None:
        self.complete = True


def _text(raw: bytes | bytearray) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")
