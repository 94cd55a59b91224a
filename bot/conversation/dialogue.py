"""The policy: from what was said and understood, and the session so far, to the next turn.

A turn passes a short row of questions, in this order: is there something personal in it? does it answer what the bot
waits for? is it a button? does it point back? does it name a topic, an aspect, both, neither? Each `_when_…` answers one of
them with a turn, or None to pass on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from typing import Final

from bot.conversation import choices, context, linking, links, notices
from bot.conversation.actions import Actions
from bot.conversation.answers import answer, portal_button, topic_button
from bot.conversation.going_on import GoingOn, Understand, switches
from bot.conversation.messages import catalogue, lessons, say
from bot.conversation.model import (
    HISTORY,
    AnswerStatus,
    Button,
    Pending,
    QuestionRecorded,
    Reply,
    Said,
    Session,
    Turn,
)
from content.library import Library
from content.packs import Packs
from content.places import Places
from nlu.understanding import ASPECTS, FOLLOW_UP, Understanding

CLARIFY_BELOW: Final = 0.45
"""Below this probability the bot asks back instead of answering …"""
CLARIFY_RATIO: Final = 0.45
"""… or when the second topic is more than so many times as likely as the first: "sang tên" may be the car's or the land's."""
FULLER_RATIO: Final = 0.65
"""Likewise of a text that says more than a few words: who told so much seldom left it open."""
STAY_RATIO: Final = 0.35
"""The topic just talked about, so many times as likely as the likeliest, is not asked back about."""
OPTION_FLOOR: Final = 0.03
"""A topic less probable than this is not offered."""
OPTIONS: Final = 4
NAMED: Final = 0.15
"""An offered topic of this probability is named by the answer."""
ANSWER_WORDS: Final = 6
"""Words of an answer to "which of these"; a longer text is a new question, and says what it is about."""
BACK_WORDS: Final = ("luc nay", "hoi nay", "ban nay", "vua nay", "quay lai", "tro lai", "luc truoc", "cai truoc")
COMPOSED: Final = 4096
"""Answers that are kept composed."""
STEPS: Final = frozenset({"c", "p", "n", "o", "r", "x"})
"""Kinds of buttons that are steps of a form, not questions."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One turn while it is being worked out."""

    said: Said
    session: Session
    understanding: Understanding | None
    folded: str
    today: date


