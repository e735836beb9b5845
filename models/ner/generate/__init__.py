"""Texts as DICOM headers have them, made of templates and word lists, with every identifying part marked."""

from models.ner.generate.pieces import LABELS, Sample, Span
from models.ner.generate.sample import generator, samples

__all__ = ["LABELS", "Sample", "Span", "generator", "samples"]
