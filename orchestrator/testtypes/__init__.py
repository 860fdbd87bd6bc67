"""The one table of instant-test types: fields, limits, layers, metrics, prices, v6 names."""

from orchestrator.testtypes.layers import DETAILS, LAYERS, METRICS, PATHS, Layer, layers_of
from orchestrator.testtypes.prices import PRICE_SOURCE, milliunits, time_limit
from orchestrator.testtypes.shape import Kind, Option, TestType, V6Form
from orchestrator.testtypes.table import HOST_TYPE, OURS, READ_ONLY, SCHEDULED_ONLY, TEST_TYPES, WEB_TYPE

__all__ = [
    "DETAILS",
    "HOST_TYPE",
    "LAYERS",
    "METRICS",
    "OURS",
    "PATHS",
    "PRICE_SOURCE",
    "READ_ONLY",
    "SCHEDULED_ONLY",
    "TEST_TYPES",
    "WEB_TYPE",
    "Kind",
    "Layer",
    "Option",
    "TestType",
    "V6Form",
    "layers_of",
    "milliunits",
    "time_limit",
]
