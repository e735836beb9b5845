"""A profile as plain values: what `deid-node profile … --format json` prints."""

from __future__ import annotations

from collections.abc import Iterable

from deid.actions import Rule
from deid.overrides import Override
from deid.pixels.rules import PixelRules
from deid.profile import Profile
from deid.standard import EDITION
from deid.table import Line, Outside, PrivateLine, attribute_name, private_name, tag_text
from node.profile_text import private_tag

Plain = dict[str, object]


def profile_values(profile: Profile) -> Plain:
    """Return what a profile is."""
    return {
        "profile": profile.name,
        "edition": EDITION,
        "options": sorted(profile.options),
        "claims": [code.value for code in profile.method_codes],
        "asks_for_steps": sorted(profile.demands),
        "text": profile.text,
        "thresholds": dict(profile.thresholds),
        "allow_list": profile.policy.allow_list,
        "character_set": profile.character_set,
        "pixels": None if profile.pixels is None else pixel_values(profile.pixels),
    }


def pixel_values(rules: PixelRules) -> Plain:
    """Return what a profile wants done with pixels."""
    return {
        "keep_markers": rules.markers is not None,
        "min_confidence": rules.min_confidence,
        "templates": len(rules.files.templates),
        "mask_outside_ultrasound_regions": rules.mask_outside_ultrasound_regions,
        **{f"screens.{kind}": str(treatment) for kind, treatment in rules.screens.items()},
        "allowed_screens": sorted(rules.allowed_screens),
        "skip": [skip.name for skip in rules.skip],
        "largest_image": rules.largest_image_px,
        "overlays": str(rules.overlays),
        "icons": str(rules.icons),
        "series_memory": rules.series_memory,
    }


def line_values(line: Line) -> Plain:
    """Return one row of Table E.1-1 with what a profile does."""
    row = line.row
    return {
        "tag": tag_text(row.tag, row.mask),
        "keyword": row.keyword or attribute_name(row.tag),
        "vr": row.vr,
        "basic": row.basic,
        "options": dict(row.options),
        "by_type": {type_: rule_values(rule) for type_, rule in line.rules.items()},
        "places": [
            {
                "in": attribute_name(place.parent) if place.parent else "",
                "type": place.type,
                **rule_values(place.rule),
            }
            for place in line.places
        ],
    }


def outside_values(group: Outside) -> Plain:
    """Return attributes outside the table that share VR and rule."""
    names = {tag_text(tag): attribute_name(tag) for tag in group.tags}
    return {"vr": group.vr, **rule_values(group.rule), "attributes": names}


def private_values(line: PrivateLine) -> Plain:
    """Return one private element with what a profile does."""
    row = line.row
    name = private_name(row.creator, row.tag)
    element = {"creator": row.creator, "tag": private_tag(row.tag), "vr": row.vr, "name": name}
    return {**element, "list": row.source, "list_says": row.disposition.name.lower(), **rule_values(line.rule)}


def override_values(overrides: Iterable[Override]) -> list[Plain]:
    """Return an operator's own actions."""
    return [
        {"attribute": item.attribute, "action": item.action.value, "sop_class": item.sop_class} for item in overrides
    ]


def rule_values(rule: Rule) -> Plain:
    """Return a rule."""
    return {"action": rule.action.value, "source": rule.source}
