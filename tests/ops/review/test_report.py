"""The report on two commits: read through git, limited in length, and with all text of files escaped."""

import re
from io import StringIO

import pytest
from rich.console import Console

from ops.errors import UsageError
from ops.replay.budgets import Verdict
from ops.replay.evaluation import Sources
from ops.review import command, pull_request_comment
from ops.review.changes import Action, Change, ChangeKind, Detail
from ops.review.commits import CHECKOUT
from ops.review.replayed import Replayed
from ops.review.report import Report
from ops.review.resources import Destruction, Resources
from ops.review.terminal import show
from tests.mock_engine import ROOT, STACKS
from tests.ops.review.edited import Copy, git

COMMITS = ("1" * 40, "2" * 40)


@pytest.mark.parametrize("stack", STACKS)
def test_this_checkout_does_not_differ_from_itself(stack: str) -> None:
    found = command.report(ROOT, base=CHECKOUT, head=CHECKOUT, stack=stack)

    assert (found.base_problems, found.head_problems, found.changes) == ((), (), [])


@pytest.fixture
def repository(copy: Copy) -> Copy:
    """A git repository with one commit, which contains the copy."""
    copy.commit()
    return copy


def report(*changes: Change, **more: object) -> Report:
    return Report(stack="staging", base="main", head="topic", commits=COMMITS, changes=changes, **more)  # type: ignore[arg-type]


def change(name: str = "OrdersDepthHigh", **more: object) -> Change:
    return Change(kind=ChangeKind.ALERT, name=name, action=Action.CHANGED, **more)  # type: ignore[arg-type]


def shown(found: Report) -> str:
    text = StringIO()
    show(Console(file=text, width=200), found)
    return text.getvalue()


def test_commits_and_uncommitted_files_are_compared(repository: Copy) -> None:
    repository.replace("rules/prometheus/orders.yaml", "for: 2m", "for: 3m")
    git(repository.folder, "commit", "-q", "-am", "second")
    repository.set("staging", "lokiReplicas: 3")

    committed = command.report(repository.folder, base="HEAD~1", head="HEAD", stack="staging")
    everything = command.report(repository.folder, base="HEAD~1", head=CHECKOUT, stack="staging", cost=True)

    assert [one.name for one in committed.changes] == ["OrdersDepthHigh"]
    assert [one.name for one in everything.changes] == ["OrdersDepthHigh", "lokiReplicas"]
    assert everything.cost is not None
    assert everything.cost.difference > 0
    text = pull_request_comment.render(everything)
    assert text.startswith("<!-- observability-preview: staging -->\n")
    for part in ("OrdersDepthHigh", "<code>2m</code> → <code>3m</code>", "orders-slack", "a month (+$"):
        assert part in text
    assert "OrdersDepthHigh" in shown(everything)


def test_an_unreadable_base_is_reported_and_its_content_is_not_shown_as_new(repository: Copy) -> None:
    repository.replace("rules/systems/orders.yaml", "title: Orders", "heading: Orders")
    git(repository.folder, "commit", "-q", "-am", "another format")
    repository.replace("rules/systems/orders.yaml", "heading: Orders", "title: Orders")
    repository.set("staging", "lokiReplicas: 3")

    found = command.report(repository.folder, base="HEAD", head=CHECKOUT, stack="staging")

    assert [one.name for one in found.changes] == ["lokiReplicas"]
    assert found.base_problems
    assert found.head_problems == ()
    text = pull_request_comment.render(found)
    assert "this code cannot read" in text
    assert text.index("Not everything is compared") < text.index("lokiReplicas")
    assert "heading" in text


def test_the_report_begins_with_a_head_that_cannot_be_deployed(repository: Copy) -> None:
    (repository.folder / "rules/runbooks/OrdersDepthHigh.md").unlink()

    found = command.report(repository.folder, base="HEAD", head=CHECKOUT, stack="staging")

    assert any("no runbook" in line for line in found.head_problems)
    assert pull_request_comment.render(found).split("###")[1].startswith(" ⛔ This cannot be deployed")


def test_unknown_commits_and_stacks_are_errors(repository: Copy) -> None:
    with pytest.raises(UsageError, match="no commit 'nope'"):
        command.report(repository.folder, base="nope", head=CHECKOUT, stack="staging")
    with pytest.raises(UsageError, match="no commit '--output=x'"):
        command.report(repository.folder, base="--output=x", head=CHECKOUT, stack="staging")
    with pytest.raises(UsageError, match="unknown stack 'moon'; there are: production, staging"):
        command.report(repository.folder, base="HEAD", head=CHECKOUT, stack="moon")


def test_a_long_report_is_cut_at_its_limit_and_counts_what_is_missing() -> None:
    detail = Detail(what="for", before="1m", after="2m" * 100)
    many = [change(f"Alert{index}", details=(detail,)) for index in range(900)]
    found = report(*many, change("Risky", risks=("loses its page",)))

    text = pull_request_comment.render(found)

    assert len(text) <= pull_request_comment.LIMIT
    cut = re.search(r"\*\*Cut:\*\* (\d+) entries", text)
    assert cut
    assert text.count("| ✏️ changed |") + int(cut[1]) == 901
    assert "Risky" in text  # risks come first, so they are not cut


