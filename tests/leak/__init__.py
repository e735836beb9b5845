"""The leak exam: sentinels planted in every hiding place there is, and looked for in what comes out."""
