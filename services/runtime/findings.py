"""What pydantic found wrong, in words for whoever wrote it: a client, or the person who sets a variable.

Each sentence goes on after a field's name (`limit: must be a whole number`) and quotes nothing that was written.
"""

import re
from collections.abc import Mapping
from typing import Any

_SENTENCES = {
    "missing": "is required",
    "extra_forbidden": "is not known here",
    "json_invalid": "is not valid JSON",
    "finite_number": "must be a finite number",
    "invalid_key": "must have names that are strings",
    "path_not_file": "must be the path of a file that is there",
    "path_not_directory": "must be the path of a folder that is there",
    "timezone_aware": "needs a zone, such as 2026-01-31T12:00:00Z",
    "url_scheme": "must begin with {expected_schemes}",
    "url_too_long": "is longer than {max_length:,} characters",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "multiple_of": "must be a multiple of {multiple_of}",
    "enum": "must be {expected}",
    "literal_error": "must be {expected}",
    "string_unicode": "contains a lone surrogate, which is not valid Unicode text",
    "string_pattern_mismatch": "must match {pattern}",
    "string_too_long": "is longer than {max_length:,} characters",
    "too_long": "has more than {max_length:,} entries",
}
_OF_A_KIND = {
    "int": "must be a whole number",
    "float": "must be a number",
    "decimal": "must be a number",
    "bool": "must be true or false",
    "string": "must be a string",
    "model": "must be an object",
    "dict": "must be an object",
    "list": "must be an array",
    "tuple": "must be an array",
    "datetime": "must be an ISO 8601 time with a zone, such as 2026-01-31T12:00:00Z",
    "date": "must be a date such as 2026-01-31",
    "url": "must be an address such as http://127.0.0.1:8000",
    "uuid": "must be a UUID",
}
"""By the first word of what pydantic calls a finding: `int_parsing`, `int_type` and `int_from_float` say the same."""
_OF_ANY_OTHER = ((re.compile(r"^.*?\bshould "), "must "), (re.compile(r"^Input "), ""))
"""What is left of pydantic's sentences goes on after a field's name, too."""


def in_words(finding: Mapping[str, Any]) -> str:
    """The sentence for one of `ValidationError.errors()`."""
    kind, context = str(finding["type"]), finding.get("ctx") or {}
    if kind in {"value_error", "assertion_error"}:  # ours already
        return re.sub(r"^(Value error|Assertion failed), ", "", str(finding["msg"]))
    if kind.endswith("too_short"):
        return _too_short(kind, int(context["min_length"]))
    if (sentence := _SENTENCES.get(kind)) is not None:
        return sentence.format_map(context)
    if (sentence := _OF_A_KIND.get(kind.partition("_")[0])) is not None:
        return sentence
    sentence = str(finding["msg"])
    for pattern, instead in _OF_ANY_OTHER:
        sentence = pattern.sub(instead, sentence)
    return sentence


def _too_short(kind: str, least: int) -> str:
    if least == 1:
        return "must not be empty"
    return f"must have at least {least:,} {'entries' if kind == 'too_short' else 'characters'}"
