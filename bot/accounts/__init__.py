"""Channel accounts: one bot or Official Account each, owned by a unit, its secrets encrypted, its health visible."""

from bot.accounts.book import Account, AccountBook, AccountExists, NoAccount
from bot.accounts.given import Given
from bot.accounts.secrets import SecretKeeper
from bot.accounts.vault import Unreadable, Vault

__all__ = ["Account", "AccountBook", "AccountExists", "Given", "NoAccount", "SecretKeeper", "Unreadable", "Vault"]
