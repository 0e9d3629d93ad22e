"""The ``feedback`` command: one hit, many by CSV or SQL, what is stored, and the thresholds that follow."""

import json
import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from anomalylmm.errors import AnomalyLMMError, ConfigurationError, QueryError, StoreError
from flows.cli import app
from flows.review.calibrating import read_thresholds
from flows.runs.user import current_user
from flows.sweep.page import build_page
from flows.sweep.query_file import read_queries
from storage.disk.layout import StoreLayout
from storage.hits.analyst import run_sql
from storage.hits.inbox import read_waiting
from storage.hits.rows import FeedbackRecord, SweepContent, ThresholdRecord
from storage.hits.writer import HitStore
from tests.storage.examples import NOON, make_hit, make_query, make_sweep, make_threshold

RUNNER = CliRunner()
HITS = [make_hit(tracklet_id=f"t{number}") for number in range(6)]
IDS = [hit.hit_id for hit in HITS]
HOSTILE = '\'; drop table hits; -- "<script>alert(1)</script>"\n,;\x1b[31m\udcff\u202e'


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> StoreLayout:
    """A store with hits to judge; only read."""
    store = StoreLayout(tmp_path_factory.mktemp("published") / "store")
    store.check_writable()
    publish(store)
    return store


@pytest.fixture
def layout(published: StoreLayout, tmp_path: Path) -> StoreLayout:
    return StoreLayout(shutil.copytree(published.root, tmp_path / "a store"))


def publish(layout: StoreLayout, *thresholds: ThresholdRecord) -> None:
    with HitStore(layout) as store:
        store.register_query(make_query())
        store.record_sweep(SweepContent(sweep=make_sweep(), hits=tuple(HITS), thresholds=thresholds))
        store.publish()


def run(layout: StoreLayout, *arguments: str) -> Result:
    return RUNNER.invoke(app, ["feedback", "--store", str(layout.root), *arguments])


def refuse(layout: StoreLayout, *arguments: str) -> AnomalyLMMError:
    """Runs what must fail, with nothing noted."""
    result = run(layout, *arguments)
    assert isinstance(result.exception, AnomalyLMMError), result.output
    assert read_waiting(layout, FeedbackRecord) == []
    return result.exception


def waiting(layout: StoreLayout) -> list[tuple[str, str, str, str]]:
    return [(item.hit_id, item.verdict, item.who, item.note) for item in read_waiting(layout, FeedbackRecord)]


def test_one_hit_is_confirmed_and_in_the_tables_after_the_next_publish(layout: StoreLayout) -> None:
    result = run(layout, IDS[0], "Confirm", "--note", "a real fall", "--by", "ann")
    assert result.exit_code == 0
    assert "1 confirmed, 0 rejected" in result.stdout
    assert waiting(layout) == [(IDS[0], "confirm", "ann", "a real fall")]
    publish(layout)
    assert run_sql(layout, "select hit_id, verdict, who, note from feedback")[1] == [
        (IDS[0], "confirm", "ann", "a real fall")
    ]
    assert run_sql(layout, "select hit_id from hits where feedback = 'confirm'")[1] == [(IDS[0],)]


def test_without_a_name_it_is_who_is_logged_in(layout: StoreLayout, monkeypatch: pytest.MonkeyPatch) -> None:
    run(layout, IDS[0], "reject", "--by", " ")
    assert waiting(layout) == [(IDS[0], "reject", current_user(), "")]

    def nobody() -> str:
        raise KeyError("uid")

    monkeypatch.setattr("getpass.getuser", nobody)
    assert current_user() == "unknown"


def test_a_running_writer_is_not_in_its_way(layout: StoreLayout) -> None:
    with HitStore(layout) as store:
        assert run(layout, IDS[0], "reject").exit_code == 0
        store.publish()
    assert run_sql(layout, "select verdict from feedback")[1] == [("reject",)]


