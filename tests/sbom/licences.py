"""Licences as SPDX expressions: from the metadata of packages, and by name where those say too little."""

from __future__ import annotations

import re
from importlib.metadata import Distribution

_OF_CLASSIFIER = {
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "GNU Library or Lesser General Public License (LGPL)": "LGPL-3.0-or-later",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
_OF_TEXT = {
    "apache 2.0": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache-2.0": "Apache-2.0",
    "3-clause bsd license": "BSD-3-Clause",
    "bsd": "BSD-3-Clause",
    "bsd 2-clause license": "BSD-2-Clause",
    "mit license": "MIT",
    "bsd-3-clause, apache-2.0, dependency licenses": "BSD-3-Clause AND Apache-2.0",
}
_SPDX = re.compile(r"[A-Za-z0-9.+-]+(?: (?:AND|OR|WITH) [A-Za-z0-9.+-]+)*")

# What wheels carry beside their own code, by the name of the library before its first '-' or '.'.
_BUNDLED = {
    "BSD-2-Clause": "liblzfse libjpegxr libjxrglue libopenjp2 libopenjph libSPERR",
    "BSD-3-Clause": (
        "libSZ3c libaec libavif libblosc libblosc2 libcharls libcrc32c libjpeg libjxl libjxl_cms libjxl_threads "
        "libopenblas libscipy_openblas64_ libpdfium libsharpyuv libsnappy libsz libvpx libwebp libwebpdemux libwebpmux "
        "libzfp libzstd libaom"
    ),
    "Apache-2.0": "libLerc libcpcodec libuhdr libzopfli",
    "MIT": (
        "libX11 libXau libbrotlicommon libbrotlidec libbrotlienc libdeflate libgif libharfbuzz liblcms2 liblzhamcomp "
        "liblzhamdecomp liblzhamdll liblzokay libmeshoptimizer libxcb libxkbcommon"
    ),
    "0BSD": "liblzma",
    "BSD-2-Clause OR GPL-2.0-or-later": "liblz4",  # the library itself is BSD-2-Clause
    "FTL": "libfreetype",
    "libtiff": "libtiff",
    "libpng-2.0": "libpng16",
    "OpenSSL": "libcrypto libssl",
    "LGPL-2.1-or-later": "libavcodec libavformat libavutil libswresample libswscale libgeos libgeos_c",
    "LGPL-3.0-only": "libQt5Core libQt5Gui libQt5Test libQt5Widgets libQt5XcbQpa",
    "GPL-3.0-or-later WITH GCC-exception-3.1": "libgfortran libgomp",
    "LGPL-2.0-or-later": "libquadmath",
}
OF_BUNDLED = {name: licence for licence, names in _BUNDLED.items() for name in names.split()}

_OPERATORS = frozenset({"AND", "OR", "WITH"})


def licence_of(package: Distribution) -> str:
    """Return the licence of a package as an SPDX expression; empty if its metadata do not say."""
    metadata = package.metadata
    if expression := metadata.get("License-Expression"):
        return str(expression)
    text = str(metadata.get("License") or "").strip()
    if text.lower() in _OF_TEXT:
        return _OF_TEXT[text.lower()]
    if _SPDX.fullmatch(text) and text != "UNKNOWN":
        return text
    names = [line.rpartition("::")[2].strip() for line in metadata.get_all("Classifier") or []]
    found = dict.fromkeys(_OF_CLASSIFIER[name] for name in names if name in _OF_CLASSIFIER)
    return " OR ".join(found)


def bundled_name(file_name: str) -> str:
    """Return the name of a library that a wheel carries, without version and digest."""
    return re.split(r"[-.]", file_name, maxsplit=1)[0]


def is_copyleft(expression: str) -> bool:
    """Say whether a licence demands that the whole program be under it: GPL or AGPL, and no way around.

    A choice (OR) is a way around, and so is an exception for what is linked (WITH); the LGPL is none of the two.
    """
    return all(
        any(_demands_all(term) for term in re.split(r"\s+AND\s+", choice.strip("() ")))
        for choice in re.split(r"\s+OR\s+", expression)
    )


def _demands_all(term: str) -> bool:
    words = [word for word in term.strip("() ").split() if word not in _OPERATORS]
    return len(words) == 1 and words[0].upper().startswith(("GPL", "AGPL", "GNU GENERAL", "SSPL"))
