"""How the network for free text is made: texts, training, export, evaluation."""
