"""The demo shop: a seller, a buyer, and what they have said so far.

Made like any other: the seller by ``accounts``, the messages by ``chat``. Doing it again changes
nothing, as each message has its own ``client_id``.
"""

import logging
import secrets
from contextlib import suppress
from typing import Final

from models.conversation import Identity, Participant
from models.errors import Conflict
from models.events import SendMessage
from models.settings import DEMO_SELLER
from models.shop import Shop

SELLER: Final = Participant("Seller", DEMO_SELLER)
SELLER_NAME: Final = "Anna’s Ceramics"
BUYER: Final = Participant("Buyer", "demo-buyer")
BUYER_NAME: Final = "Lena Vogt"
PASSWORD_BYTES: Final = 12

# Lena has the last word, so that the inbox has something to answer.
TALK: Final[list[tuple[Participant, str]]] = [
    (BUYER, "Hi! Is the speckled mug safe in the dishwasher?"),
    (SELLER, "Hello Lena, yes it is. Fired at 1,240 °C, so it doesn’t mind at all."),
    (SELLER, "Only the ones with a gold rim want to be washed by hand."),
    (BUYER, "Lovely. Could I get four in the same glaze?"),
    (BUYER, "They’re a wedding gift 🎁"),
    (SELLER, "Three are on the shelf, and the fourth comes out of the kiln on Friday."),
    (BUYER, "Friday is perfect. Can you wrap them one by one?"),
]

logger = logging.getLogger("shopbell.demo")


async def prepare_demo(shop: Shop) -> None:
    """Makes what is not there yet, and tells the links, and the password if it is new.

    Raises ``Unavailable``.
    """
    password = await _new_seller(shop)
    speakers = {
        SELLER: _identity(shop, SELLER, SELLER_NAME),
        BUYER: _identity(shop, BUYER, BUYER_NAME),
    }
    with suppress(Conflict):  # an older demo said other things; they stay
        for number, (speaker, text) in enumerate(TALK, start=1):
            to = BUYER if speaker is SELLER else SELLER
            message = SendMessage(to.id, to.type, text, client_id=f"demo-{number}")
            await shop.chat.send(speakers[speaker], message)
    origin = shop.settings.origin
    logger.info("The demo shop: %s/", origin)
    logger.info("A buyer's chat: %s/chat/%s", origin, SELLER.id)
    logger.info("The seller's inbox: %s/inbox", origin)
    if password:
        logger.info("The seller's ID: %s, password: %s (told only now)", SELLER.id, password)
    else:
        told = "The seller's password was told at the first start; a new one: server.py %s %s"
        logger.info(told, "set-password", SELLER.id)


async def _new_seller(shop: Shop) -> str | None:
    """The password of a seller made just now; None if there is one."""
    known = await shop.store.participant(SELLER.key)
    if known is not None and known.password_hash is not None:
        return None
    password = secrets.token_urlsafe(PASSWORD_BYTES)
    with suppress(Conflict):  # another process was quicker
        await shop.accounts.add_seller(SELLER.id, SELLER_NAME, None, password)
        return password
    return None


def _identity(shop: Shop, participant: Participant, name: str) -> Identity:
    return shop.tokens.read(shop.tokens.issue(participant, name, seconds=60))
