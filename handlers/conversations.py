"""The API's doors to the list of conversations, and to sellers as anybody may see them."""

from handlers.json_handler import JsonHandler, documented
from handlers.time_limit import within_limit
from models import events


class ConversationsApi(JsonHandler):
    """``GET /api/conversations``"""

    @documented(
        "Conversations, newest first",
        answer=events.ConversationList,
        query=events.ConversationsQuery,
    )
    async def get(self) -> None:
        query = self.query(events.ConversationsQuery)
        work = self.shop.history.conversations(
            self.me,
            limit=query.limit,
            before=query.before,
            filter=query.filter,
            name=query.name,
        )
        self.answer(await within_limit(work))


class SellerApi(JsonHandler):
    """``GET /api/sellers/ID``"""

    public = True

    @documented("A seller, for everybody", answer=events.SellerAnswer, refusals=("not_found",))
    async def get(self, seller_id: str) -> None:
        seller = await within_limit(self.shop.history.seller(seller_id))
        availability = await within_limit(self.shop.availability.of(seller_id))
        self.answer(events.SellerAnswer(seller, availability))
