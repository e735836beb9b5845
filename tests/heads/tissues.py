"""What tissues are worth in pictures: Hounsfield numbers, the signal of MR weightings, and uptake; about right."""

from __future__ import annotations

from collections.abc import Mapping

CT: Mapping[str, float] = {
    "air": -1000, "foam": -960, "board": -550, "skin": 45, "fat": -100, "muscle": 55, "bone": 1150, "marrow": 350,
    "teeth": 2100, "csf": 8, "grey": 38, "white": 29, "dura": 60, "vitreous": 8, "lens": 75, "nerve": 35,
    "gland": 30, "cartilage": 130, "lung": -820, "blood": 45, "liver": 60, "water": 0, "tube": 180, "lumen": -1000,
    "metal": 3000, "cord": 35, "plaster": -120,
}  # fmt: skip
T1: Mapping[str, float] = {
    "air": 0, "foam": 0, "board": 0, "skin": 330, "fat": 900, "muscle": 360, "bone": 45, "marrow": 560, "teeth": 20,
    "csf": 110, "grey": 420, "white": 600, "dura": 260, "vitreous": 120, "lens": 250, "nerve": 480, "gland": 420,
    "cartilage": 240, "lung": 20, "blood": 200, "liver": 500, "water": 150, "tube": 0, "lumen": 0, "metal": 0,
    "cord": 540, "plaster": 10,
}  # fmt: skip
T2: Mapping[str, float] = {
    **T1,
    "skin": 260, "fat": 650, "muscle": 190, "marrow": 420, "csf": 980, "grey": 520, "white": 370, "vitreous": 950,
    "lens": 200, "nerve": 380, "gland": 500, "water": 1000, "cord": 380,
}  # fmt: skip
FLAIR: Mapping[str, float] = {
    **T2,
    "fat": 560, "csf": 70, "grey": 500, "white": 380, "vitreous": 90, "water": 90,
}  # fmt: skip
PET: Mapping[str, float] = {
    **dict.fromkeys(CT, 300.0),
    "air": 0, "foam": 0, "board": 0, "skin": 260, "fat": 120, "muscle": 420, "bone": 150, "csf": 250, "grey": 4200,
    "white": 1500, "gland": 700, "lung": 90, "tube": 0, "lumen": 0, "plaster": 0,
}  # fmt: skip
CONTRASTS: Mapping[str, Mapping[str, float]] = {"CT": CT, "T1": T1, "T2": T2, "FLAIR": FLAIR, "PT": PET}
