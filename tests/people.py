"""Invented patients, one for each way in which a name can be written (PS3.3 C.12.1.1.2, PS3.5 6.2.1)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Patient:
    """An invented patient.

    Attributes
    ----------
    name
        all component groups of PN
    charset
        the values of Specific Character Set that `name` needs
    """

    name: str
    patient_id: str
    birth_date: str
    sex: str
    charset: tuple[str, ...] = ("ISO_IR 100",)
    address: str = "17 Quillfeather Lane, Ostermere"
    phone: str = "+49 30 5550 1187"


PATIENTS = (
    Patient("Brackenridge^Odalys^Wren^Dr.^PhD", "MRN-4471902", "19610317", "F"),
    Patient("Szczepankowski^Teofil", "PL 88.1120-7", "19881120", "M", ("ISO_IR 101",)),
    Patient("Größenthal^Jürgen^Äneas", "HN0093317", "19450208", "M"),
    Patient("Kanbara^Yoriko=神原^依子=かんばら^よりこ", "JP-700233", "19700903", "F", ("", "ISO 2022 IR 87")),
    Patient("Namgung^Haram=南宮^하람=남궁^하람", "KR-551208", "19951208", "O", ("", "ISO 2022 IR 149")),
    Patient("Ouyang^Lanzhi=欧阳^兰芷", "CN-8810457", "19820629", "F", ("GB18030",)),
    Patient("Вересаева^Аглая", "RU-330071", "19530101", "F", ("ISO_IR 144",)),
    Patient("Παπαδρόσος^Ευτύχιος", "GR-190044", "19770522", "M", ("ISO_IR 126",)),
    Patient("قنديل^نورالهدى", "EG-661200", "19991231", "F", ("ISO_IR 127",)),
    Patient("שטרנפלד^אביגיל", "IL-070715", "20070715", "F", ("ISO_IR 138",)),
    Patient("O'Hanrahan-Voss^Caoimhín=오한라한=あおい", "IE/2210/88", "19220419", "M", ("ISO_IR 192",)),
)
"""The first patient is plain Latin-1: the one to take where the name's encoding is not the matter."""
