"""Operations: what one HTTP binding takes and gives."""

import re
from typing import Any

from google.protobuf.descriptor_pb2 import FieldDescriptorProto

from gateway.api.openapi.bodies import ANSWERED, ASKED, ERRORS, JSON
from gateway.api.openapi.contracts import Binding, Contracts
from gateway.api.openapi.schemas import WELL_KNOWN, Schemas

STATUS = ".google.rpc.Status"
VARIABLE = re.compile(r"\{([a-z_]+)(?:=([^}]*))?\}")
ANSWER_CODES = {"Upload": "202", "UpsertTexts": "202"}
MORE_CODES = {"GetReadiness": "503"}
HEADERS = {
    "Upload": ("Idempotency-Key", "The client's own id of this upload; `request_id` says the same."),
    "UpsertTexts": ("Idempotency-Key", "The client's own id of this call; `request_id` says the same."),
    "StreamJobEvents": ("Last-Event-ID", "The id of the last event that the client has seen."),
}
FORM_FIELDS = ("collection", "document_key", "media_type", "tags", "metadata", "priority", "request_id")


class Operations:
    """Makes operations; the schemas that they need go to `schemas`."""

    def __init__(self, contracts: Contracts, schemas: Schemas) -> None:
        self._contracts = contracts
        self._schemas = schemas

    def path(self, binding: Binding) -> tuple[str, str]:
        """The path with simple variables, and the verb in lower case."""
        verb = str(binding.rule.WhichOneof("pattern"))
        return VARIABLE.sub(_spread, getattr(binding.rule, verb)), verb

    def operation(self, binding: Binding) -> dict[str, Any]:
        """The operation object."""
        summary, _, more = binding.comment.partition("\n\n")
        suffix = f"_{binding.number + 1}" if binding.number else ""
        parameters = [*self._path_parameters(binding), *self._query_parameters(binding), *_headers(binding)]
        operation: dict[str, Any] = {
            "operationId": f"{binding.service}_{binding.method.name}{suffix}",
            "tags": [binding.service.removesuffix("Service")],
            "summary": summary,
            "description": more,
            "parameters": parameters,
            "requestBody": self._body(binding),
            "responses": self._responses(binding),
        }
        return {key: value for key, value in operation.items() if value}

    def _fields(self, binding: Binding) -> dict[str, tuple[FieldDescriptorProto, str]]:
        message = self._contracts.messages[binding.method.input_type.removeprefix(".")]
        return {field.name: (field, message.field_comments[field.name]) for field in message.descriptor.field}

    def _path_parameters(self, binding: Binding) -> list[dict[str, Any]]:
        names = re.findall(r"\{([a-z_]+)\}", self.path(binding)[0])
        return [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]

    def _query_parameters(self, binding: Binding) -> list[dict[str, Any]]:
        if binding.rule.body == "*":
            return []
        bound = {found[1] for found in VARIABLE.finditer(getattr(binding.rule, self.path(binding)[1]))}
        bound.add(binding.rule.body)
        fields = self._fields(binding).items()
        return [self._parameter(*one) for name, one in fields if name not in bound and _fits_a_query(one[0])]

    def _parameter(self, field: FieldDescriptorProto, comment: str) -> dict[str, Any]:
        schema = self._schemas.field(field, "")
        required = bool(schema.get("minLength"))
        return {"name": field.name, "in": "query", "required": required, "description": comment, "schema": schema}

    def _body(self, binding: Binding) -> dict[str, Any]:
        if binding.method.name == "Upload":
            return {"required": True, "content": self._upload_bodies(binding)}
        asked = ASKED.get((binding.service, binding.method.name))
        if asked is not None:
            return {"required": True, "content": {JSON: {"schema": asked}}}
        if binding.rule.body != "*":
            return {}
        bound = {found[1] for found in VARIABLE.finditer(getattr(binding.rule, self.path(binding)[1]))}
        left = [field for name, field in self._fields(binding).items() if name not in bound]
        schema = self._schemas.reference(binding.method.input_type) if left else {"type": "object"}
        return {"required": bool(left), "content": {JSON: {"schema": schema}}}

    def _upload_bodies(self, binding: Binding) -> dict[str, Any]:
        fields = self._fields(binding)
        texts = {name: self._schemas.field(*fields[name]) for name in FORM_FIELDS if name in fields}
        texts["media_type"] = {"type": "string", "description": "The media type of the file that follows."}
        files = {"type": "array", "items": {"type": "string", "contentMediaType": "application/octet-stream"}}
        properties = {**texts, "file": {**files, "description": "The files; they may have any field name."}}
        form = {"type": "object", "properties": properties, "required": ["file"]}
        return {"multipart/form-data": {"schema": form}, "application/octet-stream": {"schema": {}}}

    def _responses(self, binding: Binding) -> dict[str, Any]:
        name = binding.method.name
        answer = {"description": "The answer.", "content": self._answer(binding)}
        failure = {
            "description": "The call failed.",
            "content": {JSON: {"schema": ERRORS.get(binding.service) or self._schemas.reference(STATUS)}},
        }
        codes = [ANSWER_CODES.get(name, "200"), *([MORE_CODES[name]] if name in MORE_CODES else [])]
        return {**dict.fromkeys(codes, answer), "default": failure}

    def _answer(self, binding: Binding) -> dict[str, Any]:
        if not binding.rule.response_body:
            return {JSON: {"schema": self._schemas.reference(binding.method.output_type)}}
        content_type, schema = ANSWERED[binding.service, binding.method.name]
        return {content_type: {"schema": schema}}


def _fits_a_query(field: FieldDescriptorProto) -> bool:
    """Whether it is one parameter: a message's fields are parameters of their own, with a dot, which nobody types."""
    return field.type != FieldDescriptorProto.TYPE_MESSAGE or field.type_name in WELL_KNOWN


def _spread(variable: re.Match[str]) -> str:
    """`{name=jobs/*}` as `jobs/{job}`."""
    if variable[2] is None:
        return variable[0]
    steps = variable[2].split("/")
    named = [f"{{{steps[n - 1].removesuffix('s')}}}" if step == "*" else step for n, step in enumerate(steps)]
    return "/".join(named)


def _headers(binding: Binding) -> list[dict[str, Any]]:
    if binding.method.name not in HEADERS:
        return []
    name, description = HEADERS[binding.method.name]
    return [{"name": name, "in": "header", "description": description, "schema": {"type": "string"}}]
