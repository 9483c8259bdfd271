"""Anna's Ceramics on a Wednesday at 10:24: who wrote, and what was said in the two weeks before.

It holds what pages have to cope with: guests, an Arabic name, a name of 45 letters, a text of 4,000
characters, a bare link, emoji alone, every state that a message can be in.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from models.conversation import Identity, Participant
from models.demo import SELLER as ANNA
from models.demo import SELLER_NAME
from models.events import MarkAsDelivered, MarkAsRead, Message, SendMessage
from models.shop import Shop

NOW: Final = datetime(2026, 11, 18, 10, 24, tzinfo=UTC)
MUG: Final = "Breakfast mug, speckled"


class ShopClock:
    """What the shop dates things by: it stands where the story has put it."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at.timestamp()


@dataclass(frozen=True)
class Person:
    """Somebody who buys or sells."""

    participant: Participant
    name: str


@dataclass(frozen=True)
class Said:
    """One message. ``at`` is a day of November with the time, as in "18 10:14"."""

    at: str
    by: Literal["buyer", "seller"]
    text: str
    subject: str | None = None

    @property
    def moment(self) -> datetime:
        return datetime.strptime(f"2026-11-{self.at}", "%Y-%m-%d %H:%M").replace(tzinfo=UTC)


@dataclass(frozen=True)
class Talk:
    """A buyer's conversation. ``reached`` says how far the seller's last messages came; what the
    buyer wrote after them is unread where ``is_unread``."""

    buyer: Person
    said: tuple[Said, ...]
    reached: Literal["sent", "delivered", "read"] = "read"
    is_unread: bool = False


def _buyer(id_: str, name: str) -> Person:
    return Person(Participant("Buyer", id_), name)


SHOP: Final = Person(ANNA, SELLER_NAME)
LENA: Final = _buyer("lena.15", "Lena Vogt")
JONAS: Final = _buyer("jonas.13", "Jonas Okafor")
GUEST: Final = _buyer("guest-0c55d1f00b5e4e0fa1b2f8a90e4c7f3a", "Guest")
MIREILLE: Final = _buyer("mireille.14", "Mireille Bonnet")
TOMASZ: Final = _buyer("tomasz.10", "Tomasz Sikora")
SARA: Final = _buyer("sara.12", "سارة منصور")
OTHER_GUEST: Final = _buyer("guest-91d2a7be3c0f4d5f8a6e7b1c2d3ec41e", "Guest")
EMILIA: Final = _buyer("emilia.15", "Emilia Kowalczyk-Brandstätter-Oyelaran-Lindqvist")
DENIZ: Final = _buyer("deniz.13", "Deniz Laleli")
PAULA: Final = _buyer("paula.11", "Paula Reyes")
HENRIK: Final = _buyer("henrik.14", "Henrik Wallin")
CLARA: Final = _buyer("clara.13", "Clara Neumann")

ARABIC_SHOP: Final = Person(Participant("Seller", "ana"), "خزفيات آنا")
LINA: Final = _buyer("lina.11", "لينا فوغت")
NEW_SHOP: Final = Person(Participant("Seller", "new-shop"), "Birch & Wool")

_COMPLAINT: Final = (
    "I’d like to tell you the whole story, as I was so looking forward to the bowls. The box stood "
    "in the rain for a night, the straw was wet through, and one handle had come off clean. "
)

