"""Utterances that several topics answer: taught as such, and asked back about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rasa.shared.nlu.constants import INTENT, METADATA, TEXT
from rasa.shared.nlu.training_data.message import Message

from bot.conversation.model import AnswerStatus, Session
from nlu.components.text import _fragments, shares_of
from nlu.dataset import read
from nlu.engine import DATA
from tests.builders import MORNING

if TYPE_CHECKING:
    from congdanso.brain import Brain


def written(text: str, intent: str, *topics: str) -> Message:
    return Message(data={TEXT: text, INTENT: intent, METADATA: {"intent": {"topics": list(topics)}}})


def test_every_topic_of_an_ambiguous_utterance_has_an_equal_share() -> None:
    message = written("gia hạn", "a", "a", "b", "c", "d")
    assert shares_of(message) == {"a": 0.25, "b": 0.25, "c": 0.25, "d": 0.25}


def test_the_intent_of_an_ambiguous_utterance_is_one_of_its_topics() -> None:
    for example in read([DATA / "mo-ho.yml"]):
        assert example.intent in example.topics
        assert 2 <= len(set(example.topics)) <= 4


def test_a_fragment_means_what_says_it_as_often_as_they_say_it() -> None:
    messages = [written(f"bị mất thẻ {word}", "card") for word in ("đỏ", "xanh", "vàng")]
    messages += [written("tôi mất thẻ hôm qua", "book"), written("khác hẳn", "other")]
    fragments = {m.get(TEXT): m.get("shares") for m in _fragments(messages, 10)}
    assert fragments == {"mất thẻ": {"card": 0.75, "book": 0.25}}


def test_what_somebody_wrote_is_no_fragment() -> None:
    messages = [written(f"bị mất thẻ {word}", "card") for word in ("đỏ", "xanh", "vàng")]
    messages += [written("tôi mất thẻ hôm qua", "book"), written("mất thẻ", "card")]
    assert "mất thẻ" not in {m.get(TEXT) for m in _fragments(messages, 10)}


GENERIC = {
    "làm lại giấy tờ bị mất": {"can-cuoc-cap-lai", "cap-lai-giay-phep-lai-xe", "cap-lai-so-bhxh-the-bhyt"},
    "xin cấp lại": {"can-cuoc-cap-lai", "cap-lai-giay-phep-lai-xe"},
    "làm giấy tờ": {"khai-sinh"},
    "gia hạn": {"gia-han-tam-tru", "gia-han-giay-phep-xay-dung"},
    "sang tên": {"sang-ten-xe", "bien-dong-dat-dai"},
    "bằng lái xe": {"doi-giay-phep-lai-xe", "cap-lai-giay-phep-lai-xe"},
    "giấy tờ hết hạn": {"can-cuoc-doi"},
}


def test_the_bot_asks_which(brain: Brain) -> None:
    """Which of two readings is a hair more likely changes with the data; that the bot asks back hardly ever does."""
    asked = {}
    for text in GENERIC:
        turn = brain.answer(text, Session(greeted=True), MORNING)
        if turn.status == AnswerStatus.CLARIFIED:
            asked[text] = {button.payload.split(":")[1] for button in turn.replies[0].buttons}
    right = [text for text, offered in asked.items() if offered >= GENERIC[text] and 2 <= len(offered) <= 4]
    assert len(right) >= len(GENERIC) - 2, asked
