"""What words find."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tantivy import Query

from rag_server.adapters.tantivy.queries import TIE_BREAKER
from rag_server.adapters.tantivy.view import TantivyView
from rag_server.adapters.tantivy.words import TantivyWords
from rag_server.domain.document import DocumentChunks, IndexedChunk
from rag_server.domain.wording import Wording, wording_of

NO_VECTOR = np.zeros(1, np.float32)
Indexed = Callable[..., TantivyWords]


def chunk(chunk_id: int, text: str, **others: Any) -> DocumentChunks:
    where = {"collection": "c", "document_id": f"d{chunk_id}", "version_id": chunk_id}
    fields: dict[str, Any] = {**where, "headings": (), "title": "", **others}
    each = IndexedChunk(chunk_id=chunk_id, text=text, vector=NO_VECTOR, **fields)
    return DocumentChunks(each.collection, each.document_id, [each], None)


@pytest.fixture
def words(tmp_path: Path) -> Indexed:
    view = TantivyView(tmp_path / "work")
    view.clear()

    def of(*documents: DocumentChunks | str) -> TantivyWords:
        view.apply([chunk(n, each) if isinstance(each, str) else each for n, each in enumerate(documents, 1)])
        return view.state()

    return of


def found(index: TantivyWords, text: str, collection: str = "c") -> list[int]:
    ids: list[int] = index.search(collection, wording_of(text), 10).chunk_ids.tolist()
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


def test_a_quoted_phrase_must_stand_as_it_is_but_for_case_and_accents(words: Indexed) -> None:
    index = words("O pregão eletrônico foi adiado.", "Pregão, sem o meio eletrônico.", "PREGAO ELETRONICO!", "pregão")
    assert sorted(found(index, '"pregão eletrônico"')) == [1, 3]
    assert sorted(found(index, "“Pregao eletronico” adiado")) == [1, 3]
    assert found(index, "“Pregao eletronico” adiado")[0] == 1
    assert found(index, '"eletrônico pregão"') == []


def test_what_is_excluded_is_not_found_in_any_form(words: Indexed) -> None:
    index = words("obra de licitação", "obra das licitações", "obra do metrô novo", "obra nova do metrô")
    assert sorted(found(index, "obra -licitacao")) == [3, 4]
    assert sorted(found(index, 'obra -"metrô novo"')) == [1, 2, 4]
    assert sorted(found(index, "obra -licitação -metro")) == []


def test_a_beginning_finds_every_word_that_begins_so(words: Indexed) -> None:
    index = words("licitação", "os licitantes", "um lícito", "outra coisa")
    assert sorted(found(index, "licita*")) == [1, 2]
    assert sorted(found(index, "LICI*")) == [1, 2, 3]
    assert found(index, "zzz*") == []


def test_a_rare_beginning_counts_more_than_a_frequent_word(words: Indexed) -> None:
    index = words("contrato", "contrato", "contrato", "licitante")
    assert found(index, "contrato licit*")[0] == 4


def test_a_number_behind_its_word_counts_more_than_both_apart(words: Indexed) -> None:
    index = words("O art. 7º cita 5 anexos.", "Ver o artigo: art. 5º, anexo 7.", "O art. 6 e 5 outros.")
    assert found(index, "art. 5º")[0] == 2


@pytest.mark.parametrize(
    "code", ["12.345.678/0001-90", "13.709/2018", "0001234-56.2019.8.26.0100", "123.456.789-09", "ISO-9001", "-5 ºC"]
)
def test_codes_are_found_as_they_are_written(words: Indexed, code: str) -> None:
    index = words("outra coisa", f"Veja {code} no texto.")
    assert found(index, code) == [2]


def test_the_full_score_is_near_that_of_a_passage_that_has_every_word_once(words: Indexed) -> None:
    index = words(*(f"licitação obra prazo palavra{n} outra{n}" for n in range(20)), *("nada a ver aqui hoje",) * 30)
    wording = Wording("licitação obra prazo")
    assert index.full_score(wording) == pytest.approx(index.search("c", wording, 1).scores[0], rel=0.1)
    assert index.full_score(Wording("licitação obra inexistente")) > index.full_score(wording)
    assert index.full_score(Wording("!")) == 0


def test_the_chunks_that_meet_the_conditions_are_told(words: Indexed) -> None:
    index = words("obra nova", "nova obra", "obra nova do metrô")
    ids = np.array([3, 1, 2, 99])
    assert index.meeting(wording_of('"obra nova"'), ids).tolist() == [True, True, False, False]
    assert index.meeting(wording_of('"obra nova" -metrô'), ids).tolist() == [False, True, False, False]
    assert index.meeting(wording_of("obra"), ids).all()


def test_collections_do_not_see_each_other(words: Indexed) -> None:
    index = words(chunk(1, "licitação", collection="a"), chunk(2, "licitação", collection="b"))
    assert found(index, "licitação", "a") == [1]
    assert found(index, "licitação", "none") == []


def test_a_word_counts_by_its_best_form_and_a_little_by_the_others(words: Indexed) -> None:
    index = words("a cell wall", "cells and walls", "the cell", *["something else"] * 20)

    def of_field(field: str) -> dict[int, float]:
        hits = index.searcher.search(Query.term_query(index.schema, field, "cell"), 10).hits
        return {int(number): score for score, address in hits for number in index._ids([address])}

    folded, portuguese, english = map(of_field, ("folded", "portuguese", "english"))
    as_typed = {n: folded[n] + TIE_BREAKER * (portuguese[n] + english[n]) for n in (1, 3)}
    chunk_ids = np.array([1, 2, 3])
    scores = index.scores_of(Wording("cell"), chunk_ids)
    np.testing.assert_allclose(scores, [as_typed[1], english[2], as_typed[3]], rtol=1e-5)


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
    assert index.scores_of(wording_of(text), np.array([1, 2])).shape == (2,)


def test_a_field_name_and_a_colon_are_words(words: Indexed) -> None:
    assert found(words("foo bar", "collection c"), "foo:bar") == [1]
    assert found(words("foo bar", "document_id:d1"), "chunk_id:1 document_id:d2") == [2]


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=300) | st.text('ab1c "-*.é“/', max_size=60))
def test_any_text_is_a_query(everything: TantivyWords, text: str) -> None:
    wording = wording_of(text)
    result = everything.search("c", wording, 5)
    scores = everything.scores_of(wording, np.arange(1, 6))
    assert np.isfinite(result.scores).all()
    assert (scores >= 0).all()
    assert everything.full_score(wording) >= 0
    assert everything.meeting(wording, np.arange(1, 6)).shape == (5,)
    terms = everything.terms_of(wording, np.arange(1, 6))
    np.testing.assert_allclose(sum((one.scores for one in terms), np.zeros(5)), scores, rtol=1e-4)
    (marks,) = everything.marks_in(wording, [text])
    assert all(0 <= mark.start < mark.end <= len(text) for mark in marks)


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
    query = wording_of('licitações de obras, contrato1 13.709/2018, contrato 2, man* "obra obra" -contrato0')
    by_search = index.search("c", query, 100)
    wanted = np.array([*by_search.chunk_ids.tolist()[::-1], 999])
    np.testing.assert_allclose(index.scores_of(query, wanted), [*by_search.scores[::-1], 0.0], rtol=1e-6)


def test_a_chunk_without_any_word_scores_zero(words: Indexed) -> None:
    assert words("licitação", "outra").scores_of(Wording("licitação"), np.array([2, 1]))[0] == 0.0


def test_many_threads_search_at_once(words: Indexed) -> None:
    index = words(*(f"licitação {n}" for n in range(50)))
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda n: found(index, f"licitações {n % 50}")[0], range(400)))
    assert results == [n % 50 + 1 for n in range(400)]