TALKS: Final[tuple[Talk, ...]] = (
    Talk(
        LENA,
        (
            Said("03 16:05", "buyer", "Hello! Do you still have the small plates in lichen?"),
            Said("03 16:12", "seller", "Hello Lena, six of them, yes."),
            Said("03 16:14", "buyer", "Then I’d take all six, please."),
            Said("03 16:20", "seller", "They’re yours. I’ll pack them tomorrow."),
            Said("04 08:55", "seller", "Packed, with plenty of straw."),
            Said("04 12:30", "buyer", "That was quick, thank you!"),
            Said("05 09:15", "seller", "On its way since this morning."),
            Said(
                "05 17:20",
                "buyer",
                "The parcel is here, and not a chip on it. Thank you for all the straw!",
            ),
            Said("05 17:31", "seller", "That’s good to hear. Enjoy them!"),
            Said("17 16:48", "buyer", "Hi! Is the speckled mug safe in the dishwasher?", MUG),
            Said(
                "17 16:52",
                "seller",
                "Hello Lena, yes it is. Fired at 1,240 °C, so it doesn’t mind at all.",
            ),
            Said("17 16:52", "seller", "Only the ones with a gold rim want to be washed by hand."),
            Said("18 10:14", "buyer", "Lovely. Could I get four in the same glaze?"),
            Said("18 10:14", "buyer", "They’re a wedding gift 🎁"),
            Said(
                "18 10:21",
                "seller",
                "Three are on the shelf, the fourth leaves the kiln on Friday.",
            ),
            Said("18 10:23", "buyer", "Friday is perfect"),
            Said("18 10:23", "buyer", "Can you wrap them one by one?"),
        ),
        is_unread=True,
    ),
    Talk(
        JONAS,
        (
            Said("09 14:02", "buyer", "Do you do workshops?"),
            Said("09 14:15", "seller", "Every first Saturday, for six people at most."),
            Said("18 10:21", "buyer", "Good morning!"),
            Said(
                "18 10:22",
                "buyer",
                "Is the big vase still available? I could collect it on Saturday.",
            ),
        ),
        is_unread=True,
    ),
    Talk(GUEST, (Said("18 10:19", "buyer", "Hello?"),), is_unread=True),
    Talk(
        MIREILLE,
        (
            Said("17 11:32", "buyer", "Did the plates survive the fire?"),
            Said("17 11:40", "seller", "All twelve came out of the kiln well."),
            Said("18 10:06", "buyer", "Wonderful. When can they go out?"),
        ),
    ),
    Talk(
        TOMASZ,
        (
            Said("18 09:03", "buyer", "It fits the shelf to the millimetre."),
            Said("18 09:12", "seller", "Thank you, have a nice weekend!"),
        ),
    ),
    Talk(
        SARA,
        (
            Said("18 08:45", "buyer", "مرحبًا، أعجبني الكوب المرقّط كثيرًا"),
            Said("18 08:46", "buyer", "https://annas-ceramics.example/mugs/speckled"),
            Said("18 08:47", "buyer", "هل تشحنون إلى عمّان؟"),
        ),
        is_unread=True,
    ),
    Talk(
        OTHER_GUEST,
        (
            Said("17 15:10", "buyer", "How large is the salad bowl?"),
            Said("17 15:22", "seller", "It’s 24 cm across and 7 cm high."),
        ),
        reached="delivered",
    ),
    Talk(
        EMILIA,
        (
            Said("15 18:20", "buyer", "Have my bowls left already?"),
            Said("16 09:30", "seller", "Your bowls left us on Monday morning."),
            Said("17 13:02", "buyer", (_COMPLAINT * 30)[:3_999].rstrip() + "."),
            Said("17 13:04", "seller", "😱"),
            Said(
                "17 13:05",
                "seller",
                "I’m so sorry. A new one goes out today, and you needn’t send anything back: "
                "https://annas-ceramics.example/help/broken-in-the-post?order=AC-2026-004711",
            ),
            Said(
                "17 13:20",
                "buyer",
                "The handle arrived broken, I’m afraid. I’ve taken pictures of all sides.",
            ),
        ),
    ),
    Talk(
        DENIZ,
        (
            Said("13 10:11", "buyer", "When do you fire the next time?"),
            Said("13 10:31", "seller", "We fire again on the 3rd."),
        ),
        reached="sent",
    ),
    Talk(
        PAULA,
        (
            Said("12 18:40", "buyer", "I think I left something in your workshop."),
            Said("12 19:00", "seller", "I found your ring between the test tiles."),
            Said("12 19:04", "buyer", "🙏"),
        ),
    ),
    Talk(HENRIK, (Said("11 12:00", "buyer", "Thanks again, the bowl is a beauty."),)),
    Talk(
        CLARA,
        (
            Said("16 11:12", "buyer", "Good morning! Is your stall in Jena there every week?"),
            Said("16 11:20", "seller", "Every other Saturday, until the first frost."),
            Said("16 11:21", "seller", "The next one is on the 28th."),
            Said("16 11:30", "buyer", "Then I’ll come by, thank you."),
            Said(
                "17 18:02",
                "buyer",
                "Do you have the blue bowl in the larger size too? The one from the market in "
                "Jena.",
            ),
            Said("17 18:09", "seller", "It isn’t in the shop yet, but we do:"),
            Said("17 18:09", "seller", "https://annas-ceramics.example/bowls/lichen-24cm"),
            Said("18 09:31", "buyer", "😍😍"),
            Said("18 09:33", "buyer", "That’s the one! I’d take two, and the small plate with it."),
            Said("18 09:33", "buyer", "Could I collect them on Saturday?"),
            Said("18 09:40", "seller", "Of course. We’re open from ten to two."),
        ),
    ),
)

