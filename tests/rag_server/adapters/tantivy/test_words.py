"""What words find."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rag_server.adapters.tantivy.view import TantivyView
from rag_server.adapters.tantivy.words import TantivyWords
from rag_server.domain.document import DocumentChunks, IndexedChunk

NO_VECTOR = np.zeros(1, np.float32)
Indexed = Callable[..., TantivyWords]


def chunk(chunk_id: int, text: str, **others: object) -> DocumentChunks:
    fields = {"collection": "c", "document_id": f"d{chunk_id}", "headings": (), "title": "", **others}
    each = IndexedChunk(chunk_id=chunk_id, text=text, vector=NO_VECTOR, **fields)  # type: ignore[arg-type]
    return DocumentChunks(each.collection, each.document_id, [each])


@pytest.fixture
def words(tmp_path: Path) -> Indexed:
    view = TantivyView(tmp_path / "work")
    view.clear()

    def of(*documents: DocumentChunks | str) -> TantivyWords:
        view.apply([chunk(n, each) if isinstance(each, str) else each for n, each in enumerate(documents, 1)])
        return view.state()

    return of


def found(index: TantivyWords, text: str, collection: str = "c") -> list[int]:
    ids: list[int] = index.search(collection, text, 10).chunk_ids.tolist()
    return ids


@pytest.mark.parametrize(
    ("typed", "written"),
    [
        ("manutencao", "A manutenção do elevador."),
        ("manutenção", "A manutencao do elevador."),
        ("licitação", "As licitações públicas."),
        ("licitações", "A licitação pública."),
        ("licitacao", "As licitações públicas."),
        ("licitacoes", "A licitação pública."),
        ("LICITAÇÃO", "licitação"),
        ("orgao", "O órgão julgador."),
        ("necessaria", "As provas necessárias."),
        ("concluido", "Os processos concluídos."),
        ("proteins", "A protein was found."),
        ("studies", "We studied it."),
        ("naïve", "a naive approach"),
        ("cnpj", "CNPJ 12.345.678/0001-95"),
        ("art. 5", "Conforme o art. 5º da Constituição"),
        ("art. 5º", "Conforme o art. 5 da Constituição"),
        ("art. 5o", "Conforme o art. 5º da Constituição"),
        ("nº 7", "Portaria n.º 7 de 2020"),
        ("Lei 13.709/2018", "A Lei nº 13.709/2018 trata de dados."),
        ("13709", "código 13709"),
        ("ABC-123", "peça ABC-123"),
        ("COVID-19", "sobre a covid 19"),
    ],
)
def test_a_word_is_found_in_its_other_forms(words: Indexed, typed: str, written: str) -> None:
    assert found(words("Algo bem diferente.", written), typed) == [2]


def test_a_number_of_several_parts_is_found_before_its_parts_elsewhere(words: Indexed) -> None:
    index = words(
        "Lei 2018 de 13 artigos, 709 incisos.", "Lei 13.709/2018.", "A lei, 13 anexos. Em 2018 havia 709 deles."
    )
    assert found(index, "13.709/2018")[0] == 2


def test_stop_words_do_not_count_beside_others(words: Indexed) -> None:
    assert found(words("o que é isso para a qual", "licitação"), "o que é a licitação") == [2]


def test_a_query_of_stop_words_only_looks_for_them(words: Indexed) -> None:
    assert found(words("ser ou não ser", "outra coisa"), "não ser") == [1]


def test_an_acronym_that_looks_like_a_stop_word_counts(words: Indexed) -> None:
    index = words("microscopia SEM de superfícies", "microscopia de superfícies")
    assert found(index, "microscopia SEM")[0] == 1
    assert found(words("imagem de SEM", "imagem"), "SEM") == [1]


def test_title_and_headings_are_found(words: Indexed) -> None:
    index = words(chunk(1, "texto", title="Relatório anual"), chunk(2, "texto", headings=("Receitas", "Despesas")))
    assert found(index, "relatorio") == [1]
    assert found(index, "despesa") == [2]


def test_collections_do_not_see_each_other(words: Indexed) -> None:
    index = words(chunk(1, "licitação", collection="a"), chunk(2, "licitação", collection="b"))
    assert found(index, "licitação", "a") == [1]
    assert found(index, "licitação", "none") == []


def test_rarer_words_count_more(words: Indexed) -> None:
    index = words("processo comum", "processo comum", "processo raro", "processo comum")
    assert found(index, "processo raro")[0] == 3


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "\x00",
        '"aberta',
        "a AND",
        "x^",
        "foo:bar",
        "(",
        "título:",
        "-",
        "+",
        "*",
        "?",
        "a~2",
        "[1 TO 2]",
        "\\",
        "%",
    ],
)
def test_what_other_programs_take_for_syntax_is_text(words: Indexed, text: str) -> None:
    index = words("foo bar", "aberta")
    assert set(found(index, text)) <= {1, 2}
    assert index.scores_of(text, np.array([1, 2])).shape == (2,)


def test_a_field_name_and_a_colon_are_words(words: Indexed) -> None:
    assert found(words("foo bar", "collection c"), "foo:bar") == [1]
    assert found(words("foo bar", "document_id:d1"), "chunk_id:1 document_id:d2") == [2]


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=300))
def test_any_text_is_a_query(everything: TantivyWords, text: str) -> None:
    result = everything.search("c", text, 5)
    scores = everything.scores_of(text, np.arange(1, 6))
    assert np.isfinite(result.scores).all()
    assert (scores >= 0).all()


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> TantivyWords:
    view = TantivyView(tmp_path_factory.mktemp("everything") / "work")
    view.clear()
    view.apply([chunk(n, f"a b c {n} 1 2 3 á ß ﬁ 中文 é") for n in range(1, 6)])
    return view.state()


def test_a_pasted_page_is_a_query_too(words: Indexed) -> None:
    page = " ".join(f"palavra{n}" for n in range(2_000)) + " licitação"
    assert found(words("licitação", "outra"), page) == [1]


def test_scores_of_gives_the_scores_of_a_search(words: Indexed) -> None:
    texts = [f"licitação {'obra ' * (n % 4)} contrato{n % 3} manutenções" for n in range(40)]
    index = words(*texts)
    query = "licitações de obras, contrato1 13.709/2018"
    by_search = index.search("c", query, 100)
    wanted = np.array([*by_search.chunk_ids.tolist()[::-1], 999])
    np.testing.assert_allclose(index.scores_of(query, wanted), [*by_search.scores[::-1], 0.0], rtol=1e-6)


def test_a_chunk_without_any_word_scores_zero(words: Indexed) -> None:
    assert words("licitação", "outra").scores_of("licitação", np.array([2, 1]))[0] == 0.0


def test_many_threads_search_at_once(words: Indexed) -> None:
    index = words(*(f"licitação {n}" for n in range(50)))
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda n: found(index, f"licitações {n % 50}")[0], range(400)))
    assert results == [n % 50 + 1 for n in range(400)]
