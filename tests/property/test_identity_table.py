"""Whoever comes in whatever order, as often as they like: one pseudonym for each patient, one patient for each."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from deid.identity import KeyedIdentity, Subject, person_of
from deid.keys import Keys
from node.identities import TableIdentity
from node.identity_table import IdentityTable

SECRET = b"s" * 32
KEYS = Keys.from_secret(SECRET)

texts = st.text(max_size=6)
subjects = st.builds(
    Subject, patient_id=texts, issuer=texts, name=texts, birth_date=texts, study_uid=texts, accession_number=texts
)


@given(seen=st.lists(subjects, min_size=1, max_size=12), order=st.randoms(), apart=st.booleans())
def test_the_table_is_injective_and_stable(seen: list[Subject], order: object, apart: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        table = IdentityTable(Path(folder) / "identities.db", SECRET)
        identity = TableIdentity(table, "p", apart)
        given_out = {person_of(each, tell_issuers_apart=apart): identity.assign(each, KEYS) for each in seen}
        assert len({new.pseudonym for new in given_out.values()}) == len(given_out)
        table.close()
        again = seen * 2
        order.shuffle(again)  # type: ignore[attr-defined]
        later = TableIdentity(IdentityTable(table.path, SECRET), "p", apart)
        for subject in again:
            assert later.assign(subject, KEYS) == given_out[person_of(subject, tell_issuers_apart=apart)]
        later.table.close()


@given(subject=subjects, other=subjects, apart=st.booleans())
def test_keyed_codes_are_equal_for_one_person_and_only_then(subject: Subject, other: Subject, apart: bool) -> None:
    keyed = KeyedIdentity(apart)
    same = person_of(subject, tell_issuers_apart=apart) == person_of(other, tell_issuers_apart=apart)
    assert (keyed.assign(subject, KEYS).pseudonym == keyed.assign(other, KEYS).pseudonym) is same