class Dialogue:
    """Answers turns. Holds only read-only knowledge, so one object serves all conversations."""

    def __init__(
        self, library: Library, places: Places, understand: Understand | None = None, packs: Packs | None = None
    ) -> None:
        """Take the knowledge, and a way to ask what an elliptic text means once its topic is added to it."""
        self.library = library
        self.places = places
        self._understand = understand
        self._going_on = GoingOn(library, understand)
        self.actions = Actions(library, places, packs or Packs({}))
        # The same question gets the same answer all day, and there are few of them.
        self._composed = lru_cache(maxsize=COMPOSED)(
            lambda slug, aspects, today, everything: answer(library, slug, aspects, today, everything=everything)
        )

    def reply(self, said: Said, understanding: Understanding | None, session: Session, today: date) -> Turn:
        """Return the next turn.

        Args:
            understanding: what `said.text` means; None where there is no text.
            today: the day in the province, for facts that expire.
        """
        if said.unsupported and said.text:
            return _with_note(self.reply(replace(said, unsupported=""), understanding, session, today))
        read = None if understanding is None else context.weighed(understanding, session, self.library)
        moment = Moment(said, session, read, choices.fold(said.text), today)
        steps: tuple[Callable[[Moment], Turn | None], ...] = (
            self._when_personal,
            self._when_opened,
            self._when_unsupported,
            self._when_linking,
            self._when_pressed,
            self._when_stopping,
            self._when_corrected,
            self._when_awaited,
            self._when_empty,
            self._when_pointing_back,
            self._when_action_or_smalltalk,
            self._when_place,
            self._when_follow_up,
            self._when_out_of_scope,
            self._when_unclear,
            self._when_topic,
        )
        for step in steps:
            if (turn := step(moment)) is not None:
                return _numbered(self._introduced(turn))
        raise AssertionError("the last step answers every turn")

    # what was done

    def _when_personal(self, m: Moment) -> Turn | None:
        if not m.said.personal:
            return None
        return _turn(m, say("refused_personal_data"), AnswerStatus.REFUSED_PERSONAL_DATA)

    def _when_opened(self, m: Moment) -> Turn | None:
        if not m.said.opened:
            return None
        # Who follows a link or scans a leaflet sees first what was promised there.
        session = self.actions.arrived(m.said.payload, m.session)
        if (given := self.actions.materials.opened(m.said.payload, session)) is not None:
            return given
        slug, aspect = links.topic_of(m.said.payload)
        if slug in self.library:
            return self.tell(replace(m, session=session), slug, (aspect,) if aspect in ASPECTS else ())
        return Turn(
            (self.actions.introduction(),), replace(session, greeted=True, pending=None), AnswerStatus.SMALLTALK
        )

    def _when_unsupported(self, m: Moment) -> Turn | None:
        """Voice, pictures, files: say kindly what to do instead. What the bot waited for, it still waits for."""
        if not m.said.unsupported:
            return None
        answers = catalogue()["unsupported"]
        kind = catalogue()["unsupported_names"].get(m.said.unsupported, m.said.unsupported)
        return Turn((Reply(answers.get(kind, answers["other"])),), m.session, AnswerStatus.CLARIFIED)

    def _when_linking(self, m: Moment) -> Turn | None:
        """A code may be typed whatever else the bot waits for, and is nobody else's to read."""
        wanted = linking.wish(m.said)
        return None if wanted is None else linking.answer(wanted, m.said.link, m.session, self.actions.ward_name)

    def _when_pressed(self, m: Moment) -> Turn | None:
        if not m.said.payload:
            return None
        if (linked := self._when_linking(m)) is not None:
            return linked
        kind, _, rest = m.said.payload.partition(":")
        if kind in ("t", "m"):
            slug, _, aspect = rest.partition(":")
            if slug in self.library:
                return self.tell(m, slug, (aspect,) if aspect else (), everything=kind == "m")
        if kind == notices.PRESS:
            return self._when_announcement_pressed(m, rest)
        turn = self.actions.press(m.said.payload, m.session)
        if turn is None:
            return _turn(m, say("rephrase"), AnswerStatus.CLARIFIED)
        # A step of a form (consent, commune, subscription): what was asked is not needed any more.
        replies = tuple(replace(r, in_place=kind in STEPS and number == 0) for number, r in enumerate(turn.replies))
        return replace(turn, replies=replies)

    def _when_announcement_pressed(self, m: Moment, value: str) -> Turn:
        """A button under an announcement; "Hỏi thêm" opens the conversation on its topic."""
        turn, topic = notices.pressed(value, m.session)
        if turn is None:
            return _turn(m, say("rephrase"), AnswerStatus.CLARIFIED)
        return replace(self.tell(m, topic, ()), effects=turn.effects) if topic in self.library else turn

    def _when_stopping(self, m: Moment) -> Turn | None:
        """A word that stops announcements, or one kind of them, works always and at once, whatever else the bot waits for."""
        if choices.is_stop(m.said.text):
            return self.actions.press("a:tat-thong-bao", m.session)
        return notices.ended_kind(m.folded, m.session)

    def _when_corrected(self, m: Moment) -> Turn | None:
        """The last answer was not what was meant, and the text goes on to say what is: that alone is heard."""
        instead = context.correction(m.said.text)
        if instead is None or self._understand is None or _awaits_free_text(m.session):
            return None
        session = replace(m.session, pending=None)
        return self.reply(replace(m.said, text=instead), self._understand(instead), session, m.today)

    def _when_awaited(self, m: Moment) -> Turn | None:
        """The text may answer the last question; if it does not, it is a new question and the old one lapses."""
        pending = m.session.pending
        if pending is None or not m.folded:
            return None
        offered = (*pending.options, *pending.more)
        if pending.kind == "officer" and not _is_slash(m.said.text):
            if choices.is_no(m.said.text):
                return self.actions.press("o:no", m.session)
            if (option := choices.by_number(m.said.text, offered)) is not None:
                return self._when_pressed(replace(m, said=replace(m.said, payload=option.payload)))
            return self.actions.to_officer(m.said.text, m.session)
        if pending.kind == "place" and (turn := self.actions.take_place(m.said.text, m.session)):
            return turn
        if (option := choices.chosen(m.said.text, offered)) is not None:
            return self._when_pressed(replace(m, said=replace(m.said, payload=option.payload or "noop")))
        if pending.kind == "confirm":
            if choices.is_yes(m.said.text):
                return self._when_pressed(replace(m, said=replace(m.said, payload=pending.options[0].payload)))
            if choices.is_no(m.said.text):
                return self._when_pressed(replace(m, said=replace(m.said, payload=pending.options[-1].payload)))
        return self._among_topics(m, pending.options) if pending.kind == "topics" else None

    def _among_topics(self, m: Moment, options: tuple[Button, ...]) -> Turn | None:
        """The text may say which of the offered topics is meant, or that none is."""
        if choices.is_yes(m.said.text) and len(options) <= 2:
            return self._when_pressed(replace(m, said=replace(m.said, payload=options[0].payload)))
        if choices.picks_none(m.said.text) and len(m.folded.split()) <= ANSWER_WORDS:
            return _turn(m, say("rephrase"), AnswerStatus.CLARIFIED)
        if (option := self._likeliest(m, options)) is not None:
            return self._when_pressed(replace(m, said=replace(m.said, payload=option.payload)))
        return None

    @staticmethod
    def _likeliest(m: Moment, options: tuple[Button, ...]) -> Button | None:
        """The offered topic that a few words speak for most: asked which of these, people name one in their own words.

        Or they ask on, as if the first had been answered; then it is the first, asked for what they ask.
        """
        if m.understanding is None or len(m.folded.split()) > ANSWER_WORDS:
            return None
        u = m.understanding
        if u.intent == FOLLOW_UP and u.aspect is not None:
            return replace(options[0], payload=":".join((*options[0].payload.split(":")[:2], u.aspect)))
        likely = {a.topic: a.confidence for a in u.alternatives}
        if u.topic is not None and u.in_scope:
            likely[u.topic] = u.confidence
        offered = {o: likely.get(o.payload.split(":")[1], 0.0) for o in options if o.payload.startswith("t:")}
        best = max(offered, key=lambda o: offered[o], default=None)
        return best if best is not None and offered[best] >= NAMED else None

    def _when_empty(self, m: Moment) -> Turn | None:
        if m.understanding is None or not any(c.isalnum() for c in m.said.text):
            return _turn(m, say("empty"), AnswerStatus.CLARIFIED)
        if _is_slash(m.said.text):
            return self.actions.slash(m.said.text, m.session)
        return None

    # what it is about

    def _when_pointing_back(self, m: Moment) -> Turn | None:
        """A topic of before, named or the last but one: "quay lại cái khai sinh lúc nãy"."""
        if not any(words in m.folded for words in BACK_WORDS) or len(m.folded.split()) > context.SHORT:
            return None
        u = _given(m)
        if not m.session.recent:
            return _turn(m, say("nothing_before"), AnswerStatus.CLARIFIED)
        named = self._going_on.named_among(m.folded, m.session.recent)
        likely = {a.topic for a in u.alternatives if a.confidence >= OPTION_FLOOR} | {u.topic}
        # A name that several of them share ("cái căn cước") means the one talked about last.
        ranked = [slug for slug in m.session.recent if slug in likely]
        others = [slug for slug in m.session.recent if slug != m.session.topic]
        slug = named or (ranked[0] if ranked else (others[0] if others else m.session.recent[0]))
        asked = tuple(a for a in u.aspects if a != "tong-quan")
        return self.tell(m, slug, asked or (("tong-quan",) if named or ranked else ()))

    def _when_action_or_smalltalk(self, m: Moment) -> Turn | None:
        u = _given(m)
        if u.topic is None or u.topic in self.library:
            return None
        if u.confidence < CLARIFY_BELOW and u.alternatives and u.alternatives[0].confidence > u.confidence / 2:
            return None
        turn = self.actions.act(u.topic, u, m.session)
        # The commune may have to be known first; the turn is about what was asked for all the same.
        return replace(turn, topic=u.topic) if turn.status is AnswerStatus.CLARIFIED else turn

    def _when_place(self, m: Moment) -> Turn | None:
        """A question that names an old commune: what it is called today."""
        u = _given(m)
        if u.topic != "sap-nhap-xa-moi" and not (u.intent == FOLLOW_UP and self._only_place(u)):
            return None
        turn = self.actions.merged(m.said.text, u, m.session)
        return None if turn is None else replace(turn, session=self._remember(turn.session, "sap-nhap-xa-moi", None))

    @staticmethod
    def _only_place(u: Understanding) -> bool:
        covered = sum(e.end - e.start for e in u.entities if e.kind == "place")
        return covered >= 0.6 * len(u.text.strip())

    def _when_follow_up(self, m: Moment) -> Turn | None:
        """The topic or the aspect of before: "thế lệ phí bao nhiêu?", "còn cấp lại thì sao?"."""
        u = _given(m)
        topic = m.session.topic if m.session.topic in self.library else None
        going_on = self._going_on
        if topic is not None and going_on.is_case_of(u, topic):
            return self.tell(m, topic, u.aspects)
        if topic is not None and switches(m.said.text) and (sibling := going_on.sibling(u, topic)) is not None:
            asked = tuple(a for a in u.aspects if a in context.explicit_aspects(m.folded))
            carried = (m.session.aspect,) if m.session.aspect else ()
            return self.tell(m, sibling, asked or carried)
        if u.intent != FOLLOW_UP:
            return None
        if topic is None:
            return _turn(m, say("which_topic"), AnswerStatus.CLARIFIED)
        named = going_on.named_among(m.folded, m.session.recent)
        return self.tell(m, named or going_on.turned_to(u, topic) or topic, u.aspects)

    def _when_out_of_scope(self, m: Moment) -> Turn | None:
        u = _given(m)
        if u.in_scope:
            return None
        if u.near:
            return self._unknown(m)
        steps = tuple(Button(text, f"a:{slug}") for slug, text in catalogue()["out_of_scope_buttons"].items())
        return _turn(m, say("out_of_scope"), AnswerStatus.OUT_OF_SCOPE, buttons=steps)

    def _unknown(self, m: Moment) -> Turn:
        """In the field, but without a checked answer: say so, keep the question for the editors, offer an officer."""
        text = say("unknown")
        effects: tuple[QuestionRecorded, ...] = ()
        if m.session.consented:
            text += "\n" + say("unknown_recorded")
            effects = (QuestionRecorded(m.said.text, "unknown"),)
        buttons = (Button(self.actions.officer_label(m.session), "o:ask"), portal_button())
        turn = _turn(m, text, AnswerStatus.UNKNOWN, buttons=buttons)
        return replace(turn, effects=effects)

    def _when_unclear(self, m: Moment) -> Turn | None:
        """Two to four topics are likely: ask which."""
        u = _given(m)
        ranked = [(u.topic, u.confidence), *((a.topic, a.confidence) for a in u.alternatives)]
        likely = [(slug, p) for slug, p in ranked if slug is not None and slug in self.library and p >= OPTION_FLOOR]
        if not likely:
            return self._unknown(m)
        ratio = CLARIFY_RATIO if len(m.folded.split()) <= ANSWER_WORDS else FULLER_RATIO
        clear = likely[0][1] >= CLARIFY_BELOW and (len(likely) < 2 or likely[1][1] <= ratio * likely[0][1])
        if clear or len(likely) < 2:
            return None
        here = next((p for slug, p in likely if slug == m.session.topic), 0.0)
        if here >= STAY_RATIO * likely[0][1] and len(m.folded.split()) <= context.SHORT:
            # Nobody who is asking about one of them means to be asked which.
            return self.tell(m, m.session.topic or "", u.aspects)
        asked = next((a for a in u.aspects if a != "tong-quan"), None)
        options = tuple(topic_button(self.library, slug, asked) for slug, _ in likely[:OPTIONS])
        effects = (QuestionRecorded(m.said.text, "unclear"),) if m.session.consented else ()
        lines = [say("clarify"), *(f"{i}. {o.label}" for i, o in enumerate(options, 1)), say("clarify_hint")]
        session = replace(m.session, pending=Pending("topics", options))
        return Turn((Reply("\n".join(lines), options),), session, AnswerStatus.CLARIFIED, effects=effects)

    def _when_topic(self, m: Moment) -> Turn:
        """The last step: a topic of the library, or a courtesy too faint to act on."""
        u = _given(m)
        if u.topic is None or u.topic not in self.library:
            return _turn(m, say("rephrase"), AnswerStatus.CLARIFIED)
        return self.tell(m, u.topic, u.aspects)

    # telling

    def tell(self, m: Moment, slug: str, aspects: tuple[str, ...], *, everything: bool = False) -> Turn:
        """Answer for a topic of the library and remember it."""
        shown = self._composed(slug, aspects, m.today, everything)
        aspect = aspects[0] if aspects else "tong-quan"
        if self.library[slug].kind == "faq" and aspect not in self.library[slug].aspects:
            aspect = "tong-quan"
        session = self._remember(m.session, slug, aspect)
        if (material := self.actions.materials.button(slug)) is not None:
            shown = replace(shown, buttons=(*shown.buttons, material))
        session = replace(session, pending=Pending("steps", tuple(b for b in shown.buttons if b.payload)))
        shown = replace(shown, about=slug if aspect == "tong-quan" else f"{slug}:{aspect}", in_place=everything)
        return Turn((shown,), session, AnswerStatus.ANSWERED, slug, aspect)

    @staticmethod
    def _remember(session: Session, slug: str, aspect: str | None) -> Session:
        recent = (slug, *(s for s in session.recent if s != slug))[:HISTORY]
        learnt = session.lessons
        if session.consented and slug in lessons() and slug not in learnt:
            learnt = (*learnt, slug)
        return replace(session, topic=slug, aspect=aspect, recent=recent, lessons=learnt)

    def _introduced(self, turn: Turn) -> Turn:
        """On first contact, say who answers and what is kept, after the answer itself."""
        if turn.session.greeted:
            return turn
        session = replace(turn.session, greeted=True)
        return replace(turn, replies=(*turn.replies, self.actions.introduction()), session=session)


