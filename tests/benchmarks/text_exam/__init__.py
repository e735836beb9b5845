"""An exam on free text: strings whose identifying parts are labelled, in headers that know their people or don't."""
