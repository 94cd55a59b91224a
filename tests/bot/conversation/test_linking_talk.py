"""What is said about linking channels: codes are read however they are typed, and no question is taken for one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.clock import ZONE
from bot.conversation.linking import DIGITS, LETTERS, Wish, merged, needs, wish
from bot.conversation.model import (
    AnswerStatus,
    LinkCodeClaimed,
    LinkCodeShown,
    LinkDeclined,
    Linked,
    LinkFacts,
    LinkGuessFailed,
    Other,
    PreferredHere,
    Said,
    Session,
    Turn,
    Unlinked,
)
from bot.linking import new_code
from nlu import personal
from tests.builders import MORNING, understood

if TYPE_CHECKING:
    from congdanso.brain import Brain

TODAY = MORNING.astimezone(ZONE).date()
PHU_THONG, TAN_THANH = "01936", "05923"

codes = st.builds(
    lambda a, b, digits: f"{a}{b}{digits:0{DIGITS}d}",
    st.sampled_from(LETTERS),
    st.sampled_from(LETTERS),
    st.integers(0, 10**DIGITS - 1),
)
spellings = st.sampled_from(
    [
        "{code}",
        "nối {code}",
        "Nối {code}.",
        "NOI {code}",
        "nối kênh {code}",
        "mã: {code}",
        "mã nối là {code}",
        "nối {a}{b} {x} {y}",
        "noi {a} {b} {x} {y}",
        "{a}{b}-{x}-{y}",
        "nối {a}{b}.{x}.{y}",
        "nối kênh mã {code}",
    ]
)
lower = st.booleans()


def spelt(code: str, spelling: str, small: bool) -> str:
    text = spelling.format(code=code, a=code[0], b=code[1], x=code[2:5], y=code[5:])
    return text.lower() if small else text


class TestCodes:
    @given(codes, spellings, lower)
    def test_a_code_is_read_however_it_is_typed(self, code: str, spelling: str, small: bool) -> None:
        assert wish(Said(text=spelt(code, spelling, small))) == Wish("code", code)

    @given(codes, spellings, lower)
    def test_a_code_is_no_personal_number(self, code: str, spelling: str, small: bool) -> None:
        text = spelt(code, spelling, small)
        assert personal.mask(text) == (text, ())

    def test_what_is_shown_can_be_typed(self) -> None:
        for code in {new_code() for _ in range(300)}:
            assert wish(Said(text=f"nối {code}")) == Wish("code", code)

    def test_codes_do_not_come_twice(self) -> None:
        assert len({new_code() for _ in range(500)}) >= 499

    @pytest.mark.parametrize(
        ("text", "kind"),
        [
            ("nối kênh", "link"),
            ("noi kenh", "link"),
            ("Liên kết kênh!", "link"),
            ("/noikenh", "link"),
            ("/noikenh@congdanso_bot", "link"),
            ("bỏ nối kênh", "unlink"),
            ("huỷ nối kênh", "unlink"),
            ("/bonoikenh", "unlink"),
            ("nối 482913", "code"),
            ("nối H482913", "code"),
            ("nối HT48291", "code"),
            ("nơi nộp hồ sơ 1 cửa", None),
            ("nói chuyện với cán bộ số 2", None),
            ("nối", None),
            ("nối mạng internet cho nhà văn hoá", None),
            ("căn cước 019203004567", None),
            ("CT01", None),
            ("mẫu TK01", None),
            ("1", None),
            ("làm giấy khai sinh cần gì", None),
            ("/", None),
            ("/trogiup", None),
            ("", None),
        ],
    )
    def test_a_text(self, text: str, kind: str | None) -> None:
        found = wish(Said(text=text))
        assert (None if found is None else found.kind) == kind

    @pytest.mark.parametrize(
        ("payload", "kind"),
        [
            ("a:noi-kenh", "link"),
            ("a:bo-noi-kenh", "unlink"),
            ("l:yes", "confirm"),
            ("l:no", "decline"),
            ("l:here", "here"),
            ("l:HT482913", None),
            ("a:xoa-du-lieu", None),
        ],
    )
    def test_a_button(self, payload: str, kind: str | None) -> None:
        found = wish(Said(payload=payload))
        assert (None if found is None else found.kind) == kind

    def test_a_link_that_opens_the_bot_links_nothing(self) -> None:
        assert wish(Said(payload="l:yes", opened=True)) is None


class TestTheRule:
    @pytest.mark.parametrize("newer", [True, False])
    @given(st.booleans(), st.booleans(), st.booleans(), st.booleans())
    def test_commune_and_subscription_come_together_from_the_newer_choice(
        self, newer: bool, mine_on: bool, other_on: bool, mine_agreed: bool, other_agreed: bool
    ) -> None:
        mine = Session(ward=PHU_THONG, subscribed=mine_on, consented=mine_agreed)
        result = merged(mine, Other("telegram", TAN_THANH, other_on, other_agreed, newer))
        assert (result.ward, result.subscribed) == ((TAN_THANH, other_on) if newer else (PHU_THONG, mine_on))
        assert result.consented == (mine_agreed or other_agreed)
        assert result.linked
        assert result.preferred


class TestTheTalk:
    def says(self, brain: Brain, text: str, facts: LinkFacts | None, session: Session | None = None) -> Turn:
        said = Said(text=text, link=facts)
        return brain.dialogue.reply(said, understood(None), session or Session(greeted=True), TODAY)

    def test_a_code_is_shown_with_what_to_do(self, brain: Brain) -> None:
        turn = self.says(brain, "nối kênh", LinkFacts("HT482913"))
        assert "nối HT482913" in turn.replies[0].text
        assert "10 phút" in turn.replies[0].text
        assert turn.effects == (LinkCodeShown("HT482913"),)

    def test_the_confirmation_says_what_will_hold(self, brain: Brain) -> None:
        [ward] = [w for w in brain.places.wards() if w.name == "Xã Phủ Thông"]
        other = Other("telegram", ward.code, subscribed=True, consented=False, newer=True)
        mine = Session(greeted=True, ward=TAN_THANH)
        turn = self.says(brain, "nối HT482913", LinkFacts(other=other), mine)
        text = turn.replies[0].text
        assert turn.status == AnswerStatus.CLARIFIED
        for words in (
            "Telegram",
            "mới hơn, ở Telegram",
            "Xã Phủ Thông",
            "gửi một lần",
            "ghi câu hỏi: chưa",
            "bỏ nối kênh",
        ):
            assert words in text
        assert turn.session.ward == TAN_THANH, "nothing holds before the yes"
        assert turn.effects == (LinkCodeClaimed("HT482913"),)
        for yes in ("1", "có", "đồng ý", "đồng ý nối"):
            confirmed = self.says(brain, yes, LinkFacts(other=other), turn.session)
            assert confirmed.effects == (Linked(),)
            assert (confirmed.session.ward, confirmed.session.subscribed) == (ward.code, True)
        for no in ("2", "không", "không nối"):
            declined = self.says(brain, no, LinkFacts(other=other), turn.session)
            assert declined.effects == (LinkDeclined(),)
            assert not declined.session.linked

    def test_channels_that_chose_alike_are_not_said_to_differ(self, brain: Brain) -> None:
        other = Other("web", None, subscribed=False, consented=False, newer=False)
        text = self.says(brain, "nối HT482913", LinkFacts(other=other)).replies[0].text
        assert "mới hơn" not in text
        assert "chưa chọn" in text

    @pytest.mark.parametrize(
        ("refused", "words", "effects"),
        [
            ("unknown", "không đúng hoặc đã hết hạn", (LinkGuessFailed(),)),
            ("own", "chính kênh này", ()),
            ("already", "đã nối với nhau", ()),
            ("too_many", "thử lại sau một giờ", ()),
        ],
    )
    def test_a_code_that_leads_nowhere(
        self, brain: Brain, refused: str, words: str, effects: tuple[object, ...]
    ) -> None:
        turn = self.says(brain, "nối HT482913", LinkFacts(refused=refused))
        assert words in turn.replies[0].text
        assert turn.effects == effects

    def test_a_code_typed_while_an_officer_is_asked_does_not_go_to_the_officer(self, brain: Brain) -> None:
        asked = brain.answer("gặp cán bộ", Session(greeted=True), MORNING)
        turn = self.says(brain, "HT482913", LinkFacts(refused="unknown"), asked.session)
        assert turn.effects == (LinkGuessFailed(),)

    def test_my_data_offers_linking_and_its_end(self, brain: Brain) -> None:
        shown = {
            state: {b.payload for b in brain.answer("dữ liệu của tôi", session, MORNING).replies[0].buttons}
            for state, session in (
                ("alone", Session(greeted=True)),
                ("linked", Session(greeted=True, linked=True)),
                ("preferred", Session(greeted=True, linked=True, preferred=True)),
            )
        }
        assert shown["alone"] == {"a:xoa-du-lieu", "c:more", "a:noi-kenh"}
        assert shown["linked"] - shown["alone"] == {"a:bo-noi-kenh", "l:here"}
        assert shown["linked"] - shown["preferred"] == {"l:here"}

    def test_unlinking_and_preferring_need_a_link(self, brain: Brain) -> None:
        assert self.says(brain, "bỏ nối kênh", LinkFacts()).effects == ()
        linked = Session(greeted=True, linked=True)
        assert self.says(brain, "bỏ nối kênh", LinkFacts(), linked).effects == (Unlinked(),)
        press = Said(payload="l:here", link=LinkFacts())
        assert brain.dialogue.reply(press, None, linked, TODAY).effects == (PreferredHere(),)
        assert brain.dialogue.reply(press, None, Session(greeted=True), TODAY).effects == ()

    def test_who_erases_hears_that_the_other_channel_keeps_its_data(self, brain: Brain) -> None:
        linked = brain.answer("xoá dữ liệu của tôi", Session(greeted=True, linked=True), MORNING)
        alone = brain.answer("xoá dữ liệu của tôi", Session(greeted=True), MORNING)
        assert "kênh kia vẫn còn" in linked.replies[0].text
        assert "kênh kia" not in alone.replies[0].text

    def test_in_a_terminal_there_is_nothing_to_link(self, brain: Brain) -> None:
        assert "không nối kênh được" in brain.answer("nối kênh", Session(greeted=True), MORNING).replies[0].text

    def test_a_yes_is_looked_up_only_where_one_was_asked_for(self, brain: Brain) -> None:
        other = Other("web", None, subscribed=False, consented=False, newer=False)
        asked = self.says(brain, "nối HT482913", LinkFacts(other=other))
        assert needs(Said(text="có"), asked.session) == Wish("confirm")
        assert needs(Said(text="có"), Session()) is None
