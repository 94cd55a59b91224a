"""The shapes of the chat API, as the contract and the OpenAPI document have them."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class MessageIn(BaseModel):
    """What a citizen did: wrote a text, or pressed a button with a payload. `id` is the client's own, for repeats."""

    model_config = ConfigDict(
        strict=True,
        title="ChatMessage",
        json_schema_extra={
            "oneOf": [
                {"required": ["text"], "properties": {"text": {"type": "string"}, "payload": {"type": "null"}}},
                {"required": ["payload"], "properties": {"payload": {"type": "string"}, "text": {"type": "null"}}},
            ]
        },
    )

    id: str = Field(min_length=1, max_length=64)
    text: str | None = None
    payload: str | None = Field(default=None, min_length=1, max_length=64, pattern=r"^[\x20-\x7e]+$")

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.text is None) == (self.payload is None):
            raise ValueError("exactly one of text and payload")
        return self


class ButtonOut(BaseModel):
    """A next step; with `url`, a link."""

    label: str
    payload: str
    url: str | None = None


class AttachmentOut(BaseModel):
    """A document to open."""

    title: str
    url: str
    media_type: str


class SourceOut(BaseModel):
    """What an answer is based on, and the day that was read (ISO)."""

    title: str
    url: str
    seen_on: str


class ReplyOut(BaseModel):
    """One bubble."""

    text: str
    buttons: list[ButtonOut]
    attachments: list[AttachmentOut]
    source: SourceOut | None


class AnswerOut(BaseModel):
    """One turn's answer."""

    replies: list[ReplyOut]
    topic: str | None
    aspect: str | None
    status: str


class SessionOut(BaseModel):
    """A new anonymous conversation."""

    token: str


class ProblemOut(BaseModel):
    """Why a request was refused, in Vietnamese."""

    detail: str
