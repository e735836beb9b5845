"""One SOP Instance on its way in and on its way out."""

from __future__ import annotations

from dataclasses import dataclass

from deid.elements.file_meta import part10_header
from deid.encoding.element import Buffer
from deid.encoding.reader import Limits, read_part10


@dataclass(frozen=True, slots=True)
class Instance:
    """A SOP Instance as it was received.

    Attributes
    ----------
    transfer_syntax
        UID of the transfer syntax of `data`
    data
        the encoded Data Set, without preamble and File Meta Information
    """

    transfer_syntax: str
    data: Buffer

    @classmethod
    def from_part10(cls, file: Buffer, limits: Limits | None = None) -> Instance:
        """Read a file as of PS3.10 Section 7.

        Raises
        ------
        Refused
            If it is not such a file.
        """
        part10 = read_part10(file, limits or Limits())
        return cls(part10.transfer_syntax, part10.data_set_bytes)


@dataclass(frozen=True, slots=True)
class CleanInstance:
    """A SOP Instance that may leave.

    Attributes
    ----------
    sop_class_uid, sop_instance_uid, transfer_syntax
        as in the Data Set; the instance's UID is the new one
    study_instance_uid, series_instance_uid, patient_id
        the new ones
    chunks
        the encoded Data Set in pieces, in order
    """

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax: str
    study_instance_uid: str
    series_instance_uid: str
    patient_id: str
    chunks: tuple[Buffer, ...]

    def part10(self) -> list[Buffer]:
        """Return the instance as the pieces of a file (PS3.10 Section 7)."""
        return [part10_header(self.sop_class_uid, self.sop_instance_uid, self.transfer_syntax), *self.chunks]
