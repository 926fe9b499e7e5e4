import json
from pathlib import Path
from typing import Any

import pytest

import schemas

EXAMPLES = Path(schemas.__file__).parent / "examples"


@pytest.fixture
def example_insight() -> dict[str, Any]:
    insight: dict[str, Any] = json.loads((EXAMPLES / "insight.produced.v1.json").read_text("utf-8"))
    return insight