@pytest.mark.parametrize("signs", ["\ufeff", ""])
@pytest.mark.parametrize("divider", [",", ";"])
def test_a_csv_file_is_noted_whole(layout: StoreLayout, tmp_path: Path, signs: str, divider: str) -> None:
    file = tmp_path / "review.csv"
    lines = ["hit_id,verdict,note,by", f'{IDS[0]},confirm,"two\nlines",ann', "", f"{IDS[1]}, REJECT ,,"]
    file.write_bytes((signs + "\r\n".join(lines).replace(",", divider)).encode())
    result = run(layout, "--csv", str(file), "--by", "bob", "--json")
    assert json.loads(result.stdout) == {"num_confirmed": 1, "num_rejected": 1, "num_unsure": 0, "num_cleared": 0}
    assert waiting(layout) == [(IDS[0], "confirm", "ann", "two\nlines"), (IDS[1], "reject", "bob", "")]
    assert len(list(layout.inbox.iterdir())) == 1


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "none"),
        ("hit_id,note\n", "add verdict"),
        ("hit_id,verdict,notes\n", "notes"),
        ("hit_id,verdict,verdict\n", "each once"),
        (
            "hit_id,verdict\n{0},confirm\n{1},maybe\n",
            r"line 3: a verdict is one of confirm, reject, unsure, clear, but 'maybe'",
        ),
        ("hit_id,verdict\n{0},confirm\n{1}\n", r"line 3: .* but ''"),
        ("hit_id,verdict\n{0},confirm,a dog, not a man\n", "line 2: .*quotes"),
        ('hit_id,verdict\n{0},confirm\n{1},"re"ject\n', "line 3"),
        ("hit_id,verdict\n{0},confirm\nabc,reject\n", r"line 3: no published hit has the id 'abc'"),
        ("hit_id,verdict\n{0},confirm\n,reject\n", r"line 3: no published hit has the id ''"),
        ("hit_id,verdict\n{0},confirm\n{0},reject\n", r"line 3: .* but confirm in .*line 2"),
        ("hit_id,verdict,note\n{0},confirm," + "x" * 5000, "line 2: .*5000 characters"),
        ("hit_id,verdict\n" + "\n".join(f"a{number},reject" for number in range(9)), "4 more"),
    ],
)
def test_a_broken_line_is_named_and_nothing_is_noted(
    layout: StoreLayout, tmp_path: Path, text: str, named: str
) -> None:
    file = tmp_path / "review.csv"
    file.write_text(text.replace("{0}", IDS[0]).replace("{1}", IDS[1]))
    error = refuse(layout, "--csv", str(file))
    assert error.exit_code == 2
    assert str(file) in str(error)
    with pytest.raises(ConfigurationError, match=named):
        raise error


def test_a_missing_or_foreign_file_is_named(layout: StoreLayout, tmp_path: Path) -> None:
    assert "missing.csv" in str(refuse(layout, "--csv", str(tmp_path / "missing.csv")))
    file = tmp_path / "latin.csv"
    file.write_bytes(f"hit_id,verdict,note\n{IDS[0]},confirm,a\n{IDS[1]},confirm,\xe9\n".encode("latin-1"))
    assert "line 3: this is not UTF-8" in str(refuse(layout, "--csv", str(file)))


def test_sql_rejects_all_that_it_selects(layout: StoreLayout) -> None:
    sql = "select hit_id, 'reject' as verdict, tracklet_id as note, null as \"by\" from hits where tracklet_id <= 't2'"
    assert "0 confirmed, 3 rejected" in run(layout, "--sql", sql, "--by", "ann").stdout
    assert sorted(note for *_, note in waiting(layout)) == ["t0", "t1", "t2"]
    assert {who for *_, who, _ in waiting(layout)} == {"ann"}
    assert "0 confirmed, 0 rejected" in run(layout, "--sql", f"{sql} and false").stdout


@pytest.mark.parametrize(
    ("sql", "named"),
    [
        ("delete from hits", "SELECT"),
        ("select hit_id from hits", "add verdict"),
        ("select *, 'reject' as verdict from hits", "leave the others out"),
        ("select hit_id, confidence as verdict from hits", "row 1 of the SQL"),
        ("select 'x' as hit_id, 'reject' as verdict", "row 1 of the SQL: no published hit has the id 'x'"),
    ],
)
def test_sql_that_does_not_fit_is_refused(layout: StoreLayout, sql: str, named: str) -> None:
    error = refuse(layout, "--sql", sql)
    assert isinstance(error, ConfigurationError | QueryError)
    assert (error.exit_code, named in str(error)) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ([], "given: none"),
        ([IDS[0]], "one of confirm, reject"),
        ([IDS[0], "perhaps"], "perhaps"),
        (["abc", "confirm"], "no published hit has the id 'abc'"),
        ([HOSTILE, "confirm"], "no published hit"),
        ([IDS[0], "confirm", "--list"], "HIT, --list"),
        (["--csv", "a.csv", "--sql", "select 1"], "--csv, --sql"),
        (["--csv", "a.csv", "--note", "x"], "column named note"),
    ],
)
def test_what_a_user_gets_wrong_exits_with_2(layout: StoreLayout, arguments: list[str], named: str) -> None:
    error = refuse(layout, *arguments)
    assert (error.exit_code, named in str(error)) == (2, True), str(error)


def test_before_the_first_sweep_the_message_says_what_to_do(tmp_path: Path) -> None:
    for arguments in (["x", "confirm"], ["--list"], ["--thresholds"]):
        result = run(StoreLayout(tmp_path / "empty"), *arguments)
        assert isinstance(result.exception, StoreError)
        assert "anomalylmm sweep" in str(result.exception)


def test_hostile_notes_and_names_are_data(layout: StoreLayout) -> None:
    assert run(layout, IDS[0], "reject", "--note", HOSTILE, "--by", HOSTILE).exit_code == 0
    shown = run(layout, "--list").stdout
    assert "waiting" in shown
    assert "\x1b" not in shown
    publish(layout)
    ((note, who),) = run_sql(layout, "select note, who from feedback")[1]
    assert note == HOSTILE.replace("\udcff", "\\xff")
    assert who == note.strip()
    assert "published" in run(layout, "--list").stdout
    assert run_sql(layout, "select count(*) from hits")[1] == [(len(HITS),)]


