"""Which changes of a JSON Schema would break somebody who reads or writes the older one.

Within a major version changes are additive: new optional members, new values of an enumeration, wider bounds.
"""

from typing import Any

Schema = dict[str, Any]

_UPPER_BOUNDS = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_LOWER_BOUNDS = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_FIXED = ("type", "format", "pattern", "const")


def breaking_changes(old: Schema, new: Schema) -> list[str]:
    """One sentence for each breaking change from the old schema to the new; empty when there is none."""
    return _compare(old, new, _Documents(old, new), "")


class _Documents:
    """The two whole documents, in which `$ref` is looked up."""

    def __init__(self, old: Schema, new: Schema) -> None:
        self._old, self._new = old, new

    def resolve_old(self, schema: Schema) -> Schema:
        return _resolve(schema, self._old)

    def resolve_new(self, schema: Schema) -> Schema:
        return _resolve(schema, self._new)


def _resolve(schema: Schema, document: Schema) -> Schema:
    reference = schema.get("$ref")
    if reference is None:
        return schema
    found: Any = document
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return {**found, **{name: value for name, value in schema.items() if name != "$ref"}}


def _compare(old: Schema, new: Schema, documents: _Documents, place: str) -> list[str]:
    old, new = documents.resolve_old(old), documents.resolve_new(new)
    changes = _compare_values(old, new, place or "the event")
    changes += _compare_members(old, new, documents, place)
    for name in ("items", "additionalProperties"):
        if isinstance(old.get(name), dict) and isinstance(new.get(name), dict):
            changes += _compare(old[name], new[name], documents, f"{place}[]")
    return changes + _compare_alternatives(old, new, documents, place)


def _compare_values(old: Schema, new: Schema, place: str) -> list[str]:
    changes = [
        f"{place}: {name} changed from {old.get(name)!r} to {new.get(name)!r}"
        for name in _FIXED
        if name in new and old.get(name) != new.get(name)
    ]
    if "type" in old and not {"type", "anyOf"} & new.keys():
        changes.append(f"{place}: the type was removed")
    changes += [
        f"{place}: {name} tightened from {old.get(name)} to {new[name]}"
        for name in _UPPER_BOUNDS
        if name in new and (name not in old or new[name] < old[name])
    ]
    changes += [
        f"{place}: {name} tightened from {old.get(name)} to {new[name]}"
        for name in _LOWER_BOUNDS
        if name in new and (name not in old or new[name] > old[name])
    ]
    lost = [value for value in old.get("enum", []) if "enum" in new and value not in new["enum"]]
    changes += [f"{place}: the value {value!r} was removed" for value in lost]
    if "enum" in new and "enum" not in old:
        changes.append(f"{place}: values are restricted now")
    return changes


def _compare_members(old: Schema, new: Schema, documents: _Documents, place: str) -> list[str]:
    was, now = old.get("properties", {}), new.get("properties", {})
    changes = [f"{place}.{name}: the member was removed" for name in was if name not in now]
    changes += [
        f"{place}.{name}: the member is required now"
        for name in new.get("required", [])
        if name not in old.get("required", [])
    ]
    for name in was.keys() & now.keys():
        changes += _compare(was[name], now[name], documents, f"{place}.{name}")
    return sorted(changes)


def _compare_alternatives(old: Schema, new: Schema, documents: _Documents, place: str) -> list[str]:
    """Each old alternative of an `anyOf` must still be there, unchanged or wider; places of a tuple likewise."""
    changes: list[str] = []
    for index, item in enumerate(old.get("prefixItems", [])):
        items = new.get("prefixItems", [])
        if index >= len(items):
            changes.append(f"{place}[{index}]: the place was removed")
        else:
            changes += _compare(item, items[index], documents, f"{place}[{index}]")
    if "anyOf" in old:
        offered = new.get("anyOf", [new])
        for alternative in old["anyOf"]:
            if all(_compare(alternative, candidate, documents, place) for candidate in offered):
                kind = documents.resolve_old(alternative).get("type", "an alternative")
                changes.append(f"{place}: {kind} is not accepted any more")
    elif "anyOf" in new and all(_compare(old, candidate, documents, place) for candidate in new["anyOf"]):
        changes.append(f"{place}: {old.get('type')} is not accepted any more")
    return changes
