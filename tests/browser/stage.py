"""What tests in a browser do on the demo shop's stage."""

import re
from typing import Any

from playwright.async_api import expect

from models.conversation import Participant
from models.events import Message, SendMessage


async def say(
    shop: Any, sender: Participant, recipient: Participant, text: str, name: str = "", **rest: Any
) -> Message:
    """A message from somewhere else than the windows of the test."""
    tokens = shop.shop.tokens
    who = tokens.read(tokens.issue(sender, name or sender.id, seconds=60))
    sent = await shop.shop.chat.send(who, SendMessage(recipient.id, recipient.type, text, **rest))
    return sent.message


def messages(root: Any) -> Any:
    """The rows of a conversation, in a page or a frame."""
    return root.locator(".message")


def field(root: Any) -> Any:
    """Where one writes."""
    return root.get_by_role("textbox", name=re.compile("^Message to"))


async def write(root: Any, text: str) -> None:
    """Writes a text and presses Enter."""
    await expect(root.locator(".composer[data-empty]")).to_be_attached()  # its script runs
    await field(root).fill(text)
    await field(root).press("Enter")
