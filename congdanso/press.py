"""The articles of an Official Account, as announcements publish them."""

from __future__ import annotations

from bot.announcements.articles import Draft, Press
from bot.channels.zalo_oa import ZaloOaChannel, ZaloOaClient, ZaloRefused
from bot.channels.zalo_oa.parse import CHANNEL
from bot.channels.zalo_oa.values import Article, Target
from bot.messages import Channels, Outcome, Transient


class OaPress:
    """A `bot.announcements.articles.Press`."""

    def __init__(self, client: ZaloOaClient) -> None:
        self._client = client

    async def create(self, draft: Draft) -> str | Outcome:
        """Hand an article in."""
        article = Article(draft.title, draft.author, draft.description, draft.cover_url, draft.body)
        try:
            return await self._client.create_article(article)
        except ZaloRefused as error:
            return error.outcome

    async def made(self, token: str) -> str | Outcome:
        """Ask until the article is there."""
        try:
            return await self._client.article_id(token)
        except ZaloRefused as error:
            return error.outcome

    async def broadcast(self, article_id: str) -> Outcome:
        """Send it to all followers; what is wrong on our side may have left all the same."""
        try:
            return await self._client.broadcast(article_id, Target())
        except Exception as error:
            return Transient(type(error).__name__, maybe_sent=True)


def press_of(channels: Channels, account: str) -> Press | None:
    """Return the articles of one of this process's Official Accounts."""
    channel = channels.get(CHANNEL, account)
    return OaPress(channel.client) if isinstance(channel, ZaloOaChannel) else None
