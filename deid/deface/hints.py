"""What a header says of a head: never enough to tell that there is none."""

from __future__ import annotations

import re

from deid.encoding.element import DataSet

_TEXTS = (0x0018_0015, 0x0008_1030, 0x0008_103E, 0x0018_1030, 0x0018_9424, 0x0040_0254, 0x0032_1060)
_WORDS = re.compile(
    r"head|brain|skull|cran|crân|cereb|cérév|cerveau|face|facial|sinus|nnh|orbit|schädel|schaedel|kopf|gehirn|gesicht|"
    r"neuro|tete|tête|cabeza|testa|encef|hoved|huvud|dental|maxill|mandib|temporal|petrous|felsenbein|iac|neck|hals|"
    r"голов|頭|脑|头",
    re.IGNORECASE,
)


def hints_at_a_head(source: DataSet) -> bool:
    """Tell whether body part, descriptions or protocol speak of a head or a neck."""
    for tag in _TEXTS:
        element = source.elements.get(tag)
        if element is not None and isinstance(element.value, bytes | memoryview):
            raw = bytes(element.value)
            if any(_WORDS.search(raw.decode(charset, "replace")) for charset in ("utf-8", "latin-1")):
                return True
    return False
