"""Stores of earlier versions are opened with what is in them."""

import json
import re
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, text

from smc.center.store.database import MIGRATIONS, open_database, url_of
from smc.center.store.store import open_store
from smc.center.store.tags import Tagged, Tags
from smc.center.store.values import Tag


def make_store(url: str, revision: str, *statements: str) -> None:
    """A store as it was at `revision`, with rows."""
    engine = create_engine(url)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        for statement in statements:
            connection.execute(text(statement.replace(":", r"\:")))
    engine.dispose()


def test_tags_of_earlier_jobs_move_into_their_table(tmp_path: Path) -> None:
    url = url_of(tmp_path)
    tags = [{"key": "team", "value": "shop"}, {"key": "team", "value": "bank"}, {"key": "b", "value": ""}]
    request = json.dumps({"image_name": "x", "tags": tags})
    make_store(
        url,
        "0003",
        "INSERT INTO sources VALUES ('s-1', '', '', 'f', '{}', 'h', '', '', 1, 1, 0, 0, 0)",
        "INSERT INTO jobs VALUES ('j-1', '', '', 'local', 's-1', '" + request + "', '{}', 'Ready', '', 0, '',"
        " '', 0, '', '', 1, NULL, NULL, 2, NULL, NULL)",
        "INSERT INTO jobs VALUES ('j-2', '', '', 'local', 's-1', '{}', '{}', 'Finished', '', 0, '',"
        " '', 0, '', '', 1, NULL, NULL, 2, NULL, NULL)",
    )
    database = open_database(url)
    found = Tags(database).of(Tagged.JOB, ["j-1", "j-2"])
    assert found == {"j-1": (Tag(key="b", value=""), Tag(key="team", value="bank")), "j-2": ()}
    database.close()


SOURCE_0008 = (
    "INSERT INTO sources (id, name, description, fingerprint, server, credential_hash, csr, address, created,"
    " last_beat, cpu_usage, memory_usage, deleting)"
    " VALUES ('s-1', '', '', 'f', '{}', 'h', '', '', 1, 1, 0, 0, false)"
)
JOB_0008 = (
    "INSERT INTO jobs VALUES ('j-1', '', '', 'local', 's-1', '{}', '{}', 'Ready', '', 0, '',"
    " '', 1, '', '', 1, NULL, NULL, 2, NULL, NULL, '')"
)
LOG_0008 = "INSERT INTO job_log VALUES (1, 'j-1', 1, 'info', '', 'The job was created.', '')"


def test_what_belongs_to_a_job_outlives_a_change_of_the_table_of_jobs(tmp_path: Path) -> None:
    """SQLite changes a column by making the table anew: dropping the old one is not deleting its rows."""
    url = url_of(tmp_path)
    make_store(url, "0008", SOURCE_0008, JOB_0008, LOG_0008)
    store = open_store(url, "lcl")
    lines = store.log.page("j-1", offset=0, limit=9)[1]
    assert [line.message for line in lines] == ["The job was created."]
    store.jobs.remove("j-1")
    assert store.log.page("j-1", offset=0, limit=9)[0] == 0, "what refers to it goes with it again"
    store.close()


def test_revisions_are_one_line_numbered_as_their_files() -> None:
    files = sorted((MIGRATIONS / "versions").glob("r*.py"))
    said = [dict(re.findall(r'^(revision|down_revision) = "?(\w+)"?$', f.read_text(), re.M)) for f in files]
    numbers = [f"{number:04}" for number in range(1, len(files) + 1)]
    assert [file.name[1:5] for file in files] == numbers, "take the next free number"
    assert [each["revision"] for each in said] == numbers
    assert [each["down_revision"] for each in said] == ["None", *numbers[:-1]]
