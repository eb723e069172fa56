"""The demo's judge accepts only differences that somebody has explained."""

from demo.judge_copy import Difference, expected, judge_differences


def difference(what: str, path: str) -> Difference:
    return Difference(what=what, path=path)


def test_a_difference_that_nobody_names_is_unexplained() -> None:
    found = judge_differences([difference(">fcst......", "/usr/bin/ls")], {"/etc/fstab"}, set())
    assert [d.path for d in found.unexplained] == ["/usr/bin/ls"]


def test_a_file_of_the_conversion_report_and_its_folders_time_are_explained() -> None:
    found = judge_differences(
        [difference(">fcst......", "/etc/fstab"), difference(".d..t......", "/etc")], {"/etc/fstab"}, set()
    )
    assert found.unexplained == ()
    assert found.reasons == {
        "named by the conversion report": 1,
        "the time of a folder in which one of these lies": 1,
    }


def test_a_folder_that_differs_in_more_than_its_time_is_not_explained_by_a_file_in_it() -> None:
    found = judge_differences([difference(".d..tpo....", "/etc")], {"/etc/fstab"}, set())
    assert len(found.unexplained) == 1


def test_a_file_that_moved_is_explained_only_by_its_own_name() -> None:
    found = judge_differences(
        [difference(">f.st......", "/var/a"), difference(">f.st......", "/var/b")], set(), {"/var/a"}
    )
    assert [d.path for d in found.unexplained] == ["/var/b"]


def test_every_line_of_the_committed_list_has_a_reason() -> None:
    assert expected()
    assert all(pattern.startswith("/") and reason for pattern, reason in expected())
