"""Opens the store of several machines: PostgreSQL, nudges through Redis, blobs that all of them see."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from rag_server.adapters.fastembed.embedder import FastembedEmbedder
from rag_server.adapters.flock.slots import SlotLock
from rag_server.adapters.pgvector.index import HnswIndex
from rag_server.adapters.pgvector.table import prepare
from rag_server.adapters.pgvector.view import PgvectorView
from rag_server.adapters.postgres.batches import PostgresBatches
from rag_server.adapters.postgres.changes import PostgresChangeLog
from rag_server.adapters.postgres.contents import PostgresContents
from rag_server.adapters.postgres.documents import PostgresDocuments
from rag_server.adapters.postgres.integrity import PostgresIntegrity
from rag_server.adapters.postgres.jobs import PostgresJobs
from rag_server.adapters.postgres.model_pin import pin_model
from rag_server.adapters.postgres.queueing import PostgresQueueing
from rag_server.adapters.postgres.references import PostgresReferences
from rag_server.adapters.postgres.segments import PostgresSegments
from rag_server.adapters.postgres.slot import PostgresSlot
from rag_server.adapters.postgres.staging import PostgresStaging
from rag_server.adapters.redis.replicas import RedisReplicas
from rag_server.adapters.redis.wakeups import RedisWakeups
from rag_server.adapters.redis.workers import Announcing, RedisWorkers
from rag_server.bootstrap.store import MIGRATIONS, PIPELINE_VERSION, Store, StoredVectors
from rag_server.domain.pipeline import Pipeline
from storage.open_blobs import open_blobs
from storage.postgres import PostgresDatabase
from storage.postgres_migrations import upgrade
from storage.profile import Production

SCHEMA = "rag_server"


@dataclass(frozen=True, slots=True)
class Opening:
    """By whom the store is opened."""

    near: Path  # a folder of this machine
    role: str  # SERVE or WORK
    searches_vectors: bool  # in the store


@asynccontextmanager
async def open_production(
    production: Production, opening: Opening, model_name: str, embedder: FastembedEmbedder
) -> AsyncIterator[Store]:
    """As `open_store`."""
    url, near = production.postgres_url, opening.near
    await asyncio.to_thread(near.mkdir, parents=True, exist_ok=True, mode=0o700)
    await upgrade(url, SCHEMA, MIGRATIONS)
    pipeline = Pipeline(PIPELINE_VERSION, embedder.fingerprint)
    database_name = urlsplit(url).path.strip("/")
    with open_blobs(production.blobs_url, near) as blobs:
        async with (
            PostgresDatabase(url, SCHEMA, f"acervo {opening.role}") as database,
            RedisWakeups(production.redis_url, database_name) as wakeups,
            RedisWorkers(production.redis_url, database_name) as workers,
            RedisReplicas(production.redis_url, database_name) as replicas,
            Announcing(production.redis_url, database_name, SlotLock(near).present),
        ):
            await pin_model(database, model_name, embedder.fingerprint, embedder.dimensions)
            vectors = await _vectors(url, database, embedder.dimensions) if opening.searches_vectors else None
            yield Store(
                jobs=PostgresJobs(database, pipeline),
                slot=PostgresSlot(database),
                queueing=PostgresQueueing(database),
                staging=PostgresStaging(database, pipeline),
                batches=PostgresBatches(database, pipeline),
                documents=PostgresDocuments(database),
                contents=PostgresContents(database),
                log=PostgresChangeLog(database),
                references=PostgresReferences(database),
                segments=PostgresSegments(database),
                integrity=PostgresIntegrity(database),
                blobs=blobs,
                wakeups=wakeups,
                workers=workers,
                replicas=replicas,
                vectors=vectors,
            )


async def _vectors(url: str, database: PostgresDatabase, dimensions: int) -> StoredVectors:
    extension = await prepare(database, dimensions)
    return StoredVectors(PgvectorView(database, dimensions, extension), HnswIndex(url, SCHEMA).keep)
