"""What holds for all tests."""

from hypothesis import settings

# No test fails on a wall-clock figure: a busy machine is no defect.
settings.register_profile("acervo", deadline=None)
settings.load_profile("acervo")
