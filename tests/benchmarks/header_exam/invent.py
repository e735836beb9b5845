"""Inventions: people, places, identifiers and protocols, all from one seeded source."""

from __future__ import annotations

import random
from datetime import date, timedelta

from tests.benchmarks.header_exam.cultures import CULTURES, STAFF, Culture
from tests.people import Patient

_STREETS = (
    "Quillfeather Hollowbrook Marrowstone Larkspur Tinderbox Candlewick Bramblegate Foxhollow Gooseberry Wexcombe"
)
_KINDS_OF_STREET = ("Lane", "Street", "Road", "Avenue", "Crescent", "Close")
_TOWNS = "Ostermere Kestrelford Aldermoor Wintersby Thornhaven Glenmarrow Saltmarshton Brightwater Dunwhistle Larchmont"
_SAINTS = "Elowen Wendreda Cuthberga Guthlac Petroc Osyth Rumwold Frideswide"
_HOUSES = (
    "Infirmary",
    "Memorial Hospital",
    "General Hospital",
    "University Clinic",
    "Medical Center",
    "Cancer Institute",
)
_ID_SHAPES = (
    "MRN-#######",
    "########",
    "HN#######",
    "???-######",
    "##.####-#",
    "?########",
    "#######/##",
    "PAT_######",
)
_PHONE_SHAPES = ("+49 30 ### ####", "(###) ###-####", "###-###-####", "+44 20 #### ####", "0###/#######")
_ROOTS = (
    "1.2.840.113619.2",
    "1.3.12.2.1107.5",
    "1.3.46.670589.11",
    "1.2.392.200036.9116",
    "1.2.276.0.7230010.3",
    "2.25",
)

_REGIONS = (
    *("CHEST", "ABDOMEN", "PELVIS", "HEAD", "NECK", "BRAIN", "SPINE", "KNEE", "BREAST", "THORAX", "LIVER", "KIDNEY"),
    *("SHOULDER", "CARDIAC", "LUNG", "PROSTATE"),
)
_TECHNIQUES = (
    *("W/O CONTRAST", "WITH CONTRAST", "T1 MPRAGE", "T2 FLAIR FS", "DWI b=1000", "STIR", "MIP", "LOW DOSE", "ROUTINE"),
    *("CTAC WB", "DYNAMIC", "Dixon IP", "Hodgkin staging", "Gleason grading", "Parkinson protocol", "Foley in situ"),
    *("Seldinger", "Lauenstein view", "GRASE", "HASTE", "TWIST", "VIBE", "TSE 384", "Venous phase", "Arterial"),
)
_PLANES = ("AX", "SAG", "COR", "OBL", "3D", "LAT", "PA", "CC", "MLO")
_KERNELS = ("B31f", "B70s", "FC13", "LUNG", "BONEPLUS", "I26s", "H31s", "STANDARD", "Br40d")


