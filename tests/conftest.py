"""What holds for all tests."""

from hypothesis import settings

pytest_plugins = ["tests.servers.postgres", "tests.servers.redis", "tests.fakes.postgres_store"]

# No test fails on a wall-clock figure: a busy machine is no defect.
settings.register_profile("acervo", deadline=None)
settings.load_profile("acervo")
