"""Where each call of the legacy path goes: below one address, or to a host of its own.

Modal gives every function a host of its own (`…--app-clone.modal.run`) unless the app is one ASGI application
(providers.md B1, B4); both kinds of deployment exist, and a mixture of both.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from yarl import URL

from harness.config import ModalSettings
from harness.errors import ConfigError, ErrorKind
from harness.exchanges import Failure
from harness.providers.addresses import base_url

__all__ = ["ModalEndpoints"]

# Path below one address → the setting that names a host of its own.
_SETTINGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "clone": "clone_url",
        "design": "design_url",
        "generate": "generate_url",
        "submit-job": "submit_url",
        "job-status": "status_url",
        "job-result": "result_url",
        "job-cancel": "cancel_url",
        "health": "health_url",
    }
)


class ModalEndpoints:
    """The addresses of one deployment."""

    def __init__(self, settings: ModalSettings, allow_hosts: Iterable[str]) -> None:
        """Check the settings.

        Raises:
            ConfigError: There is no address at all, or one is not safe; names the variable.
        """
        allowed = frozenset(allow_hosts)
        base = settings.base_url
        self._base = None if base is None else base_url(base, "CUTOVER_MODAL__BASE_URL", allowed)
        self._urls = {
            path: base_url(address, _variable(path), allowed)
            for path, name in _SETTINGS.items()
            if (address := getattr(settings, name)) is not None
        }
        every = [url for url in (self._base, *self._urls.values()) if url is not None]
        if not every:
            raise ConfigError(
                "CUTOVER_MODAL__BASE_URL is not set; it is the address of the deployment on Modal. "
                "Where each function has a host of its own, set CUTOVER_MODAL__CLONE_URL and the like instead"
            )
        self.origins = tuple(dict.fromkeys(url.origin() for url in every))  # where the keys belong

    def url(self, path: str) -> URL | Failure:
        """Where a call goes, or why it cannot go anywhere."""
        known = self._urls.get(path)
        if known is None and self._base is not None:
            # Kept: an address that is joined for each call is also taken apart anew for each, by us and by aiohttp.
            known = self._urls[path] = self._base.joinpath(path)
        if known is not None:
            return known
        detail = f"the deployment has no address for {path}; {_variable(path)} names it"
        return Failure(kind=ErrorKind.UNSUPPORTED, code="local.no_endpoint", detail=detail)

    def any_url(self) -> URL:
        """An address of the deployment, to see whether it answers: its health where that has one."""
        found = self.url("health")
        return next(iter(self._urls.values())) if isinstance(found, Failure) else found


def _variable(path: str) -> str:
    """What to set for a call."""
    return f"CUTOVER_MODAL__{_SETTINGS.get(path, 'base_url').upper()}"
