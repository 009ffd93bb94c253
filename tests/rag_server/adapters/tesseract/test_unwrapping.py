from rag_server.adapters.tesseract.unwrapping import unwrapped


def test_full_lines_are_joined_and_short_ones_stay() -> None:
    text = (
        "O arquivo guarda os documentos da adminis-\ntração do município, qualquer que seja o seu\nsuporte.\n"
        "Artigo 2\nArtigo 3\n\nOutro parágrafo.\n\x0c"
    )
    assert unwrapped(text) == (
        "O arquivo guarda os documentos da administração do município, qualquer que seja o seu suporte.\n"
        "Artigo 2\nArtigo 3\n\nOutro parágrafo."
    )


def test_nothing_stays_nothing() -> None:
    assert unwrapped("\x0c\n \n") == ""
