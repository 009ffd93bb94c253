"""Portuguese function words: the teacher's English vocabulary cuts them into rare pieces, which would weigh much."""

import unicodedata

_WORDS = """
a à ainda ao aos aquela aquelas aquele aqueles aquilo as às assim até cada com como contudo da das de dela delas dele
deles depois deve devem do dos e é ela elas ele eles em então entre era eram essa essas esse esses esta está estamos
estão estas este estes estou eu foi foram há isso isto já lhe lhes mais mas me mesmo meu meus minha minhas muito na não
nas nem no nos nós nossa nossas nosso nossos num numa o onde os ou para pela pelas pelo pelos pode podem pois por porém
porque qual quais quando que quem são se sem sendo ser seu seus sobre só sua suas também te tem têm ter teu tu
tua um uma você vocês vos
"""


def stop_words() -> list[str]:
    """The words as the tokenizer sees them: small letters without accents, sorted, each once."""
    bare = {unicodedata.normalize("NFD", word).encode("ascii", "ignore").decode() for word in _WORDS.split()}
    return sorted(bare)
