"""Searches that come over the line from the process that speaks gRPC."""

from google.protobuf.message import DecodeError

from acervo.rag.v1 import search_service_pb2 as pb
from rag_server.api.search import SearchApi
from serving import trace
from serving.errors import InvalidInput
from serving.layers import told_of, valid_request
from serving.line import Asked, Failed

METHOD = "/acervo.rag.v1.SearchService/Search"


class SearchLine:
    """Does for a search what the layers of a gRPC server do."""

    def __init__(self, api: SearchApi) -> None:
        self._api = api

    async def answer(self, asked: Asked) -> bytes:
        """The response. To be called in a task of its own. Raises Failed."""
        trace.CURRENT.set(trace.begin(asked.request_id, asked.traceparent))
        try:
            request = _parsed(asked.message)
            valid_request(request)
            response = await self._api.answer(request, asked.left_s)
        except Exception as error:
            told = told_of(error, METHOD)
            raise Failed(told.code.value[0], told.details, told.trailing_metadata) from error
        return response.SerializeToString()


def _parsed(message: bytes) -> pb.SearchRequest:
    try:
        return pb.SearchRequest.FromString(message)
    except DecodeError as error:
        raise InvalidInput("this is no SearchRequest") from error
