from __future__ import annotations

import struct

import pytest

from deid.errors import Reason, Refused
from deid.needles import Kind, Needles
from deid.text.documents import clean_document, judge_document

NEEDLES = Needles()
NEEDLES.add(Kind.NAME_PART, "Zyxwvut")
CDA = b'<?xml version="1.0"?><ClinicalDocument xmlns="urn:hl7-org:v3">%s<text>%s</text></ClinicalDocument>'


def renamed(name: str) -> str:
    return f"n{len(name)}"


def clean(mime: str, data: bytes) -> bytes:
    return clean_document(mime, data, NEEDLES, renamed)


def reason(mime: str, data: bytes) -> Reason:
    with pytest.raises(Refused) as refused:
        clean(mime, data)
    assert "yxwvut" not in str(refused.value).lower()
    return refused.value.reason


@pytest.mark.parametrize("mime", ["application/pdf", "", "image/png", "application/octet-stream", "model/x3d+xml"])
def test_what_cannot_be_looked_through_is_refused(mime: str) -> None:
    assert reason(mime, b"%PDF-1.4 nothing in it") is Reason.STEP_UNAVAILABLE
    with pytest.raises(Refused):
        judge_document(mime, b"", NEEDLES)


def test_clinical_document_that_names_nobody_passes_unchanged() -> None:
    data = CDA % (b'<templateId root="2.16.840.1.113883.10.20.22.1.1"/><title>Chest CT</title>', b"No nodule.")
    assert clean("text/XML", data) == data


@pytest.mark.parametrize(
    ("head", "text"),
    [
        (b"", b"Zyxwvut was seen"),
        (b"", b"Dr. Strange was seen"),
        (b"", b"on 11 May 2010"),
        (b"", b"Zyxw&#118;ut"),
        (b"", b"<content>Zyxw</content><![CDATA[ ZYXWVUT ]]>"),
        (b"<!-- zyxwvut -->", b""),
        (b"<?note zyxwvut?>", b""),
        (b'<title lang="Zyxwvut"/>', b""),
        (b"<recordTarget><patient><name>Anybody</name></patient></recordTarget>", b""),
        (b'<recordTarget><id extension="1"/></recordTarget>', b""),
        (b'<effectiveTime value="2010"/>', b""),
        (b'<telecom value="x"/>', b""),
    ],
)
def test_clinical_document_that_names_somebody_is_refused(head: bytes, text: bytes) -> None:
    assert reason("text/xml", CDA % (head, text)) is Reason.IDENTIFIER_LEFT


def test_clinical_document_with_encoded_data_is_refused() -> None:
    assert reason("text/xml", CDA % (b'<value representation="B64">eA==</value>', b"")) is Reason.STEP_UNAVAILABLE


@pytest.mark.parametrize(
    "data",
    [
        b"no xml",
        b"<a><b></a>",
        b"<a/>trailing",
        b'<!DOCTYPE a [<!ENTITY x "zyx">]><a>&x;wvut</a>',
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
    ],
)
def test_malformed_xml_and_entities_are_refused(data: bytes) -> None:
    assert reason("text/xml", data) is Reason.MALFORMED


def test_deep_xml_is_refused() -> None:
    assert reason("text/xml", b"<a>" * 5000 + b"</a>" * 5000) is Reason.TOO_DEEP


def _stl(header: bytes, triangles: int, attribute: bytes = b"\0\0") -> bytes:
    body = b"".join(struct.pack("<12f", *range(number, number + 12)) + attribute for number in range(triangles))
    return header.ljust(80, b"\0") + struct.pack("<I", triangles) + body


def test_stl_keeps_its_triangles_and_nothing_else() -> None:
    data = _stl(b"made for Zyxwvut", 3, b"ZY") + b"Zyxwvut"
    assert clean("model/stl", data) == _stl(b"", 3)


@pytest.mark.parametrize("data", [b"solid Zyxwvut", _stl(b"", 2)[:-1]])
def test_stl_that_is_none_is_refused(data: bytes) -> None:
    assert reason("model/stl", data) in {Reason.MALFORMED, Reason.TRUNCATED}


def test_obj_loses_comments_and_gets_other_names() -> None:
    data = b"# Zyxwvut\nmtllib Zyxwvut.mtl\no zyxwvut\nv 1.0 -2e3 0 # Z\nusemtl skin\ns off\nf 1/1/1 2//2 3\n\0"
    assert clean("model/obj", data) == (b"mtllib n11.mtl\no n7\nv 1.0 -2e3 0\nusemtl n4\ns off\nf 1/1/1 2//2 3\n")


def test_mtl_keeps_colours_and_names_its_material_as_the_obj_does() -> None:
    data = b"newmtl skin\r\nKd 0.5 0.5 0.5\r\nmap_Kd -s 1 1 1 Zyxwvut.PNG\r\n"
    assert clean("model/mtl", data) == b"newmtl n4\nKd 0.5 0.5 0.5\nmap_Kd n11.png\n"


def test_obj_with_a_statement_nobody_knows_is_refused() -> None:
    assert reason("model/obj", b"v 0 0 0\ncall Zyxwvut.obj\n") is Reason.MALFORMED
    assert reason("model/obj", b"v 0 0 zyxwvut\n") is Reason.MALFORMED
