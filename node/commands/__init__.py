"""The commands of `deid-node`, one function each; `node.cli` says what they are called and what they take."""
