"""Expressions of a policy mean what Python's mean, and take no longer than they may."""

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smc.guest.expressions import Exhausted, Matcher, Unknown

OF_POLICIES = (  # as refpolicy's file_contexts has them
    r"/.*",
    r"/etc(/.*)?",
    r"/usr/(.*/)?bin(/.*)?",
    r"/usr/lib/(.*/)?[^/]*\.so(\.[^/]*)*",
    r"/etc/(passwd|shadow|group)[-+]?",
    r"/dev/[shmx]d[^/]*",
    r"/var/run/.*\.*pid",
    r"/etc/rc\.d/rc[0-6]\.d(/.*)?",
    r"/lib/modules/[^/]+/modules\..+",
    r"/usr/lib/python[0-9]\.[0-9]{1,2}/site-packages",
    r"/home/[^/]+/\.ssh(/.*)?",
    r"/opt/(.*/)?var/lib(64)?(/.*)?",
    r"/etc/a\+b\[c\]",
    r"^/root$",
)
PATHS = (
    *("/", "/etc", "/etc/passwd", "/etc/passwd-", "/usr/bin/x", "/usr/local/bin", "/usr/lib/a/libc.so.6.1"),
    *(
        "/dev/sda1",
        "/var/run/x.pid",
        "/etc/rc.d/rc5.d/S10",
        "/lib/modules/6.1/modules.dep",
        "/root",
        "/roots",
    ),
    *("/usr/lib/python3.11/site-packages", "/home/a/.ssh/id", "/opt/x/var/lib64/y", "/etc/a+b[c]", "/et"),
)
PIECES = st.sampled_from(["a", "b", "/", ".", r"\.", "[ab]", "[^a]", "[a-c/]", r"\d", "x"])
EXPRESSIONS = st.recursive(
    PIECES,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda pair: f"({pair[0]}|{pair[1]})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{0,2}", "{1,}"])).map(
            lambda pair: f"(?:{pair[0]}){pair[1]}"
        ),
    ),
    max_leaves=8,
)


@pytest.mark.parametrize("expression", OF_POLICIES)
def test_what_policies_have_is_read_as_python_reads_it(expression: str) -> None:
    matcher = Matcher(1_000_000)
    for path in PATHS:
        assert matcher.fits(expression, path) == bool(re.fullmatch(expression, path)), path


@settings(max_examples=300, deadline=None)
@given(EXPRESSIONS, st.text("ab/.1x", max_size=8))
def test_whatever_is_read_means_what_python_makes_of_it(expression: str, text: str) -> None:
    try:
        found = Matcher(1_000_000).fits(expression, text)
    except Unknown:
        return
    assert found == bool(re.fullmatch(expression, text))


@pytest.mark.parametrize(
    "expression",
    [
        *(
            "(",
            "[a",
            "a{",
            "*a",
            "a**",
            "a++",
            r"\p",
            r"(?=a)b",
            r"(a)\1",
            "a)b",
            "[b-a]",
            "a{3,2}",
            "a$b",
            "x|*",
        ),
        "(" * 5000,
        "(a{99}){99}",
        "((((a{0,99}){0,99}){0,99}){0,99})",
    ],
)
def test_what_is_not_read_is_said(expression: str) -> None:
    with pytest.raises(Unknown):
        Matcher(1_000_000).fits(f"|{expression}", "aaa")


@pytest.mark.parametrize("expression", ["(a*)*b", "(a|a)*b", "(.*)*x", "(a?){30}a{30}b", "((a+)+)+b"])
def test_an_expression_that_goes_back_and_forth_elsewhere_takes_a_moment(expression: str) -> None:
    began = time.process_time()
    assert not Matcher(1_000_000).fits(expression, "a" * 200)
    assert time.process_time() - began < 5


def test_steps_end() -> None:
    matcher = Matcher(10_000)
    with pytest.raises(Exhausted):
        for number in range(10_000):
            matcher.fits(f"(.*)*{number}", "a" * 50)


@pytest.mark.parametrize(
    "expression", ["(a{0,400}){0}" * 5000, "()" * 100_000, "a{0}" * 50_000, "(" + "a" * 900 + "){0}" * 100]
)
def test_reading_an_expression_is_counted_too(expression: str) -> None:
    began = time.process_time()
    with pytest.raises((Exhausted, Unknown)):
        Matcher(10_000).fits(f"|{expression}", "aaa")
    assert time.process_time() - began < 2


def test_a_dot_is_any_character_as_selinux_has_it() -> None:
    assert Matcher(1000).fits("/a.*", "/a\nb")
