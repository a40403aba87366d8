"""What the tests of several stages share."""

import pytest
from runners_tests.trapped import write_workload


@pytest.fixture(scope="module")
def trapped(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The reference of a workload whose networks go wrong on demand."""
    return write_workload(tmp_path_factory.mktemp("workload"))
