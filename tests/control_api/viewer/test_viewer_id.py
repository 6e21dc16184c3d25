"""Ids of viewers: signed for those without a token, and nobody is taken for somebody else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_api.stream.playback import PlaybackSigner
from control_api.stream.record import Identity
from control_api.viewer.viewer_id import MAX_VIEWER_ID, ViewerIds, user_key, user_of

from ..conftest import SECRET

IDS = ViewerIds(SECRET)
ALICE = Identity("alice")


def test_new_ids_are_signed_and_differ() -> None:
    found = {IDS.new() for _ in range(1000)}
    assert len(found) == 1000
    assert all(IDS.is_signed(viewer_id) for viewer_id in found)
    assert all(viewer_id.startswith("anon-") and len(viewer_id) <= MAX_VIEWER_ID for viewer_id in found)


@pytest.mark.parametrize("place", range(44))
def test_one_other_character_is_a_forgery(place: int) -> None:
    viewer_id = IDS.new()
    assert len(viewer_id) == 44
    other = "A" if viewer_id[place] != "A" else "B"
    assert not IDS.is_signed(viewer_id[:place] + other + viewer_id[place + 1 :])


@given(st.text(max_size=200))
def test_what_was_not_made_here_is_not_signed(text: str) -> None:
    assert not IDS.is_signed(text)
    assert not IDS.is_signed(f"anon-{text}")


def test_another_servers_id_is_foreign() -> None:
    assert not IDS.is_signed(ViewerIds(b"another secret").new())


def test_nothing_else_that_the_secret_signs_is_an_id() -> None:
    token = PlaybackSigner(SECRET).issue("anon-x", "salt", "anon-x", 0)
    name, _, signature = token.partition(".")
    assert not IDS.is_signed(token)
    assert not IDS.is_signed(f"anon-{name}.{signature}")


def test_who_joins() -> None:
    known = IDS.new()
    assert IDS.joining(None, known) == (known, known)
    assert IDS.joining(ALICE, None) == ("alice", user_key("alice"))
    assert IDS.joining(ALICE, known) == ("alice", user_key("alice"))
    for foreign in (None, "alice", "user:alice", "anon-x.y", ViewerIds(b"another secret").new()):
        viewer_id, key = IDS.joining(None, foreign)
        assert viewer_id == key != foreign
        assert IDS.is_signed(viewer_id)


def test_who_may_say_that_who_leaves() -> None:
    known = IDS.new()
    assert IDS.leaving(None, known) == known
    assert IDS.leaving(ALICE, known) == known  # signed in since
    assert IDS.leaving(ALICE, None) == IDS.leaving(ALICE, "alice") == user_key("alice")
    for whose in ("bob", "user:alice", "anon-x.y"):
        assert IDS.leaving(ALICE, whose) is None
        assert IDS.leaving(None, whose) is None
    assert IDS.leaving(None, None) is None


def test_a_user_who_is_called_like_a_viewer_is_somebody_else() -> None:
    viewer_id = IDS.new()
    _, key = IDS.joining(Identity(viewer_id), None)
    assert key != IDS.joining(None, viewer_id)[1]
    assert IDS.leaving(Identity(viewer_id), viewer_id) == key
    assert (user_of(key), user_of(viewer_id)) == (viewer_id, None)


def test_keys_of_ids_in_playback_tokens() -> None:
    viewer_id = IDS.new()
    assert IDS.key_of(viewer_id) == viewer_id
    assert IDS.key_of("alice") == user_key("alice")
    assert IDS.key_of("anon-somebody") == user_key("anon-somebody")
