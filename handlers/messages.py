"""The API's doors to messages: sending, reading, counting."""

from handlers.json_handler import JsonHandler, documented
from handlers.time_limit import within_limit
from models import codec, events
from models.conversation import Participant


class SendApi(JsonHandler):
    """``POST /api/messages/send``"""

    @documented(
        "Send a message",
        answer=events.MessageAnswer,
        body=events.SendMessage,
        status=201,
        also=(200, "The same `client_id` again: the message as it was stored."),
        refusals=("forbidden", "not_found", "conflict", "too_large", "unsupported_media_type"),
    )
    async def post(self) -> None:
        command = self.decode(events.SendMessage)
        sent = await within_limit(self.shop.chat.send(self.me, command))
        status = 200 if sent.duplicate else 201
        self.answer(events.MessageAnswer(sent.message), status=status)


class InboxApi(JsonHandler):
    """``GET /api/messages/inbox``"""

    @documented(
        "Messages received, newest first",
        answer=events.MessageList,
        query=events.MessagesQuery,
    )
    async def get(self) -> None:
        query = self.query(events.MessagesQuery)
        work = self.shop.history.received(
            self.me, limit=query.limit, before=query.before, unread=query.unread == "1"
        )
        self.answer(await within_limit(work))


class SentApi(JsonHandler):
    """``GET /api/messages/sent``"""

    @documented(
        "Messages sent, newest first",
        answer=events.MessageList,
        query=events.MessagesQuery,
    )
    async def get(self) -> None:
        query = self.query(events.MessagesQuery)
        work = self.shop.history.sent(self.me, limit=query.limit, before=query.before)
        self.answer(await within_limit(work))


class MessageApi(JsonHandler):
    """``GET /api/messages/ID``"""

    @documented("One message", answer=events.MessageAnswer, refusals=("not_found",))
    async def get(self, message_id: str) -> None:
        message = await within_limit(self.shop.history.message(self.me, message_id))
        self.answer(events.MessageAnswer(message))


class MessageReadApi(JsonHandler):
    """``PUT /api/messages/ID/read``"""

    @documented(
        "Mark a received message as read, and all before it",
        answer=events.MessageReadAnswer,
        refusals=("forbidden", "not_found"),
    )
    async def put(self, message_id: str) -> None:
        self.answer(await within_limit(self.shop.chat.read_message(self.me, message_id)))


class UnreadCountApi(JsonHandler):
    """``GET /api/messages/unread/count``"""

    @documented("How much is unread", answer=events.UnreadCount)
    async def get(self) -> None:
        self.answer(await within_limit(self.shop.history.unread_count(self.me)))


class ConversationApi(JsonHandler):
    """``GET /api/messages/conversation/PARTICIPANT_ID/PARTICIPANT_TYPE``"""

    @documented(
        "The conversation with somebody, a page of it",
        answer=events.ConversationPage,
        query=events.ConversationQuery,
    )
    async def get(self, participant_id: str, participant_type: str) -> None:
        path = {"participant_id": participant_id, "participant_type": participant_type}
        other = codec.convert(path, events.ParticipantPath)
        query = self.query(events.ConversationQuery)
        work = self.shop.history.conversation(
            self.me,
            Participant(other.participant_type, other.participant_id),
            before=query.before,
            after=query.after,
            limit=query.limit,
        )
        self.answer(await within_limit(work))
