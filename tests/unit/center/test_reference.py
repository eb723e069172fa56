"""The pages of docs/reference that are made from the code say what the code says."""

import pytest
from docs.generate import FOLDER, PAGES


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_as_the_code_is(name: str) -> None:
    assert (FOLDER / name).read_text() == PAGES[name](), "run `make docs`"