def test_the_list_shows_what_waits_and_what_is_published_newest_first(layout: StoreLayout) -> None:
    run(layout, IDS[0], "confirm", "--by", "ann")
    publish(layout)
    run(layout, IDS[1], "reject", "--by", "bob")
    listed = json.loads(run(layout, "--list", "--json").stdout)
    found = [(item["review"]["feedback"]["who"], item["is_waiting"], item["review"]["query_name"]) for item in listed]
    assert found == [("bob", True, "fall"), ("ann", False, "fall")]


def test_a_long_list_is_cut_and_says_so(layout: StoreLayout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flows.commands.review.MAX_LISTED", 2)
    run(layout, "--sql", "select hit_id, 'reject' as verdict from hits")
    assert "4 older entries are not shown" in run(layout, "--list").stdout


def test_the_thresholds_count_what_waits(layout: StoreLayout) -> None:
    before = json.loads(run(layout, "--thresholds", "--json").stdout)
    assert before[0]["calibration"]["threshold"] == 0.5
    run(layout, "--sql", "select hit_id, 'reject' as verdict from hits")
    after = json.loads(run(layout, "--thresholds", "--json").stdout)
    assert after[0]["query_name"] == "fall"
    assert after[0]["calibration"]["threshold"] == pytest.approx(0.5 + 0.25 * 6 / 11)
    assert "6 rejected" in " ".join(run(layout, "--thresholds").stdout.split())
    publish(layout)
    assert json.loads(run(layout, "--thresholds", "--json").stdout) == after


def test_feedback_on_another_judges_hits_does_not_count(layout: StoreLayout) -> None:
    run(layout, "--sql", "select hit_id, 'reject' as verdict from hits")
    with HitStore(layout) as store:
        later = make_sweep("s2", judge_id="another", finished_utc=NOON + timedelta(hours=1))
        store.record_sweep(SweepContent(sweep=later))
        store.publish()
    assert json.loads(run(layout, "--thresholds", "--json").stdout)[0]["calibration"]["threshold"] == 0.5


def test_the_page_shows_each_threshold_with_its_evidence_escaped(layout: StoreLayout) -> None:
    from flows.report.page import render

    used = make_threshold(evidence="raised <b>because</b>")
    run(layout, IDS[0], "reject")
    publish(layout, used)
    page = render("report.html", page=build_page(layout))
    assert "acceptance threshold: raised &lt;b&gt;because&lt;/b&gt;" in page
    assert page.count("rejected by a person") == 1


def test_the_page_says_that_a_person_is_unsure(layout: StoreLayout) -> None:
    from flows.report.page import render

    said = run(layout, IDS[0], "unsure")
    assert "0 rejected, 1 unsure; " in said.stdout
    publish(layout, make_threshold())
    assert "a person is unsure" in render("report.html", page=build_page(layout))


def test_a_snapshot_of_an_earlier_version_is_still_shown(layout: StoreLayout) -> None:
    import duckdb

    with duckdb.connect(str(layout.snapshot)) as connection:
        connection.execute("DROP TABLE thresholds")
        connection.execute("ALTER TABLE hits DROP COLUMN feedback")
        connection.execute("ALTER TABLE queries DROP COLUMN calibrate")
    assert build_page(layout).sections[0].threshold == ""
    assert run(layout, "--thresholds").exit_code == 0
    assert run(layout, IDS[0], "confirm").exit_code == 0


def test_a_query_says_whether_it_is_calibrated_without_becoming_another_version(tmp_path: Path) -> None:
    from anomalylmm.query.lexicon import Lexicon

    file, found = tmp_path / "queries.toml", []
    for more in ("", "calibrate = false\n"):
        file.write_text(f'[[query]]\nname = "fall"\ntext = "a person falling"\n{more}')
        found += read_queries(file, Lexicon.load())
    assert [query.calibrate for query in found] == [True, False]
    assert found[0].version == found[1].version


def test_feedback_of_one_moment_has_one_id() -> None:
    made = [FeedbackRecord(hit_id="h", verdict="confirm", who="ann", created_utc=NOON) for _ in range(2)]
    assert made[0].feedback_id == made[1].feedback_id


def test_what_was_taken_back_or_is_unsure_does_not_count(layout: StoreLayout) -> None:
    for hit_id in IDS[:5]:
        run(layout, hit_id, "reject")
    assert read_thresholds(layout)[0].calibration.num_rejected == 5
    run(layout, IDS[0], "clear")
    run(layout, IDS[1], "unsure")
    assert read_thresholds(layout)[0].calibration.num_rejected == 3
    publish(layout)
    assert read_thresholds(layout)[0].calibration.num_rejected == 3
    said = dict(run_sql(layout, "select hit_id, feedback from hits")[1])
    assert [said[hit_id] for hit_id in IDS[:3]] == [None, "unsure", "reject"]