def _turn(m: Moment, text: str, status: AnswerStatus, *, buttons: tuple[Button, ...] = ()) -> Turn:
    """A turn of one bubble that leaves the topic as it was and waits for one of its buttons."""
    pending = Pending("steps", tuple(b for b in buttons if b.payload)) if buttons else None
    return Turn((Reply(text, buttons),), replace(m.session, pending=pending), status)


def _with_note(turn: Turn) -> Turn:
    """Say under the answer to a caption that the picture itself was not looked at."""
    if not turn.replies:
        return turn
    first, *rest = turn.replies
    return replace(turn, replies=(replace(first, text=f"{first.text}\n\n{say('with_picture')}"), *rest))


def _numbered(turn: Turn) -> Turn:
    """Number the buttons of all bubbles in one row, and let the session wait for every one of them.

    Whoever reads the menu of a bubble on a channel without buttons can answer with its number.
    """
    session, replies = turn.session, list[Reply]()
    more: list[Button] = []
    waiting = session.pending.options if session.pending is not None else ()
    count = 0
    for reply in turn.replies:
        offered = tuple(b for b in reply.buttons if b.payload)
        replies.append(replace(reply, first=count + 1) if offered and count else reply)
        if offered != waiting:
            more += offered
        count += len(offered)
    if more:
        session = replace(session, pending=replace(session.pending or Pending("steps"), more=tuple(more)))
    return replace(turn, replies=tuple(replies), session=session)


def _given(m: Moment) -> Understanding:
    assert m.understanding is not None, "steps behind _when_empty have a text that was understood"
    return m.understanding


def _awaits_free_text(session: Session) -> bool:
    return session.pending is not None and session.pending.kind == "officer"


def _is_slash(text: str) -> bool:
    return text.startswith("/")
