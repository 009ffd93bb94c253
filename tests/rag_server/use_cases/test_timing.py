import pytest

from rag_server.domain.explanation import Stage
from rag_server.use_cases.timing import StageClock


def test_the_turns_of_a_stage_are_added_up_even_where_one_fails() -> None:
    clock = StageClock()
    with clock.measuring(Stage.LOAD):
        pass
    (first,) = clock.times()
    with pytest.raises(ValueError, match="wrong"), clock.measuring(Stage.EMBED), clock.measuring(Stage.LOAD):
        int("wrong")
    load, embed = clock.times()
    assert (load.stage, embed.stage) == (Stage.LOAD, Stage.EMBED)
    assert load.took_s > first.took_s >= 0
    assert embed.took_s > 0
