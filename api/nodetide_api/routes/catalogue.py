"""``GET /api/v1/catalogue``"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from nodetide_api.answers import encode, json_answer
from nodetide_api.models import CatalogueAnswer
from nodetide_api.openapi import problems_of
from nodetide_api.params import NoParams
from nodetide_api.services import Services
from nodetide_core.catalogue import ALIASES, CATALOGUE, Measurement, prometheus_name

__all__ = ["router"]


def router(_: Services) -> APIRouter:
    routes = APIRouter(prefix="/api/v1", tags=["inventory"])
    answer = encode(_answer())

    @routes.get(
        "/catalogue",
        operation_id="getCatalogue",
        summary="Every metric there can be",
        response_model=CatalogueAnswer,
        responses=problems_of(400),
    )
    async def catalogue(_: Annotated[NoParams, Query()]) -> Response:
        """Names, tags, types, units, kinds and meanings: what `metric` and `tag` can be."""
        return json_answer(answer)

    return routes


def _answer() -> dict[str, Any]:
    return {
        "aliases": {alias.name: alias.help for alias in ALIASES.values()},
        "measurements": [_measurement(measurement) for measurement in CATALOGUE],
    }


def _measurement(measurement: Measurement) -> dict[str, Any]:
    return {
        "name": measurement.name,
        "help": measurement.help,
        "tags": {tag.name: tag.help for tag in measurement.tags},
        "fields": [
            {
                "name": field.name,
                "type": field.type.value,
                "unit": field.unit.value,
                "kind": field.kind.value,
                "help": field.help,
                "prometheus": prometheus_name(measurement, field),
            }
            for field in measurement.fields
        ],
    }
