"""No address shows a password or a token, and what is no secret stays readable."""

import pytest

from spaces.credentials import without_credentials

pytestmark = pytest.mark.faults("secret")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me:secret@host:5432/db", "postgresql://me:***@host:5432/db"),
        ("postgresql+psycopg://me:secret@host/db", "postgresql+psycopg://me:***@host/db"),
        ("mysql+pymysql://me:secret@[::1]:3306/db", "mysql+pymysql://me:***@[::1]:3306/db"),
        ("postgresql://me:secret@/db?sslmode=require", "postgresql://me:***@/db?sslmode=require"),
    ],
)
def test_of_a_database_the_password_is_hidden_and_the_user_is_shown(url: str, shown: str) -> None:
    assert without_credentials(url) == shown


@pytest.mark.parametrize(
    "secret", ["se%40c%2Fr%3Aet", "se@cret", "se/cret", "se:cret", "s@e/c:r@et", "se?cret", "1234", "#1", "/s"]
)
@pytest.mark.parametrize("host", ["host", "host:5432", "10.0.0.1", "[::1]:5432"])
def test_odd_characters_of_a_password_do_not_show_the_rest_of_it(secret: str, host: str) -> None:
    assert without_credentials(f"postgresql://me:{secret}@{host}/db") == f"postgresql://me:***@{host}/db"
    assert without_credentials(f"postgresql://me:{secret}@{host}/db?a=b@c") == f"postgresql://me:***@{host}/db?a=b%40c"


@pytest.mark.parametrize("secret", ["se%40c%2Fr%3Aet", "se@cret", "se/cret", "se:cret", "se?cret", "1234", "#1", "/s"])
@pytest.mark.parametrize("host", ["host", "host:5000", "[::1]:5000"])
@pytest.mark.parametrize("path", ["", "/", "/path", "/users/@me/a@b", "?a=b@c"])
def test_of_any_other_address_nothing_is_shown_before_the_host(secret: str, host: str, path: str) -> None:
    assert without_credentials(f"https://me:{secret}@{host}{path}") == f"https://{host}{path}"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://token@host/path", "https://host/path"),
        ("s3://key:secret@bucket/folder", "s3://bucket/folder"),
        ("simplecache::s3://key:secret@bucket/folder", "simplecache::s3://bucket/folder"),
        ("ftp://me:secret@host/x", "ftp://host/x"),
        ("postgres://me:secret@host/db", "postgres://host/db"),
        ("postgresql+other://me:secret@host/db", "postgresql+other://host/db"),
        ("postgresql://me:secret@host:port/db", "postgresql://host:port/db"),
    ],
)
def test_an_address_of_a_kind_that_is_not_known_shows_no_user(url: str, shown: str) -> None:
    assert without_credentials(url) == shown


@pytest.mark.parametrize(
    "name", ["password", "passwd", "sslpassword", "token", "access_token", "api_key", "sig", "X-Amz-Signature", "PWD"]
)
@pytest.mark.parametrize("start", ["postgresql://me@host/db", "mysql://host/db", "https://host/path", "s3://bucket/a"])
def test_a_secret_value_in_the_query_is_hidden(start: str, name: str) -> None:
    assert without_credentials(f"{start}?{name}=abc") == f"{start}?{name}=***"
    assert without_credentials(f"{start}?a=b&{name}=abc&c=d") == f"{start}?a=b&{name}=***&c=d"


def test_a_password_and_a_secret_value_are_both_hidden() -> None:
    url = "postgresql://me:one@host/db?sslpassword=two&sslmode=require"
    assert without_credentials(url) == "postgresql://me:***@host/db?sslmode=require&sslpassword=***"


@pytest.mark.parametrize(
    "address",
    [
        "",
        "studies.db",
        "/a/b@c.db",
        "./a:b@c",
        r"C:\Users\me@home\studies.db",
        "C:/Users/me@home/studies.db",
        "databricks",
        "uc:profile",
        "sqlite://",
        "sqlite:///studies.db",
        "sqlite:///:memory:",
        "sqlite:////a/b@c.db",
        "sqlite:////a:b@c.db",
        r"sqlite:///C:\Users\me@home\studies.db",
        "sqlite:///file:name?mode=memory&uri=true",
        "postgresql://host/db",
        "postgresql://me@host/db",
        "postgresql+psycopg://me@host:5432/db?sslmode=require",
        "https://host:5000/path/a@b",
        "https://host:5000/?page=2",
        "http://[::1]:5000/a@b",
        "s3://bucket/a@b",
        "file:///a/b@c",
        "file:///C:/a@b",
    ],
)
def test_what_holds_no_secret_comes_back_as_it_was_given(address: str) -> None:
    assert without_credentials(address) == address
