"""Whatever a script says, the profile made of it can be loaded, and hides what the script hides."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from deid.actions import Action
from deid.pixels.template import load_region_files
from deid.profile import load_profile
from deid.rules import Rules
from deid.standard import confidentiality_rows
from node.errors import Misconfigured
from node.importing.ctp_functions import FUNCTIONS
from node.importing.ctp_profile import import_ctp_script
from node.importing.ctp_script import CtpScript, ScriptElement
from node.importing.regions import import_ctp_regions, import_recipe

_TAGS = st.one_of(
    st.sampled_from([f"{row.tag:08x}" for row in confidentiality_rows()]),
    st.from_regex(r"[0-9a-f]{8}", fullmatch=True),
    st.from_regex(r"[0-9a-f]{4}\[[^\]]{1,12}\][0-9a-f]{2}", fullmatch=True),
    st.text(max_size=10),
)
_ARGUMENTS = st.sampled_from(["", "this", "this,5", "PatientID", '"a,b"', "@DATEINC", "this,isblank", "x,equals,y"])
_CALLS = st.builds(lambda name, words: f"@{name}({words})", st.sampled_from([*FUNCTIONS, "frob"]), _ARGUMENTS)
_SCRIPTS = st.recursive(
    st.one_of(_CALLS, st.text(max_size=8), st.just("@always()@keep()")),
    lambda inner: st.builds(lambda words, a, b: f"@if({words}){{{a}}}{{{b}}}", _ARGUMENTS, inner, inner),
    max_leaves=4,
)
_NAMES = st.text(max_size=12)
_ELEMENTS = st.lists(st.builds(ScriptElement, _TAGS, _NAMES, _SCRIPTS, st.booleans()), min_size=1, max_size=8)
_GLOBALS = st.lists(st.sampled_from(["overlays", "curves", "privategroups", "unspecifiedelements"]), unique=True)


@given(_ELEMENTS, _GLOBALS, st.lists(st.sampled_from(["0018", "safeprivateelements"]), unique=True), _NAMES)
@example([ScriptElement(f"0009[{blank}]10", "", "@keep()", enabled=True) for blank in " \x1b"], [], [], "")
@settings(max_examples=60, deadline=None)
def test_any_script_becomes_a_profile_that_loads(
    elements: list[ScriptElement], removed: list[str], kept: list[str], source: str
) -> None:
    found = import_ctp_script(CtpScript({}, elements, kept, removed), "ours", source)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ours.toml"
        path.write_text(found.toml, "utf-8")
        profile = load_profile(path)
    rules = Rules(profile.policy, "")
    for element in elements:
        if element.enabled and element.script == "@remove()" and element.tag in {"00081010", "00080080", "00104000"}:
            assert rules.rule(int(element.tag, 16), "LO", 0).action in (Action.X, Action.Z, Action.D)


@given(st.text(alphabet='{}()[],"0123456789 .*+!\nRowsequalModty', max_size=200), _NAMES)
@settings(max_examples=60, deadline=None)
def test_any_text_becomes_a_region_file_that_loads(text: str, source: str) -> None:
    _loads(import_ctp_regions(text, source).toml)


@given(st.lists(st.text(max_size=40), max_size=8), _NAMES)
@settings(max_examples=60, deadline=None)
def test_any_recipe_becomes_a_region_file_that_loads(lines: list[str], source: str) -> None:
    text = "\n".join(
        ["FORMAT dicom", "%filter graylist", "LABEL a", *lines, "contains Modality CT", "coordinates 0,0,9,9"]
    )
    try:
        found = import_recipe(text, source)
    except Misconfigured:
        return
    _loads(found.toml)


def _loads(toml: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ours.toml"
        path.write_text(toml, "utf-8")
        load_region_files([path])
