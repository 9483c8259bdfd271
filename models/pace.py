"""How fast is too fast: a token bucket for each rule and each key.

Who counts as one (a participant, a socket, an address behind trusted proxies) is the caller's
knowledge; so are limits on what is open at the same time.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from models.errors import RateLimited

# So many keys of one rule are remembered, some 10 MB. Who has more addresses than this forgets
# their own oldest ones.
KEYS: Final = 50_000
# Sums of times are not exact: who waited as long as they were told must get through.
_INEXACT_SECONDS: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Rule:
    """``at_once`` and then one more every ``seconds``; ``always`` holds with limits off, too."""

    at_once: int
    seconds: float
    always: bool = False


# CONTRACT section 4, the line "Limits".
RULES: Final[dict[str, Rule]] = {
    "messages:Buyer": Rule(10, 1),
    "messages:Seller": Rule(60, 1 / 5),
    "typing": Rule(1, 1),
    "events": Rule(120, 60 / 120),
    "http:participant": Rule(200, 60 / 200),
    "http:address": Rule(100, 60 / 100),
    "guests": Rule(20, 60 * 60 / 20),
    "logins:account": Rule(5, 30 * 60 / 5, always=True),
    "logins:address": Rule(10, 3 * 60 / 10, always=True),
}


class Pace:
    """All buckets of the server, in memory: a restart fills them. ``on_limit`` is told of each
    refusal, by its rule.

    A bucket is the moment at which it will be full again, so a full one needs no memory.
    """

    def __init__(self, *, enabled: bool = True, now: Callable[[], float] = time.monotonic) -> None:
        self.on_limit: Callable[[str], None] = lambda rule: None
        self._enabled = enabled
        self._now = now
        self._full_at: dict[str, dict[str, float]] = {rule: {} for rule in RULES}

    def take(self, rule: str, key: str) -> None:
        """Takes one from the bucket. Raises ``RateLimited`` if it is empty, and takes nothing."""
        row = RULES[rule]
        if not (self._enabled or row.always):
            return
        now = self._now()
        buckets = self._full_at[rule]
        before = max(buckets.pop(key, now), now)
        after = before + row.seconds
        wait = after - now - row.at_once * row.seconds
        is_empty = wait > _INEXACT_SECONDS
        buckets[key] = before if is_empty else after  # at the end: the dict is in order of use
        self._forget(buckets, now)
        if is_empty:
            self.on_limit(rule)
            seconds = math.ceil(wait * 1000) / 1000
            text = f"That was too fast. Please try again in {math.ceil(seconds)} s."
            raise RateLimited(text, retry_after=seconds)

    def give_back(self, rule: str, key: str) -> None:
        """Puts one back that was taken in vain. More than was taken does no harm."""
        buckets = self._full_at[rule]
        if key in buckets:
            buckets[key] -= RULES[rule].seconds

    @staticmethod
    def _forget(buckets: dict[str, float], now: float) -> None:
        """Drops the longest unused buckets if they are full; two for one made, so it catches up."""
        for _ in range(2):
            oldest = next(iter(buckets))
            if buckets[oldest] > now and len(buckets) <= KEYS:
                return
            del buckets[oldest]
            if not buckets:
                return