ARABIC_TALK: Final = Talk(
    LINA,
    (
        Said("05 17:20", "buyer", "وصل الطرد سليمًا تمامًا. شكرًا على القشّ الإضافي!"),
        Said("05 17:31", "seller", "يسعدني ذلك. بالهناء!"),
        Said("17 16:48", "buyer", "مرحبًا! هل يمكن غسل الكوب المرقّط في غسّالة الصحون؟"),
        Said("17 16:52", "seller", "أهلًا لينا، نعم. يُحرق على حرارة ١٢٤٠ درجة، فلا يتأثر أبدًا."),
        Said("17 16:52", "seller", "أما الأكواب ذات الحافة الذهبية فتُغسل باليد فقط."),
        Said("18 10:14", "buyer", "جميل. هل أستطيع طلب أربعة بالطلاء نفسه؟"),
        Said("18 10:14", "buyer", "إنها هدية زفاف 🎁"),
        Said("18 10:21", "seller", "ثلاثة منها على الرف، والرابع يخرج يوم الجمعة. وهذه صورتها:"),
        Said("18 10:21", "seller", "https://annas-ceramics.example/mugs/speckled"),
        Said("18 10:23", "buyer", "الجمعة مناسب تمامًا. هل يمكنكِ تغليف كل كوب على حدة؟"),
        Said("18 10:24", "seller", "بكل سرور، كلٌّ في علبته. وسأضيف بطاقة صغيرة مجانًا."),
    ),
)  # fmt: skip


async def fill(shop: Shop, clock: ShopClock) -> dict[Person, str]:
    """Lets everything be said at its time, and returns the conversations' ids by their buyers."""
    for seller in (SHOP, ARABIC_SHOP, NEW_SHOP):
        clock.at = NOW - timedelta(days=30)
        await shop.accounts.add_seller(seller.participant.id, seller.name, None, "a kiln of bells")
    ids = {}
    for talk in TALKS:
        ids[talk.buyer] = await _speak(shop, clock, SHOP, talk)
    ids[LINA] = await _speak(shop, clock, ARABIC_SHOP, ARABIC_TALK)
    clock.at = NOW
    return ids


async def _speak(shop: Shop, clock: ShopClock, seller: Person, talk: Talk) -> str:
    buyer, keeper = identity(shop, talk.buyer), identity(shop, seller)
    last: Message | None = None
    for said, to_come in _with_rest(talk.said):
        clock.at = said.moment
        by, to = (buyer, seller) if said.by == "buyer" else (keeper, talk.buyer)
        last = await _write(shop, by, to, said)
        nothing_of_the_seller_follows = all(later.by == "buyer" for later in to_come)
        if said.by == "seller" and nothing_of_the_seller_follows and talk.reached != "sent":
            delivered = MarkAsDelivered(last.conversation_id, last.seq)
            await shop.chat.mark_delivered(buyer, delivered)
            if talk.reached == "read":
                await shop.chat.mark_read(buyer, MarkAsRead(message_id=last.id))
    assert last is not None
    if not talk.is_unread and last.sender_type == "Buyer":
        await shop.chat.mark_read(keeper, MarkAsRead(message_id=last.id))
    return last.conversation_id


def _with_rest(said: tuple[Said, ...]) -> Iterator[tuple[Said, tuple[Said, ...]]]:
    return ((one, said[number + 1 :]) for number, one in enumerate(said))


async def _write(shop: Shop, by: Identity, to: Person, said: Said) -> Message:
    id_, type_ = to.participant.id, to.participant.type
    sent = await shop.chat.send(by, SendMessage(id_, type_, said.text, subject=said.subject))
    return sent.message


def identity(shop: Shop, person: Person) -> Identity:
    """Somebody whom a token introduced just now."""
    return shop.tokens.read(token(shop, person))


def token(shop: Shop, person: Person) -> str:
    """What introduces somebody for an hour."""
    return shop.tokens.issue(person.participant, person.name, seconds=3600)
