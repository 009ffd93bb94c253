import pytest

from rag_server.domain.isolation import missing_layers


@pytest.mark.parametrize(
    ("level", "missing"),
    [
        ("rlimits+seccomp+landlock7", []),
        ("rlimits+seccomp", ["landlock"]),
        ("rlimits+landlock1", ["seccomp"]),
        ("rlimits", ["seccomp", "landlock"]),
        ("", ["seccomp", "landlock"]),
    ],
)
def test_what_a_level_lacks_is_named(level: str, missing: list[str]) -> None:
    assert missing_layers(level) == missing
