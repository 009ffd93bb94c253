"""The settings of the rag_server's programs, read from ACERVO_* variables and checked as a whole."""

import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from serving.environment import Environment, SettingsError
from serving.logs import LEVELS
from storage.near import near_folder, read_replica
from storage.profile import Embedded, Profile, read_profile

# As Tesseract names them: three letters, a script or a variant after an underscore.
_LANGUAGES = re.compile(r"[a-zA-Z]{3,}(?:_[a-zA-Z]+)*(?:\+[a-zA-Z]{3,}(?:_[a-zA-Z]+)*)*")
PDF_ENGINES = ("pymupdf", "pdfium")
VECTORS = ("faiss", "pgvector")


@dataclass(frozen=True, slots=True)
class Settings:
    """What an operator can choose. deploy/env.example says when to."""

    storage: Profile
    near: Path  # a folder of this replica for what can be lost
    replica: str  # which one of this machine
    listen: str  # host:port
    vectors: str  # one of VECTORS: searched in memory, or inside PostgreSQL
    model: str  # "bundled", a folder, or the name of a pulled model
    models_folder: Path
    reranker: str  # empty for none, a folder, or the name of a pulled cross-encoder
    embed_threads: int  # of ingestion; queries have one of their own
    pdf_engine: str  # one of PDF_ENGINES
    ocr: str  # the languages that text in pictures is recognised in, such as por+eng; empty for none
    require_sandbox: bool  # documents are read in a full sandbox or not at all
    max_upload_bytes: int
    min_free_bytes: int | None  # uploads are refused below; None: 1 GiB, or 5 % of a smaller disk
    log_level: str

    @property
    def folder(self) -> Path:
        """What this machine has for itself: indexes, and the locks of slots."""
        return self.storage.folder if isinstance(self.storage, Embedded) else self.near

    @property
    def slot(self) -> str:
        """The name of this replica's slot; a worker takes back at once what was under way in its own."""
        own = f"slot-{self.replica}"
        return own if isinstance(self.storage, Embedded) else f"{socket.gethostname()}-{own}"


def read(variables: Mapping[str, str], cores: int) -> Settings:
    """Raises SettingsError with one sentence for the first setting that cannot be used."""
    environment = Environment(variables)
    environment.refuse_unknown()
    store = environment.text("STORE", "data")
    storage = read_profile(store, environment.text("REDIS", ""), environment.text("BLOBS", ""))
    return Settings(
        storage=storage,
        near=near_folder(variables, store),
        replica=read_replica(variables, store),
        listen=environment.address("RAG_LISTEN", "127.0.0.1:50051"),
        vectors=_vectors(environment, storage),
        model=environment.text("MODEL", "bundled"),
        models_folder=models_folder(variables),
        reranker=environment.text("RERANKER", ""),
        embed_threads=environment.integer("EMBED_THREADS", cores, 1, 256),
        pdf_engine=environment.choice("PDF_ENGINE", "pymupdf", PDF_ENGINES),
        ocr=_languages(environment.text("OCR", "")),
        require_sandbox=environment.flag("REQUIRE_SANDBOX"),
        max_upload_bytes=environment.integer("MAX_UPLOAD_BYTES", 100 << 20, 1, 1 << 40),
        min_free_bytes=environment.optional_integer("MIN_FREE_BYTES", 0, 1 << 50),
        log_level=environment.choice("LOG_LEVEL", "INFO", LEVELS),
    )


def _vectors(environment: Environment, storage: Profile) -> str:
    vectors = environment.choice("VECTORS", "faiss", VECTORS)
    if vectors == "pgvector" and isinstance(storage, Embedded):
        raise SettingsError("ACERVO_VECTORS=pgvector searches inside PostgreSQL: ACERVO_STORE must be its address")
    return vectors


def _languages(given: str) -> str:
    if given and not _LANGUAGES.fullmatch(given):
        raise SettingsError(f"ACERVO_OCR must be languages as Tesseract names them, such as por+eng, not {given!r}")
    return given


def models_folder(variables: Mapping[str, str]) -> Path:
    """Where pulled models are: one place for all holdings of a user, since a model outlives a holding."""
    data_home = variables.get("XDG_DATA_HOME", "") or str(Path.home() / ".local" / "share")
    return Path(Environment(variables).text("MODELS_FOLDER", f"{data_home}/acervo/models")).absolute()
