"""The keys that RADIUS servers have of Steppe's: enough for second factors of VPN accounts, and for nothing else."""

from pathlib import Path

import pytest
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from controlplane.secrets import keys, radius_keys
from controlplane.settings import Settings

OLD, NEW = (Fernet.generate_key().decode() for _ in range(2))


def test_the_ring_has_a_key_for_each_sealing_key_and_is_the_same_each_time(tmp_path: Path) -> None:
    settings = Settings(sealing_keys=f"{NEW},{OLD}", secret_key="s", state_dir=tmp_path)
    assert keys(settings).radius == radius_keys([NEW, OLD])
    assert radius_keys([NEW, OLD]).ring == (*radius_keys([NEW]).ring, *radius_keys([OLD]).ring)


def test_what_is_sealed_for_radius_is_opened_by_the_lines_of_its_file() -> None:
    ring = radius_keys([NEW, OLD])
    lines = ring.file().splitlines()
    opener = MultiFernet([Fernet(line) for line in lines])
    for sealed in (ring.seal("secret"), radius_keys([OLD]).seal("secret")):
        assert opener.decrypt(sealed.encode()) == b"secret"


def test_the_ring_opens_nothing_that_steppe_sealed_for_itself_nor_steppe_by_its_own_key_what_is_of_the_ring() -> None:
    theirs, ours = Fernet(radius_keys([NEW]).ring[0]), Fernet(NEW)
    with pytest.raises(InvalidToken):
        theirs.decrypt(ours.encrypt(b"secret"))
    with pytest.raises(InvalidToken):
        ours.decrypt(theirs.encrypt(b"secret"))


def test_what_was_sealed_with_an_older_key_is_sealed_with_the_newest() -> None:
    sealed = radius_keys([OLD]).seal("secret")
    resealed = radius_keys([NEW, OLD]).reseal(sealed)
    assert Fernet(radius_keys([NEW]).ring[0]).decrypt(resealed.encode()) == b"secret"


def test_keys_are_not_told_by_chance() -> None:
    ring = radius_keys([NEW])
    assert ring.ring[0] not in repr(ring)
