import ast

import pytest

from harness.security.error_rules import told_errors

TRY = "try:\n    f()\nexcept aiohttp.ClientError as error:\n    "
ANY = "try:\n    f()\nexcept Exception as error:\n    "


@pytest.mark.parametrize(
    "handling",
    [
        "log.warning('failed', extra={'error': error})",
        "log.warning(f'failed: {error}')",
        "log.warning('failed: %s', error)",
        "x = repr(error)",
        "x = str(error)",
        "log.warning('failed', exc_info=True)",
        "log.exception('failed')",
        "raise HarnessError('failed') from error",
        "raise HarnessError('failed')",
        "self.last = error",
        "x = error.args",
        "x = error.request_info",
    ],
)
def test_an_error_of_the_network_that_could_be_told_is_seen(handling: str) -> None:
    assert list(told_errors(ast.parse(TRY + handling)))


@pytest.mark.parametrize(
    "handling",
    [
        "x = meaning_of(error)",
        "x = type(error).__name__",
        "x = isinstance(error, OSError)",
        "x = error.status, error.headers",
        "log.warning('failed')",
        "raise HarnessError('failed') from None",
        "raise",
    ],
)
def test_its_kind_may_be_asked_for(handling: str) -> None:
    assert list(told_errors(ast.parse(TRY + handling))) == []


@pytest.mark.parametrize(
    "caught", ["TROUBLES", "(OSError, aiohttp.ClientError)", "transport.TROUBLES", "ClientResponseError"]
)
def test_every_way_to_catch_one_counts(caught: str) -> None:
    assert list(told_errors(ast.parse(f"try:\n    f()\nexcept {caught} as error:\n    print(error)")))


@pytest.mark.parametrize("handling", ["x = repr(error)", "x = f'{error!r}'", "x = str(error)", "x = f'{error}'"])
def test_where_anything_is_caught_an_error_of_the_network_may_be_it(handling: str) -> None:
    assert list(told_errors(ast.parse(ANY + handling)))


@pytest.mark.parametrize("handling", ["x = type(error).__name__", "log.exception('our own fault')", "return_(error)"])
def test_where_anything_is_caught_its_type_and_a_scrubbed_log_line_are_fine(handling: str) -> None:
    assert list(told_errors(ast.parse(ANY + handling))) == []


def test_an_error_of_the_file_system_may_be_told() -> None:
    assert list(told_errors(ast.parse("try:\n    f()\nexcept OSError as error:\n    print(error)"))) == []


@pytest.mark.parametrize(
    "source",
    [
        "reply.raise_for_status()",
        "ClientSession(raise_for_status=True)",
        "traceback.format_exc()",
        "traceback.print_exception(e)",
        "x = reply.request_info.headers",
    ],
)
def test_what_makes_or_prints_such_errors_is_seen_anywhere(source: str) -> None:
    assert list(told_errors(ast.parse(source)))


def test_a_session_that_raises_nothing_is_fine() -> None:
    assert list(told_errors(ast.parse("ClientSession(raise_for_status=False)"))) == []