class Invention:
    """All that is invented for one exam; the same seed gives the same."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(f"header exam {seed}")

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def shaped(self, shape: str) -> str:
        """Fill `#` with digits and `?` with letters."""
        digits = {"#": "0123456789", "?": "ABCDEFGHJKLMNPRSTUVWXYZ"}
        return "".join(self.rng.choice(digits[mark]) if mark in digits else mark for mark in shape)

    # People

    def patient(self, oldest: bool) -> Patient:
        """Return a patient of some culture; `oldest` is past 89."""
        culture = self.rng.choice(CULTURES)
        charset = self.rng.choice(culture.charsets)
        birth = date(1925, 1, 1) if oldest else date(1938, 1, 1) + timedelta(days=self.rng.randrange(26_000))
        birth += timedelta(days=self.rng.randrange(1000))
        return Patient(
            self._patient_name(culture, charset),
            self.shaped(self.rng.choice(_ID_SHAPES)),
            birth.strftime("%Y%m%d"),
            self.rng.choice("FMO" if self.chance(0.1) else "FM"),
            charset,
            self.address(),
            self.phone(),
        )

    def _patient_name(self, culture: Culture, charset: tuple[str, ...]) -> str:
        family = self.rng.choice(culture.families.split())
        given, middle = self.rng.sample(culture.givens.split(), 2)
        name = f"{family}^{given}"
        if self.chance(0.3):
            name += f"^{middle}"
        if self.chance(0.3):
            name = name.upper()
        if culture.ideographic and charset[-1] != "ISO_IR 6" and self.chance(0.7):
            name += "=" + "^".join(self.rng.choice(culture.ideographic))
        return name

    def staff(self) -> tuple[str, str]:
        """Return family and given name of somebody who works there."""
        return self.rng.choice(STAFF.families.split()), self.rng.choice(STAFF.givens.split())

    def person(self) -> str:
        family, given = self.staff()
        return self.rng.choice((f"{family}^{given}", f"{family}^{given}^^Dr.", f"{family.upper()}^{given.upper()}"))

    # Places and numbers

    def town(self) -> str:
        return self.rng.choice(_TOWNS.split())

    def street(self) -> str:
        return (
            f"{self.rng.randrange(1000, 9999)} {self.rng.choice(_STREETS.split())} {self.rng.choice(_KINDS_OF_STREET)}"
        )

    def address(self) -> str:
        return f"{self.street()}, {self.town()} {self.shaped('#####')}"

    def institution(self) -> str:
        of = self.rng.choice((f"St. {self.rng.choice(_SAINTS.split())}", self.town()))
        return f"{of} {self.rng.choice(_HOUSES)}"

    def department(self) -> str:
        return f"{self.town()} Radiology {self.rng.choice('ABCDE')}{self.rng.randrange(100, 999)}"

    def phone(self) -> str:
        return self.shaped(self.rng.choice(_PHONE_SHAPES))

    def email(self) -> str:
        family, given = self.staff()
        return f"{given.lower()}.{family.lower()}@{self.town().lower()}-health.org"

    def identifier(self) -> str:
        return self.shaped(self.rng.choice(_ID_SHAPES))

    def note(self) -> str:
        return f"{self.rng.choice(('As told by', 'Ask', 'Mother of'))} {' '.join(reversed(self.staff()))}"

    def uid(self) -> str:
        root = self.rng.choice(_ROOTS)
        tail = str(self.rng.randrange(10**29, 10**30))
        return (
            f"{root}.{tail}" if root == "2.25" else f"{root}.{tail[:9]}.{tail[9:18]}.{int(tail[18:])}"[:64].rstrip(".")
        )

    # Times

    def day(self) -> str:
        return (date(2004, 1, 1) + timedelta(days=self.rng.randrange(6900))).strftime("%Y%m%d")

    def time(self) -> str:
        clock = f"{self.rng.randrange(24):02d}{self.rng.randrange(60):02d}{self.rng.randrange(60):02d}"
        return clock + self.rng.choice(("", "", f".{self.rng.randrange(10**6):06d}", ".250"))

    def moment(self) -> str:
        return self.day() + self.time() + self.rng.choice(("", "", "+0100", "-0500"))

    def day_in_text(self) -> str:
        """Return a date as people write it, in one word."""
        day = self.day()
        year, month, number = day[:4], day[4:6], day[6:]
        name = date(int(year), int(month), 1).strftime("%b")
        shapes = (f"{year}-{month}-{number}", f"{month}/{number}/{year}", f"{number}.{month}.{year}", day)
        return self.rng.choice((*shapes, f"{number}-{name}-{year}"))

    # Research content

    def description(self, longest: int = 64) -> str:
        """Return what a study, series or protocol is called where nobody put a name into it."""
        while True:
            text = self._description()
            if len(text) <= longest:
                return text

    def _description(self) -> str:
        rng = self.rng
        region, technique, plane = rng.choice(_REGIONS), rng.choice(_TECHNIQUES), rng.choice(_PLANES)
        thickness = f"{rng.randrange(1, 60) / 4:.2f}"
        number = f"{rng.randrange(1, 20)}.{rng.randrange(1, 9)}"
        return rng.choice(
            (
                f"P{rng.randrange(1, 20)}^P{rng.randrange(100, 140)}^S{rng.randrange(100, 3000)}",
                f"{region} {technique}",
                f"{plane} {technique} {region.lower()}",
                f"{region}^{rng.randrange(1, 30)}_{technique.replace(' ', '_')} ({rng.choice(('Adult', 'Child'))})",
                f"{number} {region} {technique.lower()} {thickness} {rng.choice(_KERNELS)}",
                f"t{rng.choice('12')}_tse_{plane.lower()}_{rng.randrange(2, 9)}mm_p{rng.randrange(2, 4)}",
                f"{region[:1]}{region[1:].lower()} {thickness}mm {plane}",
                f"*{rng.choice(('tfl3d1_16ns', 'ep_b0', 'fl2d1r5', 'se2d1'))} {region}",
                f"WB FDG {rng.randrange(45, 120)} min p.i. {technique}",
            )
        )

    def remark(self) -> str:
        """Return a clinical remark without anything that identifies."""
        size = self.rng.randrange(3, 60)
        lesion = self.rng.choice(("nodule", "lesion", "cyst", "haemangioma", "node", "calcification"))
        region = self.rng.choice(_REGIONS).lower()
        side = self.rng.choice(("left", "right", "midline"))
        return self.rng.choice(
            (
                f"{size} mm {lesion} {side} {region}, follow-up",
                f"Known {lesion} of the {region}, Hodgkin excluded",
                f"Motion artefact, {region} repeated; Foley catheter in place",
                f"{side} {region} {lesion} {size} x {size + 2} mm, T2 bright",
            )
        )

    def number(self) -> float:
        return self.rng.randrange(1, 400_000) / 128
