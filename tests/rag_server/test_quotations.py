"""Sentences of two Portuguese laws, written down by eye from the printed pages, stand on the pages they are on."""

import os
from pathlib import Path

import pytest

from rag_server.adapters.extractor_process.process import ExtractorProcess
from rag_server.domain.extraction import ExtractionLimits, SourceHints

CORPUS = Path(os.environ.get("ACERVO_TEST_DATA", "/nonexistent")) / "data" / "docs" / "good"
DATA_PROTECTION = "lgpd-explica__lgpd.pdf"
CONSTITUTION = "ambientalizando.github.io__constituicao.pdf"
QUOTATIONS = {
    DATA_PROTECTION: [
        (3, "VII - operador: pessoa natural ou jurídica, de direito público ou privado, que realiza"),
        (3, "utilização de meios técnicos razoáveis e disponíveis no momento do tratamento, por meio dos quais"),
        (3, "manifestação livre, informada e inequívoca pela qual o titular concorda com o tratamento de seus"),
        (3, "documentação do controlador que contém a descrição dos processos de tratamento de dados pessoais"),
        (12, "autoridade nacional poderá enviar informe com medidas cabíveis para fazer cessar a violação."),
        (12, "cooperação jurídica internacional entre órgãos públicos de inteligência, de investigação"),
        (12, "a verificação de cláusulas contratuais específicas para uma determinada transferência"),
        (20, "autarquia de natureza especial, dotada de autonomia técnica e decisória, com patrimônio próprio"),
        (20, "brasileiros que tenham reputação ilibada, nível superior de educação e elevado conceito"),
        (20, "em virtude de renúncia, condenação judicial transitada em julgado ou pena de demissão"),
    ],
    CONSTITUTION: [
        (8, "É assegurado o direito de greve, competindo aos trabalhadores decidir sobre a oportunidade de exercê-lo"),
        (8, "Nas empresas de mais de duzentos empregados, é assegurada a eleição de um representante destes"),
        (8, "com a finalidade exclusiva de promover-lhes o entendimento direto com os empregadores."),
        (8, "os que, na forma da lei, adquiram a nacionalidade brasileira, exigidas aos originários"),
        (45, "far-se-ão exclusivamente na ordem cronológica de apresentação dos precatórios e à conta dos créditos"),
        (45, "quando terão seus valores atualizados monetariamente. (Redação dada pela Emenda Constitucional nº 62"),
        (77, "A ordem econômica, fundada na valorização do trabalho humano e na livre iniciativa, tem"),
        (77, "não poderão gozar de privilégios fiscais não extensivos às do setor privado."),
        (110, "receberão, quando carentes, pensão mensal vitalícia no valor de dois salários mínimos."),
        (110, "proposta pelo Poder Executivo dentro de cento e cinqüenta dias da promulgação da Constituição."),
    ],
}


@pytest.mark.skipif(not CORPUS.is_dir(), reason="ACERVO_TEST_DATA does not hold the corpora")
@pytest.mark.parametrize("engine", ["pymupdf", "pdfium"])
@pytest.mark.parametrize("name", [DATA_PROTECTION, CONSTITUTION])
async def test_quotations_are_found_letter_for_letter_on_their_pages(name: str, engine: str) -> None:
    extractor = ExtractorProcess(engine)
    try:
        extraction = await extractor.extract(CORPUS / name, SourceHints(name), ExtractionLimits(), lambda *_: None)
    finally:
        await extractor.close()
    texts = {page.number: page.text for page in extraction.pages}
    assert [quotation for number, quotation in QUOTATIONS[name] if quotation not in texts[number]] == []
    assert all(8 <= len(quotation.split()) <= 16 for _, quotation in QUOTATIONS[name])
