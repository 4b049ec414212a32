"""Turned boxes where a format has no place for them: the angle that CVAT and Datumaro put into an attribute."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wesam.labels.shapes import finite_floats, parse_floats

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_NAME = "rotation"


def rotation_of_json(entry: dict[str, Any]) -> float:
    """Degrees, clockwise, by which the box of a COCO annotation is turned about its centre; 0 where it does not say.

    Raises:
        WesamError: if it is not a finite number.
    """
    attributes = entry.get("attributes")
    places = (attributes, entry) if isinstance(attributes, dict) else (entry,)
    value = next((place[_NAME] for place in places if place.get(_NAME)), 0)
    return finite_floats([value], f"{_NAME} as a finite number of degrees")[0]


def rotation_of_xml(element: Element) -> float:
    """The same of an object of Pascal VOC: ``<attributes><attribute><name>rotation</name><value>90``.

    Raises:
        WesamError: if it is not a finite number.
    """
    for attribute in element.iterfind("attributes/attribute"):
        if (attribute.findtext("name") or "").strip() == _NAME:
            return parse_floats([attribute.findtext("value") or "0"], f"{_NAME} as a finite number of degrees")[0]
    return 0.0
