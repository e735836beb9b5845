"""Destinations beside C-STORE archives: DICOMweb servers (STOW-RS) and folders; and the echo of all of them."""
