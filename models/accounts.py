"""Who may come in, and who no longer: sellers' logins, guests, and tokens that ended early.

How a token is made and read is in ``tokens.py``, how passwords are hashed in ``passwords.py``.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from typing import Final

import msgspec

from models.addresses import address_key
from models.conversation import GUEST_PREFIX, Identity, Participant, moment
from models.errors import Conflict, Invalid, NotFound, Unauthorized, Unavailable
from models.events import PARTICIPANT_ID_LENGTH, ParticipantId
from models.pace import Pace
from models.passwords import Passwords, checked_password
from models.store import Store, StoredParticipant
from models.text import clean_name
from models.tokens import GUEST_SECONDS, SESSION_SECONDS, Tokens

# CONTRACT section 2 gives 5 s from a logout or a changed password to the end of the sockets.
REFRESH_SECONDS: Final = 2
# Entries are stamped before they are written, and a write may take its 5 s; and clocks differ.
OVERLAP_SECONDS: Final = 30
# How often all entries are read again, so that those that ended by themselves are forgotten.
RELOAD_SECONDS: Final = 60 * 60
# A change that takes over the end of its second is made again, in the hope for a faster one.
CHANGE_ATTEMPTS: Final = 4

WRONG: Final = "ID or password is wrong."


class Accounts:
    """Sellers' accounts, and which tokens are still good.

    What ended a token early is stored, and held in memory so that asking costs nothing; ``watch``
    brings in what other processes stored. ``on_revoked`` is called with a question that is true of
    each identity that is refused by now; set it to close sockets.
    """

    def __init__(
        self, store: Store, tokens: Tokens, pace: Pace, *, now: Callable[[], float] = time.time
    ) -> None:
        self.on_revoked: Callable[[Callable[[Identity], bool]], None] | None = None
        self._store = store
        self._tokens = tokens
        self._pace = pace
        self._now = now
        self._passwords = Passwords()
        self._revoked: dict[str, float] = {}  # a token's session or a participant's key: since when
        self._erased: dict[str, int] = {}  # by key, from when on tokens are good again
        self._sellers: dict[str, StoredParticipant] = {}
        self._refreshed_at = 0.0
        self._reloaded_at = float(-RELOAD_SECONDS)  # that is, never

    # --- Tokens -----------------------------------------------------------------------------------

    def authenticate(self, token: str) -> Identity:
        """Whom this token introduces; a seller with an account bears the account's name, whatever
        the token says. Raises ``Unauthorized``."""
        identity = self._tokens.read(token)
        if self.is_refused(identity):
            raise Unauthorized
        seller = self._sellers.get(identity.key)
        if seller is not None and seller.password_hash:
            return replace(identity, name=seller.name)
        return identity

    def is_refused(self, identity: Identity) -> bool:
        """Whether somebody who came in with a good token has to go by now."""
        if identity.expires_at <= self._now():
            return True
        if identity.session in self._revoked or identity.key in self._revoked:
            return True
        if self.is_erased(identity.key, identity.issued_at):
            return True
        seller = self._sellers.get(identity.key)
        return seller is not None and (
            seller.disabled or identity.issued_at < seller.tokens_valid_from
        )

    def is_erased(self, key: str, issued_at: int) -> bool:
        """Whether somebody was erased after this was issued to them."""
        return issued_at < self._erased.get(key, 0)

    def end_tokens(self, key: str, valid_from: int) -> None:
        """Refuses from now on what was issued to somebody before a moment, as they were erased."""
        self._erased[key] = valid_from
        self._tell()

    def guest(self, address: str) -> tuple[str, Identity]:
        """A new anonymous buyer; nothing is stored. Raises ``RateLimited``."""
        self._pace.take("guests", address_key(address))
        return self._tokens.issue_guest()

    async def log_out(self, who: Identity) -> None:
        """Ends one session. Raises ``Unavailable``."""
        await self._store.revoke(who.session, moment(who.expires_at))
        self._end(who.session)

    async def revoke_participant(self, key: str) -> bool:
        """Ends a guest with all their tokens; False if that was done before.

        Raises ``Unavailable``.
        """
        ends_at = moment(self._now() + GUEST_SECONDS)
        is_first = await self._store.revoke(key, ends_at)
        self._end(key)
        return is_first

    # --- Logins -----------------------------------------------------------------------------------

    async def log_in(self, seller_id: str, password: str, address: str) -> str:
        """A token for a seller who knows the password.

        Raises ``Unauthorized`` with one sentence whatever was wrong, ``RateLimited`` after too many
        failures of this account or from this address, ``Unavailable``.
        """
        limits = [
            ("logins:address", address_key(address)),
            ("logins:account", seller_id[: PARTICIPANT_ID_LENGTH + 1]),
        ]
        # Taken before and given back after: tries made at the same time count as well.
        for rule, key in limits:
            self._pace.take(rule, key)
        is_failure = False
        try:
            return await self._token_for(seller_id, password)
        except Unauthorized:
            is_failure = True
            raise
        finally:
            if not is_failure:
                for rule, key in limits:
                    self._pace.give_back(rule, key)

    async def _token_for(self, seller_id: str, password: str) -> str:
        participant = Participant("Seller", seller_id)
        seller = await self._seller(participant)
        known = seller.password_hash if seller else None
        is_right = await self._passwords.match(password, known)
        if seller is None or known is None or not is_right or seller.disabled:
            raise Unauthorized(WRONG)
        token = self._tokens.issue(
            participant,
            seller.name,
            seconds=SESSION_SECONDS,
            not_before=seller.tokens_valid_from,
        )
        # Looked up again after the token is made: a password changed meanwhile is seen here, one
        # changed from now on ends this token too (``_ending_sessions``).
        again = await self._seller(participant)
        if again is None or again.disabled or again.tokens_valid_from != seller.tokens_valid_from:
            raise Unauthorized(WRONG)
        if self._passwords.is_outdated(known):
            with suppress(Unavailable):  # it can be done at the next login as well
                fresh = await self._passwords.hashed(password)
                await self._store.rename_hash(seller_id, known, fresh)
        return token

    async def _seller(self, participant: Participant) -> StoredParticipant | None:
        try:
            msgspec.convert(participant.id, ParticipantId)
        except msgspec.ValidationError:
            return None
        return await self._store.participant(participant.key)

    # --- Sellers ----------------------------------------------------------------------------------

    async def add_seller(self, seller_id: str, name: str, email: str | None, password: str) -> None:
        """Makes a seller who can log in. Raises ``Invalid``, ``Conflict``, ``Unavailable``."""
        name = clean_name(name)
        if not name:
            raise Invalid("A seller needs a name.", field="name")
        if seller_id.startswith(GUEST_PREFIX):
            raise Invalid(f"IDs that begin with {GUEST_PREFIX} are kept for guests.", field="id")
        password_hash = await self._passwords.hashed(checked_password(password))
        at = moment(self._now())
        if not await self._store.add_seller(seller_id, name, email, password_hash, at):
            raise Conflict("A seller with this ID exists already.", field="id")

    async def set_password(self, seller_id: str, password: str) -> None:
        """Changes the password and ends all the seller's sessions.

        Raises ``Invalid``, ``NotFound``, ``Unavailable``.
        """
        password_hash = await self._passwords.hashed(checked_password(password))
        await self._end_sessions(
            lambda valid_from: self._store.set_password(seller_id, password_hash, valid_from)
        )

    async def set_disabled(self, seller_id: str, disabled: bool) -> None:
        """Locks a seller out, or lets them in again; either way their sessions so far have ended.

        Raises ``NotFound``, ``Unavailable``.
        """
        await self._end_sessions(
            lambda valid_from: self._store.set_disabled(seller_id, disabled, valid_from)
        )

    async def _end_sessions(self, change: Callable[[int], Awaitable[bool]]) -> None:
        """Makes a change to a seller, of which the moment is a part from which tokens are good, and
        waits until that moment has come.

        Tokens know whole seconds only: the moment is the next one, or a token of this very second
        would survive. The change is stored *before* it has come, or a token made meanwhile from
        what stood there before would.
        """
        for _ in range(CHANGE_ATTEMPTS):
            valid_from = int(self._now()) + 1
            if not await change(valid_from):
                raise NotFound("There is no seller with this ID.")
            left = valid_from - self._now()
            if left > 0:
                await asyncio.sleep(left)
                return
        raise Unavailable

    # --- What ended early -------------------------------------------------------------------------

    async def refresh(self) -> None:
        """Reads what was ended early, and tells ``on_revoked``. Raises ``Unavailable``.

        It is told even when nothing is new: tokens also end by themselves, and a socket may have
        come in between.
        """
        try:
            began = self._now()
            is_whole = began - self._reloaded_at >= RELOAD_SECONDS
            since = 0.0 if is_whole else self._refreshed_at - OVERLAP_SECONDS
            entries = await self._store.revocations_since(moment(since))
            sellers = await self._store.sellers()
            if is_whole:
                latest = {entry: at for entry, at in self._revoked.items() if at >= began}
                self._revoked = latest
                self._reloaded_at = began
            for entry in entries:
                self._revoked.setdefault(entry, began)
            self._sellers = {seller.key: seller for seller in sellers}
            self._refreshed_at = began
        finally:
            self._tell()

    async def watch(self) -> None:
        """Refreshes for ever, also while the database is away; what is known holds meanwhile."""
        await asyncio.gather(self._watch_clock(), self._watch_store())

    def close(self) -> None:
        """Lets go of the threads that hash passwords."""
        self._passwords.close()

    async def _watch_clock(self) -> None:
        """Tokens end by themselves as well, also while the database takes its time."""
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            self._tell()

    async def _watch_store(self) -> None:
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            with suppress(Unavailable):
                await self.refresh()

    def _end(self, entry: str) -> None:
        self._revoked[entry] = self._now()
        self._tell()

    def _tell(self) -> None:
        if self.on_revoked is not None:
            self.on_revoked(self.is_refused)
