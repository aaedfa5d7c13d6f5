from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.rig import Rig, rigged


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with rigged(tmp_path) as made:
        yield made
