"""De-identification of DICOM instances as a pure library: one instance in, the clean one and a report out.

``deid.engine.deidentify`` is the way in; ``deid.context.Context`` says with which profile and key.
"""
