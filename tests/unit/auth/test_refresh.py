"""The verdict on a refresh token, alone and over whole histories of an owner and a thief."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.auth.rules.refresh import LIFETIME, RETRY_WINDOW, PresentedToken, Verdict, judge

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MOMENT = timedelta(microseconds=1)


def presented(**changes: object) -> PresentedToken:
    fields = {
        "expire_time": NOW + MOMENT,
        "use_time": None,
        "session_ended": False,
        "child_used": False,
        "sibling_used": False,
        **changes,
    }
    return PresentedToken(**fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, Verdict.EXCHANGE),
        ({"expire_time": NOW}, Verdict.REFUSE),
        ({"session_ended": True}, Verdict.REFUSE),
        ({"session_ended": True, "sibling_used": True}, Verdict.REFUSE),
        ({"sibling_used": True}, Verdict.END_SESSION),
        ({"use_time": NOW - RETRY_WINDOW}, Verdict.EXCHANGE_AGAIN),
        ({"use_time": NOW - RETRY_WINDOW - MOMENT}, Verdict.END_SESSION),
        ({"use_time": NOW, "child_used": True}, Verdict.END_SESSION),
        ({"use_time": NOW + timedelta(seconds=1)}, Verdict.EXCHANGE_AGAIN),  # another process's clock is ahead
        ({"use_time": NOW - LIFETIME, "expire_time": NOW - MOMENT}, Verdict.END_SESSION),
    ],
)
def test_the_verdict(changes: dict[str, object], verdict: Verdict) -> None:
    assert judge(presented(**changes), now=NOW) is verdict


@dataclass
class Token:
    parent: int | None
    create_time: datetime
    use_time: datetime | None = None


class Session:
    """A session as the store keeps it, in memory."""

    def __init__(self) -> None:
        self.tokens = [Token(parent=None, create_time=NOW)]
        self.ended = False

    def present(self, index: int, *, now: datetime) -> int | None:
        """The new token's index, where there is one."""
        token = self.tokens[index]
        verdict = judge(
            PresentedToken(
                expire_time=token.create_time + LIFETIME,
                use_time=token.use_time,
                session_ended=self.ended,
                child_used=any(one.use_time and one.parent == index for one in self.tokens),
                sibling_used=any(
                    one.use_time and one.parent == token.parent and one is not token and token.parent is not None
                    for one in self.tokens
                ),
            ),
            now=now,
        )
        if verdict is Verdict.END_SESSION:
            self.ended = True
        if verdict not in (Verdict.EXCHANGE, Verdict.EXCHANGE_AGAIN):
            return None
        token.use_time = token.use_time or now
        self.tokens.append(Token(parent=index, create_time=now))
        return len(self.tokens) - 1


steps = st.tuples(st.integers(0, 30), st.sampled_from([0, 1, 9, 11, 900, 700_000]))


@given(st.lists(steps, max_size=30))
def test_whatever_happens_at_most_one_line_of_tokens_is_ever_used(history: list[tuple[int, int]]) -> None:
    session, now = Session(), NOW
    for choice, pause_s in history:
        now += timedelta(seconds=pause_s)
        session.present(choice % len(session.tokens), now=now)

        parents = [token.parent for token in session.tokens if token.use_time]
        assert len(parents) == len(set(parents))


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3)), max_size=20), st.integers(0, 9))
def test_an_owner_whose_answers_get_lost_keeps_the_session(losses: list[tuple[bool, int]], pause_s: int) -> None:
    """Each step: whether the first answer is lost, and how often the owner then tries again within 10 s."""
    session, mine, now = Session(), 0, NOW
    for lost, retries in losses:
        now += timedelta(minutes=15)
        answer = session.present(mine, now=now)
        if lost:
            for _ in range(retries):
                answer = session.present(mine, now=now + timedelta(seconds=pause_s))
        assert answer is not None
        mine = answer

    assert not session.ended


@given(st.integers(0, 9), st.booleans(), st.integers(0, 5))
def test_a_stolen_token_ends_the_session_when_both_go_on(pause_s: int, thief_first: bool, further: int) -> None:
    """Whoever comes first, and however far the first one gets before the second goes on."""
    session = Session()
    first = session.present(0, now=NOW)
    second = session.present(0, now=NOW + timedelta(seconds=pause_s))
    assert first is not None
    assert second is not None
    ahead, behind = (second, first) if thief_first else (first, second)
    now = NOW + timedelta(minutes=15)
    for _ in range(further + 1):
        after = session.present(ahead, now=now)
        assert after is not None
        ahead, now = after, now + timedelta(minutes=15)

    assert session.present(behind, now=now) is None
    assert session.present(ahead, now=now) is None
