"""The keys of the installation."""

from __future__ import annotations

import base64

import pytest

from apps.core.contact_points import email_key, phone_key
from apps.core.encryption.ring import Cipher, KeyRing, Undecipherable, blind_index, fresh_key


def ring_of(**keys):
    return " ".join(
        f"{name.removeprefix('n')}:{base64.b64encode(key).decode()}" for name, key in keys.items()
    )


def test_what_is_encrypted_opens_with_its_key_in_its_place_alone():
    cipher = Cipher(fresh_key())
    kept = cipher.encrypt(b"jane@acme.example", "leads_lead.email:1")
    assert b"jane" not in kept
    assert cipher.decrypt(kept, "leads_lead.email:1") == b"jane@acme.example"
    for other in ("leads_lead.email:2", "leads_lead.phone:1", "accounts_contact.email:1"):
        with pytest.raises(Undecipherable):
            cipher.decrypt(kept, other)
    with pytest.raises(Undecipherable):
        Cipher(fresh_key()).decrypt(kept, "leads_lead.email:1")


@pytest.mark.parametrize("place", [0, 5, 12, 20, -1])
def test_a_single_bit_that_was_changed_is_noticed(place):
    cipher = Cipher(fresh_key())
    kept = bytearray(cipher.encrypt(b"jane@acme.example", "here"))
    kept[place] ^= 1
    with pytest.raises(Undecipherable):
        cipher.decrypt(bytes(kept), "here")


@pytest.mark.parametrize("kept", [b"", b"short", b"\x00" * 28])
def test_what_was_never_encrypted_is_no_ciphertext(kept):
    with pytest.raises(Undecipherable):
        Cipher(fresh_key()).decrypt(kept, "here")


def test_the_same_text_is_never_the_same_ciphertext():
    cipher = Cipher(fresh_key())
    assert len({cipher.encrypt(b"jane", "here") for _ in range(100)}) == 100


def test_the_first_key_wraps_and_all_of_them_unwrap():
    old, new, data_key = fresh_key(), fresh_key(), fresh_key()
    before = KeyRing.of(ring_of(n1=old))
    after = KeyRing.of(ring_of(n2=new, n1=old))
    wrapped = before.wrap(data_key)
    assert wrapped[0] == 1
    assert after.unwrap(wrapped) == data_key
    assert after.wrap(data_key)[0] == 2
    with pytest.raises(Undecipherable):
        KeyRing.of(ring_of(n2=new)).unwrap(wrapped)
    with pytest.raises(Undecipherable):
        KeyRing.of(ring_of(n1=new)).unwrap(wrapped)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "there is no key"),
        ("0:YQ==", "keys are numbered from 1 to 255"),
        ("256:YQ==", "keys are numbered from 1 to 255"),
        ("x:YQ==", "keys are numbered from 1 to 255"),
        ("YQ==", "keys are numbered from 1 to 255"),
        ("1:no base64!", "a key is not in base64"),
        ("1:YQ==", "a key has not 32 bytes"),
        (" ".join([ring_of(n1=bytes(32))] * 2), "two keys have the same number"),
    ],
)
def test_a_ring_that_makes_no_sense_says_why(text, sentence):
    with pytest.raises(ValueError, match=sentence):
        KeyRing.of(text)


def test_keys_do_not_show_when_they_are_printed():
    key = fresh_key()
    assert repr(key) not in repr(Cipher(key))
    assert repr(key) not in repr(KeyRing.of(ring_of(n1=key)))


def test_one_person_has_one_blind_index_however_the_address_is_written():
    assert email_key(" Jane@ACME.example ") == email_key("jane@acme.example")
    assert phone_key("+49 (30) 123456") == phone_key("030 123456", "DE")
    assert len(email_key("jane@acme.example")) == 20
    assert email_key("jane@acme.example") != email_key("june@acme.example")
    assert email_key("no address") == phone_key("") == ""


def test_a_blind_index_needs_its_key_and_its_kind(settings):
    before = blind_index("email", "x")
    assert blind_index("phone", "x") != before
    settings.BLIND_INDEX_KEY = base64.b64encode(fresh_key()).decode()
    assert blind_index("email", "x") != before
