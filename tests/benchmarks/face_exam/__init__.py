"""The face exam."""
