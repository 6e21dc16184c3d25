"""Who may go live: those whom enough people follow."""

from __future__ import annotations

from dataclasses import dataclass

from media.error import StreamError


@dataclass(frozen=True, slots=True)
class Eligibility:
    """How a user's followers compare with the threshold."""

    follower_count: int
    required: int

    @property
    def eligible(self) -> bool:
        """Whether the user may go live."""
        return self.follower_count >= self.required

    @property
    def reason(self) -> str | None:
        """Why not; None when the user may."""
        if self.eligible:
            return None
        return f"Need {self.required} friends to go live (you have {self.follower_count})"


class NotEligibleError(StreamError):
    """The user has too few followers to go live."""

    def __init__(self, eligibility: Eligibility) -> None:
        super().__init__("not_eligible", eligibility.reason or "")
        self.eligibility = eligibility
