"""What the chat of a shop is and does. Knows no Tornado and no HTTP."""
