"""What the contract says of a server, and no more: the one that the client's core is tried against.

Pure, one conversation, one client that is watched. The real server keeps the same rules under the
same checker elsewhere.
"""

import json
from collections import deque
from typing import Any, Final

CONVERSATION: Final = "a" * 24
MOMENT: Final = "2026-01-02T03:04:05.678Z"
MAYA: Final = {"id": "maya", "type": "Buyer", "name": "Maya", "verified": False}
OMAR: Final = {"id": "omar", "type": "Seller", "name": "Omar", "verified": True}

Frame = dict[str, Any]


class ModelServer:
    """Maya's and Omar's conversation, and the socket of one page of Maya's, if there is one."""

    def __init__(self) -> None:
        self.epoch = "epoch 1"
        self.messages: list[Frame] = []
        self.up: deque[Frame] = deque()  # what the client said, and the server has not read
        self.down: deque[Frame] = deque()  # what the server said, and the client has not read
        self.is_linked = False
        self._is_registered = False

    # --- The network ----------------------------------------------------------------------------

    def link(self) -> None:
        self.unlink()
        self.is_linked = True

    def unlink(self) -> None:
        """The socket is gone, and so is all that was under way."""
        self.is_linked = self._is_registered = False
        self.up.clear()
        self.down.clear()

    def read(self, *, fails: str = "") -> None:
        """Reads one frame. The database may fail ``before`` or ``after`` it has stored a message:
        the client is told the same."""
        frame = self.up.popleft()
        answer = getattr(self, f"_{frame['event']}", self._anything)(frame["data"], fails)
        for event, data in answer:
            self.down.append({"event": event, "data": data})
        self.down[-len(answer)]["id"] = frame["id"]

    # --- What others do -------------------------------------------------------------------------

    def write(self, sender: Frame, client_id: str, text: str) -> Frame:
        """Somebody else, or another tab of Maya's, sends a message."""
        stored = self._store(sender, client_id, text)
        self._push("new_message", stored)
        return stored

    def beat(self) -> None:
        self._push("beat", {"server_time": MOMENT})

    def restore(self, count: int) -> None:
        """An older backup is put back: another history, in which later messages never were."""
        self.unlink()
        self.epoch = f"epoch {int(self.epoch.split()[1]) + 1}"
        del self.messages[count:]

    # --- The contract ---------------------------------------------------------------------------

    def _register_user(self, data: Frame, _: str) -> list[tuple[str, Frame]]:
        self._is_registered = True
        conversations = [self._conversation()] if self.messages else []
        ack = {
            "user": MAYA,
            "server_time": MOMENT,
            "epoch": self.epoch,
            "unread": 0,
            "conversations": conversations,
            "limits": {},
        }
        answer: list[tuple[str, Frame]] = [("ack", ack), ("online_users", {"users": []})]
        position = data["since"].get(CONVERSATION)
        if position is None or not self.messages:
            return answer
        if data.get("epoch", self.epoch) != self.epoch or position > len(self.messages):
            return [*answer, ("reset", {"conversation_id": CONVERSATION})]
        return [*answer, *(("new_message", message) for message in self.messages[position:])]

    def _send_message(self, data: Frame, fails: str) -> list[tuple[str, Frame]]:
        known = [m for m in self.messages if m["client_id"] == data["client_id"]]
        if fails != "before" and not known:
            self._store(MAYA, data["client_id"], data["message"])
        if fails:
            return [("error", {"code": "unavailable", "message": "Try again."})]
        message = known[0] if known else self.messages[-1]
        return [("ack", {"message": message, "duplicate": bool(known)})]

    def _anything(self, data: Frame, _: str) -> list[tuple[str, Frame]]:
        return [("ack", data)]

    # --- How things look ------------------------------------------------------------------------

    def _store(self, sender: Frame, client_id: str, text: str) -> Frame:
        recipient = OMAR if sender is MAYA else MAYA
        seq = len(self.messages) + 1
        message = {
            "id": f"{seq:024}",
            "conversation_id": CONVERSATION,
            "seq": seq,
            "client_id": client_id,
            "sender_id": sender["id"],
            "sender_type": sender["type"],
            "sender_name": sender["name"],
            "recipient_id": recipient["id"],
            "recipient_type": recipient["type"],
            "subject": None,
            "message": text,
            "message_html": text,
            "message_type": "general",
            "status": "sent",
            "created_at": MOMENT,
            "delivered_at": None,
            "read_at": None,
        }
        self.messages.append(message)
        return message

    def _push(self, event: str, data: Frame) -> None:
        if self._is_registered:
            self.down.append({"event": event, "data": data})

    def _conversation(self) -> Frame:
        last = len(self.messages)
        marks = {"delivered_seq": 0, "read_seq": last, "status": "online"}
        return {
            "id": CONVERSATION,
            "first_seq": 1,
            "last_seq": last,
            "unread": 0,
            "participants": [{**MAYA, **marks}, {**OMAR, **marks}],
            "updated_at": MOMENT,
            "last_message": self.messages[-1],
        }


def encoded(frames: list[Frame]) -> str:
    """One text frame: an event, or an array of several."""
    return json.dumps(frames[0] if len(frames) == 1 else frames)
