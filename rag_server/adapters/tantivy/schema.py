"""The fields of the word index."""

from collections.abc import Iterator
from pathlib import Path

from tantivy import Document, Index, Schema, SchemaBuilder

from rag_server.adapters.tantivy import analysis
from rag_server.domain.document import IndexedChunk

CHUNK_ID = "chunk_id"
VERSION_ID = "version_id"
DOCUMENT_ID = "document_id"
COLLECTION = "collection"
FOLDED = "folded"
PORTUGUESE = "portuguese"
ENGLISH = "english"


def build_schema() -> Schema:
    """Title and headings stand in the three text fields, before the text: measured as good as fields of their own."""
    builder = SchemaBuilder()
    builder.add_unsigned_field(CHUNK_ID, indexed=True, fast=True)
    builder.add_unsigned_field(VERSION_ID, indexed=True, fast=True)
    builder.add_text_field(DOCUMENT_ID, tokenizer_name="raw", index_option="basic")
    builder.add_text_field(COLLECTION, tokenizer_name="raw", index_option="basic")
    builder.add_text_field(FOLDED, tokenizer_name=FOLDED, index_option="position")
    builder.add_text_field(PORTUGUESE, tokenizer_name=PORTUGUESE, index_option="freq")
    builder.add_text_field(ENGLISH, tokenizer_name=ENGLISH, index_option="freq")
    return builder.build()


def open_index(folder: Path) -> Index:
    """Open the index in a folder, or make one in an empty folder. Readers reload when they are told to."""
    index = Index(build_schema(), path=str(folder), reuse=True)
    # Not stored with the index.
    index.register_tokenizer(FOLDED, analysis.FOLDED)
    index.register_tokenizer(PORTUGUESE, analysis.PORTUGUESE)
    index.register_tokenizer(ENGLISH, analysis.ENGLISH)
    index.config_reader("manual")
    return index


def entry_of(chunk: IndexedChunk, schema: Schema) -> Document:
    """The chunk as the index takes it. Made by the schema: a signed number in an unsigned field kills the writer."""
    text = analysis.prepared("\n".join(_texts(chunk)))
    fields = {
        CHUNK_ID: chunk.chunk_id,
        VERSION_ID: chunk.version_id,
        DOCUMENT_ID: chunk.document_id,
        COLLECTION: chunk.collection,
        FOLDED: text,
        PORTUGUESE: text,
        ENGLISH: text,
    }
    return Document.from_dict(fields, schema)


def _texts(chunk: IndexedChunk) -> Iterator[str]:
    yield chunk.title
    # A chunk often begins with the heading it stands under.
    yield from (heading for heading in chunk.headings if not chunk.text.startswith(heading))
    yield chunk.text
