"""How the API server says no: `Status` objects."""

from __future__ import annotations

from typing import Any

from sysop.testing.kubernetes.resources import Resource
from sysop.testing.wire import Refused

_REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    409: "Conflict",
    415: "UnsupportedMediaType",
    422: "Invalid",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}


def status(code: int, message: str, details: Any = None) -> Any:
    """Return the body of a refusal."""
    said = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message}
    reason = _REASONS.get(code)
    return {**said, **({"reason": reason} if reason else {}), **({"details": details} if details else {}), "code": code}


def refused(code: int, message: str, details: Any = None) -> Refused:
    """Return a refusal."""
    return Refused(code, status(code, message, details))


def missing(resource: Resource, name: str) -> Refused:
    """Return that an object is not there."""
    return refused(404, f'{resource.full} "{name}" not found', _about(resource, name))


def conflict(resource: Resource, name: str) -> Refused:
    """Return that an object is another than the one meant."""
    why = "the object has been modified; please apply your changes to the latest version and try again"
    return refused(409, f'Operation cannot be fulfilled on {resource.full} "{name}": {why}', _about(resource, name))


def invalid(resource: Resource, name: str, field: str, why: str) -> Refused:
    """Return that a field of an object is not what it may be."""
    cause = {"reason": "FieldValueInvalid", "message": why, "field": field}
    details = {**_about(resource, name), "causes": [cause]}
    return refused(422, f'{resource.kind}.{resource.group} "{name}" is invalid: {field}: {why}', details)


def forbidden(user: str, verb: str, resource: Resource, sub: str, namespace: str, name: str) -> Refused:
    """Return that a user may not."""
    what = f"{resource.plural}/{sub}" if sub else resource.plural
    where = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
    of = f' "{name}"' if name else ""
    said = f'User "{user}" cannot {verb} resource "{what}" in API group "{resource.group}" {where}'
    return refused(403, f"{resource.full}{of} is forbidden: {said}", _about(resource, name))


def _about(resource: Resource, name: str) -> dict[str, str]:
    return {key: said for key, said in (("name", name), ("group", resource.group), ("kind", resource.plural)) if said}
