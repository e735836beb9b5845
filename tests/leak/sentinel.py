"""Sentinels: values that exist nowhere else, and every form in which one could come out again."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

_CONSONANTS, _VOWELS = "bcdfghjklmnpqrstvwxz", "aeiouy"
_KANJI = (
    "亜哀愛悪握圧扱安暗案以位依偉囲委威尉意慰易為異移維緯胃衣違遺医井域育一壱逸稲芋印員因引飲院陰隠韻右宇"
    "羽雨渦浦運雲営影映栄永泳英衛詠鋭液疫益駅悦謁越閲円園宴延援沿演炎煙猿縁遠鉛塩汚凹央奥往応"
)
_HANGUL = (
    "가각간갈감갑강개객거건걸검겁게격견결겸경계고곡곤골공과관광괴교구국군굴궁권귀규균귤극근금급기길김나낙"
    "난날남납낭내너널네녀년념노논농뇌누눈느늘니다단달담답당대덕도독돈동두둔득등라락란람랑"
)
_HANZI = (
    "啊阿埃挨哎唉哀皑癌蔼矮艾碍爱隘鞍氨安俺按暗岸胺案肮昂盎凹敖熬翱袄傲奥懊澳芭捌扒叭吧笆八疤巴拔跋靶把耙"
    "坝霸罢爸白柏百摆佰败拜稗斑班搬扳般颁板版扮拌伴瓣半办绊邦帮梆榜膀绑棒磅蚌镑傍谤苞胞包褒剥"
)
_ALPHABETS = {
    "latin": ("éèêëàâäåæçñõöøúûüý", 8),
    "cyrillic": ("бвгджзклмнпрстфхцчшщыэюя", 8),
    "greek": ("αβγδεζηθικλμνξοπρστυφχψω", 8),
    "katakana": ("".join(map(chr, range(0xFF71, 0xFF9E))), 8),
    "kanji": (_KANJI, 5),
    "hangul": (_HANGUL, 5),
    "hanzi": (_HANZI, 5),
}
_CODECS = (
    *("utf-8", "utf-16-le", "utf-16-be", "latin-1", "iso8859-5", "iso8859-7", "shift_jis", "euc_jp", "euc_kr"),
    *("gb18030", "iso2022_jp"),
)
_FIRST_DAY, _DAYS = date(1921, 1, 1), 25000


@dataclass(frozen=True, slots=True)
class Sentinel:
    """What is planted.

    Attributes
    ----------
    parts
        texts none of which may come out, alone or together
    blobs
        bytes none of which may come out
    """

    parts: tuple[str, ...] = ()
    blobs: tuple[bytes, ...] = ()

    def patterns(self) -> tuple[tuple[str, bytes], ...]:
        """Return (name of the form, its bytes), ASCII letters lower-cased, for a search in lower-cased bytes."""
        found = dict[bytes, str]()
        for name, form in (*_forms_of_parts(self.parts), *_forms_of_blobs(self.blobs)):
            found.setdefault(form.lower(), name)
        return tuple((name, form) for form, name in found.items())


def _forms_of_parts(parts: tuple[str, ...]) -> Iterator[tuple[str, bytes]]:
    for part in parts:
        for codec in _CODECS:
            try:
                encoded = part.encode(codec)
            except UnicodeError:
                continue
            yield codec, encoded.removeprefix(b"\x1b$B").removesuffix(b"\x1b(B")
        plain = part.encode("utf-8")
        yield "transcoded", plain.decode("latin-1").encode("utf-8")
        yield "hex", plain.hex().encode("ascii")
        yield from _base64(plain)


def _forms_of_blobs(blobs: tuple[bytes, ...]) -> Iterator[tuple[str, bytes]]:
    for blob in blobs:
        yield "binary", blob


def _base64(plain: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield what of its base64 doesn't depend on the bytes around, for each of the three alignments."""
    for lead in range(3):
        core = plain[(3 - lead) % 3 :]
        yield "base64", base64.b64encode(core[: len(core) // 3 * 3])


def word(rng: Random, script: str = "ascii") -> str:
    """Return a word that exists nowhere else; ASCII ones can be spoken and are of 9 letters."""
    if script == "ascii":
        syllables = (rng.choice(_CONSONANTS) + rng.choice(_VOWELS) + rng.choice(_CONSONANTS) for _ in range(3))
        return "".join(syllables).capitalize()
    alphabet, length = _ALPHABETS[script]
    return "".join(rng.choice(alphabet) for _ in range(length))


def text(rng: Random, script: str = "ascii") -> Sentinel:
    """Return a sentinel of two words, each of which must vanish."""
    return Sentinel((word(rng, script), word(rng, script)))


def uid(rng: Random) -> Sentinel:
    """Return a UID of which no end may come out either."""
    tail = f"{rng.randrange(10**8, 10**9)}.{rng.randrange(10**8, 10**9)}"
    return Sentinel((tail,))


def digits(rng: Random, count: int = 10) -> Sentinel:
    """Return a number as records have them."""
    return Sentinel((str(rng.randrange(10 ** (count - 1), 10**count)),))


def day(rng: Random) -> date:
    """Return a day of the last century; the base instances' own dates, and what they are shifted to, are later."""
    return _FIRST_DAY + timedelta(days=rng.randrange(_DAYS))


def date_forms(when: date) -> dict[str, str]:
    """Return the forms in which a date is written in texts."""
    return {
        "DICOM": f"{when:%Y%m%d}",
        "ACR-NEMA": f"{when:%Y.%m.%d}",
        "ISO": f"{when:%Y-%m-%d}",
        "EU": f"{when:%d.%m.%Y}",
        "EU slash": f"{when:%d/%m/%Y}",
        "US": f"{when:%m/%d/%Y}",
        "day month name": f"{when.day} {when:%b %Y}",
        "month name day": f"{when:%B} {when.day}, {when:%Y}",
        "dashes": f"{when:%d-%b-%Y}",
    }


def date_sentinel(when: date) -> Sentinel:
    """Return the sentinel for a date: all its written forms."""
    return Sentinel(tuple(date_forms(when).values()))


def blob(rng: Random, size_bytes: int = 16) -> Sentinel:
    """Return random bytes for attributes of numbers."""
    return Sentinel(blobs=(rng.randbytes(size_bytes),))
