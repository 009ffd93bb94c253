"""Made-up Portuguese and English prose: always the same for a seed, never the same twice in a text."""

import random

PORTUGUESE_PHRASES = """
a administração pública publica o edital da licitação no diário oficial com antecedência mínima de oito dias úteis
os contratos administrativos exigem garantia e fiscalização da execução pelo órgão responsável pelo orçamento
manutenção preventiva dos equipamentos segue calendário aprovado pela diretoria e registrado em relatório técnico
o arquivo guarda documentos históricos fotografias mapas e correspondência em caixas numeradas sob temperatura estável
cidadãos podem solicitar informações sobre educação saúde transporte e habitação em qualquer unidade de atendimento
a comissão avalia propostas segundo critérios objetivos de qualidade preço prazo e experiência comprovada
"""
ENGLISH_PHRASES = """
the archive keeps letters photographs maps and ledgers in numbered boxes under stable temperature and low light
maintenance of the instruments follows a calendar approved by the board and recorded in technical reports
readers may request documents about health education transport and housing at any desk of the institution
the committee weighs proposals by quality price delivery and proven experience before signing an agreement
engineers measured vibration pressure and current in every pump during the winter and compared the figures
observers noted the position of stars planets and comets with brass instruments and careful handwriting
"""
PORTUGUESE = PORTUGUESE_PHRASES.split()
ENGLISH = ENGLISH_PHRASES.split()
SENTENCE_WORDS = (8, 22)
PARAGRAPH_SENTENCES = (3, 7)


def prose(seed: int, words: int) -> str:
    """Paragraphs of about so many words."""
    dice = random.Random(seed)  # noqa: S311 - made-up text needs no secrecy
    paragraphs: list[str] = []
    made = 0
    while made < words:
        vocabulary = dice.choice((PORTUGUESE, ENGLISH))
        sentences = [_sentence(dice, vocabulary) for _ in range(dice.randint(*PARAGRAPH_SENTENCES))]
        paragraphs.append(" ".join(sentences))
        made += len(paragraphs[-1].split())
    return "\n\n".join(paragraphs)


def queries(seed: int, count: int) -> list[str]:
    """Questions of two to five words of the same vocabulary."""
    dice = random.Random(seed)  # noqa: S311 - made-up queries need no secrecy
    return [" ".join(dice.sample(dice.choice((PORTUGUESE, ENGLISH)), dice.randint(2, 5))) for _ in range(count)]


def _sentence(dice: random.Random, vocabulary: list[str]) -> str:
    words = dice.choices(vocabulary, k=dice.randint(*SENTENCE_WORDS))
    return f"{' '.join(words).capitalize()}."
