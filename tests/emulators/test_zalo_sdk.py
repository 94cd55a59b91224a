"""An OA client that others wrote (PyPI `zalo_sdk`, MIT) works against our Zalo: it speaks the protocol, not only our own idea of it.

What it asks for by the older interfaces (transactions, promotions) is gone since 1/3/2026 and is refused here as there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests
import zalo_sdk
from zalo_sdk import oa

from tests.emulators.server import serve
from tests.emulators.zalo_oa import APP_ID, APP_SECRET, OAUTH, UPLOAD_LIFE, ZaloOaEmulator


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[ZaloOaEmulator, str]]:
    emulator = ZaloOaEmulator()
    with serve(emulator.app()) as url:
        yield emulator, url


@pytest.fixture
def zalo(server: tuple[ZaloOaEmulator, str]) -> ZaloOaEmulator:
    server[0].reset()
    server[0].citizen("77")
    return server[0]


@pytest.fixture
def client(zalo: ZaloOaEmulator, server: tuple[ZaloOaEmulator, str]) -> Any:
    access, refresh = zalo.pair()
    return oa.Client(APP_ID, APP_SECRET, access, refresh, endpoint_prefix=server[1])


def text(words: str) -> Any:
    return oa.ZaloMessageBody(text=words)


def test_a_text_and_a_quotation(client: Any, zalo: ZaloOaEmulator) -> None:
    to = oa.ZaloRecipient(user_id="77")
    answer = client.send_message(to, text("Xin chào"))
    assert answer["data"]["user_id"] == "77"
    assert answer["data"]["quota"] == {"quota_type": "reply"}
    client.send_message(to, oa.ZaloMessageBody(text="Vâng", quote_message_id=answer["data"]["message_id"]))
    assert zalo.texts("77") == ["Xin chào", "Vâng"]


def test_a_document_and_a_picture_are_uploaded_and_sent(client: Any, zalo: ZaloOaEmulator) -> None:
    to = oa.ZaloRecipient(user_id="77")
    token = client.upload_file(b"%PDF-1.7", "file", "a.pdf", "application/pdf")["data"]["token"]
    client.send_message(to, oa.ZaloMessageBody(attachment=oa.ZaloAttachment("file", {"token": token})))
    picture = client.upload_file(b"\x89PNG", "image", "a.png", "image/png")["data"]["attachment_id"]
    element = oa.ZaloTemplateElement(media_type="image", url=None).toDict() | {"attachment_id": picture}
    payload = {"template_type": "media", "elements": [element]}
    client.send_message(to, oa.ZaloMessageBody(text="Áp phích", attachment=oa.ZaloAttachment("template", payload)))
    assert [sorted(sent.message) for sent in zalo.sent] == [["attachment"], ["attachment", "text"]]


def test_an_upload_expires(client: Any, zalo: ZaloOaEmulator) -> None:
    token = client.upload_file(b"%PDF-1.7", "file", "a.pdf", "application/pdf")["data"]["token"]
    content, at = zalo.uploads[token]
    zalo.uploads[token] = content, at - UPLOAD_LIFE
    with pytest.raises(zalo_sdk.ZaloOAException, match="-100"):
        client.send_message(
            oa.ZaloRecipient(user_id="77"),
            oa.ZaloMessageBody(attachment=oa.ZaloAttachment("file", {"token": token})),
        )


def test_errors_come_with_status_200_and_are_raised_by_their_code(client: Any, zalo: ZaloOaEmulator) -> None:
    with pytest.raises(zalo_sdk.ZaloOAException, match="Invalid parameters"):
        client.send_message(oa.ZaloRecipient(user_id="nobody"), text("a"))
    zalo.access.clear()
    with pytest.raises(zalo_sdk.ZaloOAException, match="Invalid Access Token"):
        client.send_message(oa.ZaloRecipient(user_id="77"), text("a"))


def test_what_was_shut_is_refused(client: Any) -> None:
    for category in ("transaction", "media"):
        with pytest.raises(zalo_sdk.ZaloOAException):
            client.send_message(oa.ZaloRecipient(user_id="77"), text("a"), category=category)


def test_quotas_followers_and_tags(client: Any, zalo: ZaloOaEmulator) -> None:
    assert client.get_zalo_user_quotas("77")["data"]["promotion"]["daily_total"] == 1
    assert client.get_zalo_oa_quotas("OA", "cs", "sub_quota")["data"][0]["quota_type"] == "sub_quota"
    client.tag_follower("77", "xa-phuong:phu-thong")
    asked = {"offset": 0, "count": 50, "is_follower": True, "tag_name": "xa-phuong:phu-thong"}
    assert client.get_list(asked)["data"]["users"] == [{"user_id": "77"}]
    assert client.get_tags_of_oa()["data"] == ["xa-phuong:phu-thong"]
    client.rm_follower_from_tag("77", "xa-phuong:phu-thong")
    assert client.get_list(asked)["data"]["total"] == 0
    client.rm_tag("xa-phuong:phu-thong")
    assert client.get_user_detail("77")["data"]["user_is_follower"] is True


def test_a_broadcast_of_an_article(client: Any, zalo: ZaloOaEmulator) -> None:
    from bot.clock import ZONE

    zalo.now = zalo.moment().astimezone(ZONE).replace(hour=9)
    zalo.access = dict.fromkeys(zalo.access, zalo.now.replace(hour=23))
    payload = {"template_type": "media", "elements": [{"media_type": "article", "attachment_id": "a"}]}
    body = oa.ZaloMessageBody(attachment=oa.ZaloAttachment("template", payload))
    client.send_message(oa.ZaloRecipient(target={"gender": 0}), body, category="action")
    assert zalo.broadcasts[0]["recipient"] == {"target": {"gender": 0}}


def test_a_refresh_token_works_once(
    client: Any, zalo: ZaloOaEmulator, server: tuple[ZaloOaEmulator, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    post = requests.post
    # Its OAuth address is written into it.
    monkeypatch.setattr(
        requests, "post", lambda url, **more: post(url.replace("https://oauth.zaloapp.com", server[1]), **more)
    )
    spent = client.refresh_token
    access, refresh, _ = client.refresh_acccess_token()
    assert (access, refresh) == (next(iter(zalo.access)), zalo.refresh)
    client.send_message(oa.ZaloRecipient(user_id="77"), text("a"))
    client.refresh_token = spent
    with pytest.raises(zalo_sdk.ZaloOAException, match="-14014"):
        client.refresh_acccess_token()
    assert zalo.asked(OAUTH) == 2
