"""Labels and texts are read from promtool's output as they were written."""

from ops.messages.examples import pairs


def test_go_s_escapes_are_undone_and_other_letters_stay() -> None:
    text = r'{alertname="A", path="C:\\new", said="\"no\"\tin Köln \u2026 \U0001f525 😀", none=""}'
    assert pairs(text) == {
        "alertname": "A",
        "path": "C:\\new",
        "said": '"no"\tin Köln … 🔥 😀',
        "none": "",
    }
