"""Which signatures are taken: every form that some source describes, and nothing else."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from bot.channels.zalo_oa.signature import Keys, verify
from tests.emulators.zalo_oa import APP_ID, APP_SECRET, OA_ID, OA_SECRET
from tests.emulators.zalo_oa_events import ZaloEvents

KEYS = Keys(APP_ID, OA_SECRET, APP_SECRET)
EVENT = ZaloEvents().text("77", "Xin chào")
OTHER_TIME = "1543908534740"


def checked(event: dict[str, Any], body: bytes, headers: dict[str, str], keys: Keys = KEYS) -> str | None:
    return verify(body, event, Headers(headers), keys, OA_ID)


def test_a_worked_example() -> None:
    body = (
        '{"app_id":"360846524940903967","sender":{"id":"246845883529197922"},"user_id_by_app":"552177279717587730",'
        '"recipient":{"id":"388613280878808645"},"event_name":"user_send_text","message":{"text":"Xin chào",'
        '"msg_id":"96d3cdf3af150460909"},"timestamp":"1543908534740"}'
    ).encode()
    digest = "a90bdb6465d58f195803774371268c27cf633b2919ba47f7ddba0899fedcea02"
    keys = Keys("360846524940903967", "OA_SECRET_KEY_FOR_TESTS")
    found = checked(json.loads(body), body, {"X-ZEvent-Signature": f"mac={digest}"}, keys)
    assert found == "mac= body-timestamp oa-secret app-id"


TAKEN: list[tuple[dict[str, str], str]] = [
    ({}, "mac= body-timestamp oa-secret app-id"),
    ({"prefix": ""}, "bare body-timestamp oa-secret app-id"),
    ({"prefix": "MAC="}, "mac= body-timestamp oa-secret app-id"),
    ({"prefix": "mac= "}, "mac= body-timestamp oa-secret app-id"),
    ({"timestamp": OTHER_TIME}, "mac= header-timestamp oa-secret app-id"),
    ({"timestamp": OTHER_TIME, "prefix": ""}, "bare header-timestamp oa-secret app-id"),
    ({"secret": APP_SECRET}, "mac= body-timestamp app-secret app-id"),
    ({"secret": APP_SECRET, "timestamp": OTHER_TIME}, "mac= header-timestamp app-secret app-id"),
    ({"first": OA_ID}, "mac= body-timestamp oa-secret oa-id"),
    ({"first": OA_ID, "prefix": "", "timestamp": OTHER_TIME}, "bare header-timestamp oa-secret oa-id"),
    ({"first": OA_ID, "secret": APP_SECRET}, "mac= body-timestamp app-secret oa-id"),
]


@pytest.mark.parametrize(("changes", "form"), TAKEN)
def test_each_form_is_taken_and_named(changes: dict[str, str], form: str) -> None:
    body, headers = ZaloEvents().signed(EVENT, **changes)
    assert checked(EVENT, body, headers) == form


def test_capital_letters_of_the_digest_do_not_matter() -> None:
    body, headers = ZaloEvents().signed(EVENT)
    headers["X-ZEvent-Signature"] = headers["X-ZEvent-Signature"].replace("mac=", "").upper()
    assert checked(EVENT, body, headers) is not None


def test_a_timestamp_may_be_a_number() -> None:
    event = EVENT | {"timestamp": 1543908534740}
    body, headers = ZaloEvents().signed(event)
    assert checked(event, body, headers) is not None


def keyed(body: bytes) -> str:
    """What one client believes: HMAC."""
    return hmac.new(OA_SECRET.encode(), body, hashlib.sha256).hexdigest()


def without_secret(body: bytes) -> str:
    return hashlib.sha256(APP_ID.encode() + body + EVENT["timestamp"].encode()).hexdigest()


REFUSED: list[tuple[str, dict[str, str]]] = [
    ("wrong secret", {"secret": "guess"}),
    ("no secret", {"secret": ""}),
    ("another app", {"first": "1"}),
]


@pytest.mark.parametrize("changes", [r[1] for r in REFUSED], ids=[r[0] for r in REFUSED])
def test_a_wrong_signature_is_refused(changes: dict[str, str]) -> None:
    body, headers = ZaloEvents().signed(EVENT, **changes)
    assert checked(EVENT, body, headers) is None


@pytest.mark.parametrize(
    "value",
    ["", "mac=", "mac", "0" * 64, "mac=mac=", "é" * 64, " ", keyed(b"{}"), without_secret(b"{}")],
    ids=["nothing", "prefix", "half a prefix", "zeros", "two prefixes", "letters", "space", "keyed", "without secret"],
)
def test_something_else_in_its_place_is_refused(value: str) -> None:
    body, headers = ZaloEvents().signed(EVENT)
    assert checked(EVENT, body, headers | {"X-ZEvent-Signature": value}) is None


def test_hmac_and_a_digest_without_secret_are_refused() -> None:
    body, headers = ZaloEvents().signed(EVENT)
    for value in (keyed(body), without_secret(body)):
        assert checked(EVENT, body, headers | {"X-ZEvent-Signature": f"mac={value}"}) is None


def test_without_header_key_or_app_nothing_is_taken() -> None:
    body, headers = ZaloEvents().signed(EVENT)
    assert checked(EVENT, body, {}) is None
    assert checked(EVENT, body, headers, Keys(APP_ID, "", "")) is None
    assert verify(body, EVENT, Headers(headers), Keys("", OA_SECRET), "") is None
    unsigned = hashlib.sha256(APP_ID.encode() + body + EVENT["timestamp"].encode()).hexdigest()
    assert checked(EVENT, body, {"X-ZEvent-Signature": unsigned}, Keys(APP_ID, "", "")) is None


def test_a_timestamp_is_needed() -> None:
    event = {name: value for name, value in EVENT.items() if name != "timestamp"}
    body, headers = ZaloEvents().signed(event)
    assert checked(event, body, headers) is None


def test_the_bytes_count_not_what_they_mean() -> None:
    body, headers = ZaloEvents().signed(EVENT)
    spaced = json.dumps(EVENT, ensure_ascii=False).encode()
    escaped = json.dumps(EVENT, separators=(",", ":")).encode()
    assert json.loads(spaced) == json.loads(escaped) == json.loads(body)
    assert checked(EVENT, spaced, headers) is None
    assert checked(EVENT, escaped, headers) is None


def test_keys_do_not_show_their_secrets() -> None:
    assert OA_SECRET not in repr(KEYS)
    assert APP_SECRET not in repr(KEYS)


@given(st.binary(max_size=200), st.text(max_size=80), st.text(max_size=40), st.integers(min_value=0, max_value=1999))
def test_no_guess_is_taken_and_none_is_an_error(body: bytes, signature: str, stamp: str, flip: int) -> None:
    ascii_headers = {
        "X-ZEvent-Signature": signature.encode("latin-1", "replace").decode("latin-1"),
        "X-ZEvent-Timestamp": stamp.encode("latin-1", "replace").decode("latin-1"),
    }
    assert checked({"timestamp": stamp}, body, ascii_headers) is None
    good, headers = ZaloEvents().signed(EVENT)
    at = flip % len(good)
    changed = good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :]
    assert checked(EVENT, changed, headers) is None