@pytest.mark.parametrize("limit", range(1_200, 6_000, 400))
def test_a_cut_report_closes_its_blocks_at_every_limit(limit: int) -> None:
    found = report(
        *(change(f"A{index}", diff="-a\n+b\n" * 40, risks=("loses its page",)) for index in range(9)),
        base_problems=("x" * 300,),
    )

    text = pull_request_comment.render(found, limit=limit)

    assert len(text) <= limit
    assert text.count("<details>") == text.count("</details>")
    assert text.count("```") % 2 == 0


def test_text_of_files_is_escaped() -> None:
    evil = "</details><script>x</script> @everyone [a](javascript:b) | `x` ![i](http://t)"
    found = report(
        change(evil, details=(Detail(what=evil, before=evil, after=evil),), diff="-```\n+" + evil, risks=(evil,)),
        head_problems=(evil,),
    )

    text = pull_request_comment.render(found)

    outside = re.sub(r"````diff\n.*?\n````", "", text, flags=re.DOTALL)
    for part in ("<script", "@everyone", "](javascript", "![i]"):
        assert part not in outside
    assert outside.count("</details>") == outside.count("<details>")
    assert "````diff" in text  # the fence is longer than the one inside


def test_replacements_are_prominent_in_every_format() -> None:
    destruction = Destruction(
        operation="replace", kind="aws:s3/bucket:Bucket", name="logs", protected=True, because=("bucket",)
    )
    engine = Resources(
        counts={"replace": {"aws:s3/bucket:Bucket": 1}}, unchanged=7, destructions=(destruction,), errors=("it broke",)
    )
    found = report(resources=engine)

    text = pull_request_comment.render(found)

    assert (
        "🚨 **REPLACE** `aws:s3/bucket:Bucket` **logs**, because of bucket (protected: the engine will refuse)" in text
    )
    assert "⛔ The preview failed" in text
    assert "7 are unchanged" in text
    assert "replace aws:s3/bucket:Bucket logs" in shown(found)
    assert found.document()["resources"]["destructions"][0]["protected"] is True


def replay_report(**total: object) -> dict[str, object]:
    counts = {"messages": 4, "pages": 0, "at_night": 0, "night_pages": 0}
    one = {"base": counts, "head": {**counts, "messages": 6, "pages": 2}, "new": 2, "lost": 0, "moved": 0, **total}
    quiet = {"base": counts, "head": counts, "new": 0, "lost": 0, "moved": 0}
    return {
        "from": "2026-11-14T00:00:00Z",
        "until": "2026-11-28T00:00:00Z",
        "notes": ["Prometheus has data only of the last 3.0 days, not of 14.0 days."],
        "not_replayed": {"SearchErrorLogBurst": "is an alert on log lines"},
        "receivers": {"orders-slack": one, "quiet-slack": quiet},
        "total": one,
    }


def budget(*, enforced: bool) -> Verdict:
    return Verdict(system="orders", what="pages", limit=0.5, base=0.0, head=1.0, enforced=enforced)


def test_the_comment_has_one_table_of_who_would_have_been_notified() -> None:
    found = report(replayed=Replayed(report=replay_report(), budgets=[budget(enforced=False)]))
    text = pull_request_comment.render(found)
    assert "### Who would have been notified" in text
    assert "| orders-slack | 4 → 6 | 0 → 2 | 0 | 2 |  |  |" in text
    assert "quiet-slack" not in text
    assert "- ⚠️ orders: 0.0 -&gt; 1.0 pages a week, over the budget of 0.5" in text
    assert "What the replay lacks (2)" in text
    assert "2 messages are new, 0 lost, 0 moved. Pages: 0 -> 2" in shown(found)
    red = report(replayed=Replayed(report=replay_report(), budgets=[budget(enforced=True)]))
    assert "- ⛔ orders" in pull_request_comment.render(red)
    assert red.replayed is not None
    assert [one.system for one in red.replayed.failing] == ["orders"]


def test_without_access_the_comment_says_so_and_nothing_is_red(repository: Copy) -> None:
    repository.set("staging", "smtpSmarthost: mail.example.com:587")
    repository.set("staging", "smtpFrom: alerts@example.com")
    git(repository.folder, "commit", "-q", "-am", "second")
    for sources, reason in (
        (None, "no Prometheus is named for this stack"),
        (Sources(prometheus="http://127.0.0.1:1"), "Prometheus at http://127.0.0.1:1 does not answer"),
    ):
        found = command.report(
            repository.folder, base="HEAD", head=CHECKOUT, stack="staging", asked=command.Asked("1d", sources)
        )
        assert found.head_problems == ()
        assert found.replayed is None
        assert reason in found.replay_problem
        assert "Not replayed: " in pull_request_comment.render(found)
        assert f"Not replayed: {reason}" in shown(found)
