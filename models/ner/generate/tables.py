"""The tables in the folder data: texts of the generator's own, one kind a file."""

from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "data"


class Table(dict[str, tuple[str, ...]]):
    """
    A table: key to entries.

    A row is a key, a tab, and entries with | between; rows of the same key belong together, # begins a comment.

    Parameters
    ----------
    name : str
        The file's name without its ending.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        for row in (FOLDER / f"{name}.txt").read_text("utf-8").splitlines():
            key, tab, entries = row.partition("\t")
            if tab and not row.startswith("#"):
                self[key] = self.get(key, ()) + tuple(entries.split("|"))

    def of(self, key: str, lang: str) -> tuple[str, ...]:
        """
        Give the entries of a language.

        Returns
        -------
        tuple of str
            Those of key.lang, else those of key.* for all others, else the English ones.
        """
        return self.get(f"{key}.{lang}") or self.get(f"{key}.*") or self[f"{key}.en"]

    def below(self, key: str) -> dict[str, tuple[str, ...]]:
        """
        Give all that stands below a key.

        Returns
        -------
        dict
            The rest of the key to its entries.
        """
        front = f"{key}."
        return {whole.removeprefix(front): entries for whole, entries in self.items() if whole.startswith(front)}
