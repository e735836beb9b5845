"""An exam for headers: synthetic studies, an answer key in MIDI-B's action types, and a validator like MIDI-B's."""
