"""What the bot does besides answering: consent, commune, announcements, officer, data, help, courtesy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from bot.conversation import choices, links, materials, notices
from bot.conversation.answers import topic_button
from bot.conversation.materials import Materials
from bot.conversation.messages import catalogue, label, lessons, say
from bot.conversation.model import (
    AnswerStatus,
    Button,
    ConsentGiven,
    DataErased,
    Effect,
    Pending,
    QuestionRecorded,
    Rated,
    Reply,
    Session,
    SourceLine,
    Turn,
    WardChosen,
)
from content.library import Library
from content.packs import Packs
from content.places import PlaceMatch, Places, Ward
from nlu.understanding import Understanding

COMMANDS: Final = {
    "start": "start",
    "batdau": "start",
    "help": "tro-giup",
    "trogiup": "tro-giup",
    "privacy": "du-lieu-cua-toi",
    "quyenriengtu": "du-lieu-cua-toi",
    "chonxa": "chon-xa-phuong",
    "thongbao": "nhan-thong-bao",
    "dung": "tat-thong-bao",
    "stop": "tat-thong-bao",
    "canbo": "gap-can-bo",
    "tailieu": "tai-lieu-tuyen-truyen",
    "dulieu": "du-lieu-cua-toi",
    "xoadulieu": "xoa-du-lieu",
    "noikenh": "noi-kenh",
    "bonoikenh": "bo-noi-kenh",
}
"""Slash commands and the action each stands for; channels list them with their descriptions."""


class Actions:
    """Turns for everything that is no answer from the library."""

    def __init__(self, library: Library, places: Places, packs: Packs) -> None:
        self._library = library
        self._places = places
        self.materials = Materials(packs)
        self._acts: dict[str, Callable[[Session, str], Turn]] = {
            "chon-xa-phuong": self._choose_ward,
            "nhan-thong-bao": self._subscribe,
            "tat-thong-bao": lambda s, _: notices.ended(s),
            "gap-can-bo": self._officer,
            "tai-lieu-tuyen-truyen": lambda s, _: self.materials.listing(s),
            "hoc-ky-nang-so": self._lessons,
            "lich-tap-huan": lambda s, _: _done(s, say("workshops"), AnswerStatus.UNKNOWN, "lich-tap-huan"),
            "danh-gia": self._rate,
            "du-lieu-cua-toi": self._my_data,
            "xoa-du-lieu": self._erase,
            "tro-giup": self._help,
            "chao-hoi": lambda s, _: self._smalltalk(s, "hello", "chao-hoi"),
            "cam-on": lambda s, _: self._smalltalk(s, "thanks", "cam-on"),
            "tam-biet": lambda s, _: self._smalltalk(s, "goodbye", "tam-biet"),
            "hoi-ve-bot": lambda s, _: self._smalltalk(s, "about_bot", "hoi-ve-bot"),
            "dong-y": lambda s, _: self._smalltalk(s, "yes_without_question", "dong-y"),
            "khong-dong-y": lambda s, _: self._smalltalk(s, "no_without_question", "khong-dong-y"),
        }

    def act(self, topic: str, understanding: Understanding, session: Session) -> Turn:
        """Return the turn of an action or courtesy topic.

        Raises:
            KeyError: the topic is neither.
        """
        return self._acts[topic](session, understanding.text)

    def introduction(self) -> Reply:
        """Who the bot is, what it keeps and why, how to stop."""
        return Reply(
            say("introduction", province=self._places.title),
            (
                Button(label("introduction_buttons", "agree"), "c:ok"),
                Button(label("introduction_buttons", "more"), "c:more"),
            ),
        )

    def arrived(self, payload: str, session: Session) -> Session:
        """Return the session of somebody who followed a link of a commune: it is theirs until they name another."""
        if session.ward is not None or not (unit := links.unit_of(payload)):
            return session
        try:
            return replace(session, ward=self._places.by_slug(unit).code)
        except KeyError:
            return session

    def officer_label(self, session: Session) -> str:
        """Return the label of the button that sends a question to an officer, with the commune if it is known."""
        ward = self._ward(session.ward)
        return (
            label("unknown_buttons", "officer_of").format(ward=inside(ward.name))
            if ward
            else label("unknown_buttons", "officer")
        )

    def slash(self, text: str, session: Session) -> Turn:
        """Return the turn of a typed /command; an unknown one gets the help."""
        name = command(text)
        argument = text.partition(" ")[2].strip()
        topic = COMMANDS.get(name, "tro-giup")
        if topic == "start":
            return Turn((self.introduction(),), replace(session, greeted=True, pending=None), AnswerStatus.SMALLTALK)
        if topic == notices.OFF and (kind := notices.ended_kind(f"dung {choices.fold(argument)}", session)):
            return kind
        if name in ("privacy", "quyenriengtu"):
            return _done(session, say("privacy"), AnswerStatus.ACTION_DONE, topic)
        return self._acts[topic](session, "")

    def press(self, payload: str, session: Session) -> Turn | None:
        """Return the turn of a button that is no topic; None for a payload of an older version."""
        kind, _, value = payload.partition(":")
        if kind == "a" and value in self._acts:
            return self._acts[value](session, "")
        if kind == notices.KIND:
            return notices.press(value, session)
        if kind == "p":
            return self._ward_pressed(value, session)
        if kind == materials.PAYLOAD:
            return self.materials.press(value, session)
        simple: dict[str, Callable[[Session], Turn]] = {
            "c:ok": self._consent,
            "c:more": lambda s: _done(
                s, say("privacy"), AnswerStatus.ACTION_DONE, "du-lieu-cua-toi", (self._agree_button(),)
            ),
            "n:yes": lambda s: self._subscribe(s, ""),
            "n:no": lambda s: _done(s, say("subscribe_declined"), AnswerStatus.ACTION_DONE, "nhan-thong-bao"),
            "o:ask": lambda s: self._officer(s, ""),
            "o:no": lambda s: _done(s, say("officer_cancelled"), AnswerStatus.ACTION_DONE, "gap-can-bo"),
            "r:1": lambda s: self._rated(s, 1),
            "r:-1": lambda s: self._rated(s, -1),
            "x:yes": self._erased,
            "x:no": lambda s: _done(s, say("erase_kept"), AnswerStatus.ACTION_DONE, "xoa-du-lieu"),
        }
        return simple[payload](session) if payload in simple else None

    def _ward(self, code: str | None) -> Ward | None:
        """Return the commune with a code; None for a code that an older list had."""
        return next((ward for ward in self._places.wards() if ward.code == code), None)

    def ward_name(self, code: str | None) -> str:
        """Return the name of a commune; "" without one."""
        ward = self._ward(code)
        return ward.name if ward is not None else ""

    # consent

    def _agree_button(self) -> Button:
        return Button(label("introduction_buttons", "agree"), "c:ok")

    def _consent(self, session: Session) -> Turn:
        agreed = replace(session, consented=True, greeted=True)
        ward = self._ward(session.ward)
        if ward is not None and not session.subscribed:
            # Known from the commune's own site or leaflet: nobody asked yet whether its announcements are wanted.
            turn = self._offer_announcements(say("consent_thanks"), ward.name, agreed, None)
        elif session.ward is not None:
            turn = _done(agreed, f"{say('consent_thanks')} {say('ask_anything')}", AnswerStatus.ACTION_DONE, None)
        else:
            turn = self._choose_ward(agreed, "")
            first = turn.replies[0]
            turn = replace(turn, replies=(replace(first, text=f"{say('consent_thanks')} {first.text}"),))
        return replace(turn, effects=(ConsentGiven(),))

    # commune

    def _choose_ward(self, session: Session, text: str) -> Turn:
        if text and (turn := self.take_place(text, session)):
            return turn
        skip = Button(say("ask_ward_skip"), "p:-")
        return Turn(
            (Reply(say("ask_ward"), (skip,)),),
            replace(session, pending=Pending("place", (skip,))),
            AnswerStatus.CLARIFIED,
            "chon-xa-phuong",
        )

    def take_place(self, text: str, session: Session) -> Turn | None:
        """Take a text as the name of the citizen's commune; None if it names none."""
        match = self._places.resolve(text)
        if match.code is not None:
            return self._ward_set(match, session)
        if match.candidates:
            return self._which_place(match, session)
        awaited = session.pending if session.pending is not None and session.pending.kind == "place" else None
        return self._ward_pressed("-", session) if awaited and choices.is_no(text) else None

    def _which_place(self, match: PlaceMatch, session: Session) -> Turn:
        options = tuple(
            Button(c.ward if c.old_ward is None else f"{c.ward} ({c.old_ward} cũ)", f"p:{c.code}")
            for c in match.candidates[:8]
        )
        lines = [f"{say('ward_ambiguous')}:", *(f"{i}. {o.label}" for i, o in enumerate(options, 1))]
        return Turn(
            (Reply("\n".join(lines), options),),
            replace(session, pending=Pending("place", options)),
            AnswerStatus.CLARIFIED,
            "chon-xa-phuong",
        )

    def _ward_set(self, match: PlaceMatch, session: Session) -> Turn:
        assert match.code is not None
        assert match.ward is not None
        if match.old_ward is not None:
            text = say("ward_set_from_old", old=match.old_ward, ward=inside(match.ward), province=self._places.title)
        else:
            text = say("ward_set", ward=inside(match.ward), province=self._places.title)
        return self._ward_taken(text, match.ward, match.code, session)

    def _ward_pressed(self, code: str, session: Session) -> Turn | None:
        if code == "-":
            return _done(session, say("ward_skipped"), AnswerStatus.ACTION_DONE, "chon-xa-phuong")
        if (ward := self._ward(code)) is None:
            return None
        text = say("ward_set", ward=inside(ward.name), province=self._places.title)
        return self._ward_taken(text, ward.name, code, session)

    def _ward_taken(self, text: str, name: str, code: str, session: Session) -> Turn:
        chosen = replace(session, ward=code, pending=None)
        if session.subscribed:
            return _done(chosen, text, AnswerStatus.ACTION_DONE, "chon-xa-phuong", (), (WardChosen(code),))
        return self._offer_announcements(text, name, chosen, "chon-xa-phuong", WardChosen(code))

    @staticmethod
    def _offer_announcements(text: str, name: str, session: Session, topic: str | None, *effects: Effect) -> Turn:
        """Say something, and ask whether the announcements of a commune are wanted."""
        buttons = (
            Button(label("offer_subscribe_buttons", "yes"), "n:yes"),
            Button(label("offer_subscribe_buttons", "no"), "n:no"),
        )
        return Turn(
            (Reply(f"{text}\n{say('offer_subscribe', ward=inside(name))}", buttons),),
            replace(session, pending=Pending("confirm", buttons)),
            AnswerStatus.ACTION_DONE,
            topic,
            effects=effects,
        )

    def merged(self, text: str, understanding: Understanding, session: Session) -> Turn | None:
        """Say what an old commune is called today; None where the text names no place of the province."""
        match = self._places.resolve(text)
        if match.code is None and not match.candidates:
            named = [e for e in understanding.entities if e.kind == "place"]
            if not named:
                return None
            match = self._places.resolve(named[0].value)
        if match.code is None or match.ward is None:
            if not match.candidates:
                return None
            lines = [
                say("merged_into", old=c.old_ward or c.ward, ward=inside(c.ward), province=self._places.title)
                for c in match.candidates[:6]
            ]
            return self._sourced(_done(session, "\n".join(lines), AnswerStatus.ANSWERED, "sap-nhap-xa-moi"))
        if match.old_ward is not None:
            told = say("merged_into", old=match.old_ward, ward=inside(match.ward), province=self._places.title)
        else:
            told = say("merged_same", ward=match.ward, province=self._places.title)
        former = self._places.former(match.code)
        if former:
            told += "\n" + say("merged_from", ward=match.ward, olds=", ".join(former))
        buttons = (topic_button(self._library, "sap-nhap-giay-to"),) if "sap-nhap-giay-to" in self._library else ()
        return self._sourced(_done(session, told, AnswerStatus.ANSWERED, "sap-nhap-xa-moi", buttons))

    def _sourced(self, turn: Turn) -> Turn:
        """Add the source of the list of communes: the one the library's own answer on the merger names."""
        topic = self._library.get("sap-nhap-xa-moi")
        if topic is None:
            return turn
        source = next(iter(topic.sources.values()))
        line = SourceLine(source.title, source.url or topic.link, source.seen_on)
        return replace(turn, replies=(replace(turn.replies[0], source=line),))

    # announcements

    def _subscribe(self, session: Session, _: str) -> Turn:
        if session.ward is None:
            asked = self._choose_ward(session, "")
            first = asked.replies[0]
            return replace(asked, replies=(replace(first, text=f"{say('subscribe_needs_ward')}\n{first.text}"),))
        ward = self._ward(session.ward)
        name = ward.name if ward is not None else session.ward
        return notices.began(session, inside(name))

    # people

    def _officer(self, session: Session, _: str) -> Turn:
        ward = self._ward(session.ward)
        text = say("officer_offer", ward=inside(ward.name)) if ward else say("officer_offer_nowhere")
        cancel = Button(say("officer_cancel"), "o:no")
        return Turn(
            (Reply(text, (cancel,)),),
            replace(session, pending=Pending("officer", (cancel,))),
            AnswerStatus.CLARIFIED,
            "gap-can-bo",
        )

    def to_officer(self, text: str, session: Session) -> Turn:
        """Hand a question (masked at the door) to the officers of the citizen's commune."""
        return _done(
            session,
            say("officer_sent"),
            AnswerStatus.HANDED_OVER,
            "gap-can-bo",
            (),
            (QuestionRecorded(text, "officer"),),
        )

    def _rate(self, session: Session, _: str) -> Turn:
        buttons = (Button(label("rate_buttons", "good"), "r:1"), Button(label("rate_buttons", "bad"), "r:-1"))
        return Turn(
            (Reply(say("rate_ask"), buttons),),
            replace(session, pending=Pending("confirm", buttons)),
            AnswerStatus.ACTION_DONE,
            "danh-gia",
        )

    def _rated(self, session: Session, value: int) -> Turn:
        text = say("rate_good") if value > 0 else say("rate_bad")
        buttons = () if value > 0 else (Button(label("unknown_buttons", "officer"), "o:ask"),)
        return _done(
            session, text, AnswerStatus.ACTION_DONE, "danh-gia", buttons, (Rated(value, session.topic, session.aspect),)
        )

    # data

    def _my_data(self, session: Session, _: str) -> Turn:
        ward = self._ward(session.ward)
        recent, read = (
            ", ".join(self._library[s].label for s in slugs if s in self._library)
            for slugs in (session.recent, session.lessons)
        )
        text = say(
            "my_data",
            ward=ward.name if ward else "chưa chọn",
            subscribed=notices.wanted(session),
            consented="có" if session.consented else "chưa",
            recent=recent or "chưa có",
            lessons=read or "chưa có",
            language=session.language or "không giữ",
            linked="có" if session.linked else "chưa",
        )
        buttons = [
            Button(label("my_data_buttons", "erase"), "a:xoa-du-lieu"),
            Button(label("my_data_buttons", "read"), "c:more"),
            Button(label("my_data_buttons", "link"), "a:noi-kenh"),
        ]
        if session.linked:
            buttons.append(Button(label("my_data_buttons", "unlink"), "a:bo-noi-kenh"))
        if session.linked and not session.preferred:
            buttons.append(Button(label("my_data_buttons", "here"), "l:here"))
        return _done(session, text, AnswerStatus.ACTION_DONE, "du-lieu-cua-toi", tuple(buttons))

    def _erase(self, session: Session, _: str) -> Turn:
        buttons = (Button(label("erase_buttons", "yes"), "x:yes"), Button(label("erase_buttons", "no"), "x:no"))
        text = say("erase_confirm") + (f" {say('erase_linked')}" if session.linked else "")
        return Turn(
            (Reply(text, buttons),),
            replace(session, pending=Pending("confirm", buttons)),
            AnswerStatus.CLARIFIED,
            "xoa-du-lieu",
        )

    def _erased(self, session: Session) -> Turn:
        return _done(
            Session(greeted=session.greeted),
            say("erased"),
            AnswerStatus.ACTION_DONE,
            "xoa-du-lieu",
            (),
            (DataErased(),),
        )

    # the rest

    def _lessons(self, session: Session, _: str) -> Turn:
        return self._offer(session, say("lessons"), lessons(), "hoc-ky-nang-so", AnswerStatus.ACTION_DONE)

    def _help(self, session: Session, _: str) -> Turn:
        return self._offer(session, say("help"), catalogue()["help_topics"], "tro-giup", AnswerStatus.ACTION_DONE)

    def _offer(self, session: Session, text: str, slugs: Sequence[str], topic: str, status: AnswerStatus) -> Turn:
        options = tuple(topic_button(self._library, slug) for slug in slugs if slug in self._library)
        return _done(session, text, status, topic, options)

    def _smalltalk(self, session: Session, key: str, topic: str) -> Turn:
        return _done(session, say(key), AnswerStatus.SMALLTALK, topic)


def command(text: str) -> str:
    """Return the name of a typed /command, as in COMMANDS; "" if nothing stands behind the slash."""
    first = text[1:].split(maxsplit=1)
    return first[0].split("@", maxsplit=1)[0].lower() if first else ""


def inside(name: str) -> str:
    """Return a unit's name as it stands inside a sentence: "xã Phủ Thông"."""
    return name[:1].lower() + name[1:]


def _done(
    session: Session,
    text: str,
    status: AnswerStatus,
    topic: str | None,
    buttons: tuple[Button, ...] = (),
    effects: tuple[Effect, ...] = (),
) -> Turn:
    """A turn of one bubble after which the bot waits for nothing but its buttons."""
    pending = Pending("steps", tuple(b for b in buttons if b.payload)) if buttons else None
    return Turn((Reply(text, buttons),), replace(session, pending=pending), status, topic, effects=effects)
