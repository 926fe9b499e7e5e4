"""The shape that a completion is asked for. What comes back is validated all the same.

Only types and required members are stated: providers refuse many other keywords in strict mode, and the
bounds are checked in `validation`, which has to look anyway.
"""

from typing import Any, Final

RESULT_MEMBERS: Final = (
    "id",
    "sentiment_score",
    "clusters",
    "confidence",
    "reasoning",
    "evidence",
    "summary",
)
_STRING: Final = {"type": "string"}
_NUMBER: Final = {"type": "number"}

JSON_SCHEMA_FORMAT: Final[dict[str, Any]] = {
    "type": "json_schema",
    "json_schema": {
        "name": "insights",
        "strict": True,
        "schema": {
            "type": "object",
            "additionalProperties": False,
            "required": ["results"],
            "properties": {
                "results": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "additionalProperties": False,
                        "required": list(RESULT_MEMBERS),
                        "properties": {
                            "id": _STRING,
                            "sentiment_score": _NUMBER,
                            "clusters": {"type": "array", "items": _STRING},
                            "confidence": _NUMBER,
                            "reasoning": _STRING,
                            "evidence": _STRING,
                            "summary": _STRING,
                        },
                    },
                }
            },
        },
    },
}
"""Strict structured output."""

JSON_OBJECT_FORMAT: Final[dict[str, Any]] = {"type": "json_object"}
"""For endpoints that refuse a schema: any JSON object; the instructions name its members."""
