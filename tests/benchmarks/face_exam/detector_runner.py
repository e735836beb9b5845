"""Looks for faces in pictures, by dlib. Runs by itself, in an environment of its own: FOLDER with names.json in it.

Pictures are ``<name>.npy``, grey. ``names.json`` maps each name to the name of the picture in whose place of a face it
is to be described if there is none in itself. Prints JSON: for each name confidence and description.
"""

import json
import sys
from importlib.util import find_spec
from pathlib import Path

import dlib
import numpy as np

_WORST = -1.0


def main(folder: Path) -> None:
    spec = find_spec("face_recognition_models")
    models = Path(spec.submodule_search_locations[0]) / "models"
    find = dlib.cnn_face_detection_model_v1(str(models / "mmod_human_face_detector.dat"))
    place = dlib.shape_predictor(str(models / "shape_predictor_68_face_landmarks.dat"))
    describe = dlib.face_recognition_model_v1(str(models / "dlib_face_recognition_resnet_model_v1.dat"))
    names = json.loads((folder / "names.json").read_text("utf-8"))
    found, boxes = {}, {}
    for name in sorted(names, key=lambda each: names[each] != each):
        picture = np.repeat(np.load(folder / f"{name}.npy")[..., None], 3, axis=2)
        faces = sorted(find(picture, 0), key=lambda face: -face.confidence)
        box = faces[0].rect if faces else boxes.get(names[name])
        boxes[name] = box
        description = None
        if box is not None:
            description = list(describe.compute_face_descriptor(picture, place(picture, box)))
        found[name] = {"confidence": faces[0].confidence if faces else _WORST, "description": description}
    print(json.dumps(found))


main(Path(sys.argv[1]))
