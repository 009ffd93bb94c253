"""Small documents in several formats, each with words that nothing else has."""

import io
import uuid
from typing import Any

import docx
import pymupdf

from bench.pdf import write_pdf


def new_word() -> str:
    """A word that stands nowhere else."""
    return f"palavra{uuid.uuid4().hex[:12]}"


def text(word: str) -> bytes:
    return (
        f"Relatório de manutenção\n\nA manutenção {word} do edifício começou em março, após a licitação.\n\n"
        "O orçamento prevê inspeções às segundas-feiras e não há pendências.\n"
    ).encode()


def html(word: str) -> bytes:
    return (
        f"<!doctype html><html lang='pt'><head><meta charset='utf-8'><title>Edição</title></head><body>"
        f"<h1>Edição</h1><p>A edição {word} traz crônicas &amp; poesia de autores mineiros.</p></body></html>"
    ).encode()


def word_file(word: str) -> bytes:
    make: Any = docx.Document  # it ships no types
    document = make()
    document.add_heading("Convênio", level=1)
    document.add_paragraph(f"O convênio {word} foi assinado pela prefeitura e pela fundação.")
    file = io.BytesIO()
    document.save(file)
    return file.getvalue()


def pdf(word: str) -> bytes:
    return write_pdf([f"Capa do regulamento de informações.\n\nSeção {word} sobre empréstimo de volumes raros.",
                      "Segunda página: devolução e conservação."])  # fmt: skip


def locked_pdf() -> bytes:
    library: Any = pymupdf  # it ships no types
    document = library.open()
    document.new_page().insert_text((72, 72), "segredo")
    content: bytes = document.tobytes(encryption=library.PDF_ENCRYPT_AES_256, user_pw="chave", owner_pw="outra chave")
    document.close()
    return content
