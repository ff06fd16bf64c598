"""A signed-in user's calls: the access token is renewed silently, by one command at a time."""

import dataclasses
import time
from collections.abc import Iterator, Mapping

from flick.cli.api import Api, ApiError, Json
from flick.cli.credentials import Credential, CredentialStore
from flick.cli.failure import not_signed_in

RENEW_BEFORE_S = 60.0  # a token that ends within this time is renewed first
PAGE_SIZE = "500"


class Session:
    """The calls of the user who is signed in at `url`. Raises CliError when nobody is."""

    def __init__(self, *, store: CredentialStore, url: str) -> None:
        self._store = store
        self.url = url
        self._credential = self._stored()
        self.api = Api(url=url, ca_pem=self._credential.ca_pem)

    @property
    def ca_pem(self) -> str:
        """The authority trusted for the gateway; empty: the system's."""
        return self._credential.ca_pem

    @property
    def expire_time_s(self) -> float:
        """When the access token ends, seconds since the Unix epoch."""
        return self._credential.expire_time_s

    def access_token(self, *, refused: str = "") -> str:
        """A token good for at least a minute, and other than the one that was `refused`."""
        if not self._is_good(self._credential, refused):
            with self._store.lock():
                self._credential = self._stored()  # another command may have renewed it meanwhile
                if not self._is_good(self._credential, refused):
                    self._renew()
        return self._credential.access_token

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Json:
        """GET."""
        return self._call("GET", path, query=query)

    def post(self, path: str, body: Json) -> Json:
        """POST."""
        return self._call("POST", path, body=body)

    def patch(self, path: str, body: Json) -> Json:
        """PATCH."""
        return self._call("PATCH", path, body=body)

    def delete(self, path: str) -> Json:
        """DELETE."""
        return self._call("DELETE", path)

    def items(self, path: str, field: str, query: Mapping[str, str] | None = None) -> Iterator[Json]:
        """Everything that a paged list holds in `field`, page by page."""
        page_token = ""
        while True:
            token = {"pageToken": page_token} if page_token else {}
            page = self.get(path, {**(query or {}), "pageSize": PAGE_SIZE, **token})
            yield from page.get(field, [])
            page_token = page.get("nextPageToken", "")
            if not page_token:
                return

    def _call(
        self, method: str, path: str, *, query: Mapping[str, str] | None = None, body: Json | None = None
    ) -> Json:
        token = self.access_token()
        try:
            return self.api.call(method, path, query=query, body=body, token=token)
        except ApiError as error:
            if error.status != 401:
                raise
        token = self.access_token(refused=token)  # the installation may have new keys
        return self.api.call(method, path, query=query, body=body, token=token)

    def _stored(self) -> Credential:
        credential = self._store.get(self.url)
        if credential is None:
            raise not_signed_in(self.url)
        return credential

    @staticmethod
    def _is_good(credential: Credential, refused: str) -> bool:
        return (
            bool(credential.access_token)
            and credential.access_token != refused
            and time.time() < credential.expire_time_s - RENEW_BEFORE_S
        )

    def _renew(self) -> None:
        body = {"refreshToken": self._credential.refresh_token}
        try:
            answer = self.api.call("POST", "/api/v1/auth/refresh", body=body)
        except ApiError as error:
            if error.status not in (400, 401, 403, 404):
                raise
            raise not_signed_in(self.url, why="the session has ended") from error
        self._credential = renewed(self._credential, answer)
        self._store.put(self._credential)


def renewed(credential: Credential, answer: Json) -> Credential:
    """The credential with the tokens of a TokenPair."""
    return dataclasses.replace(
        credential,
        access_token=answer["accessToken"],
        refresh_token=answer["refreshToken"],
        expire_time_s=time.time() + answer["expiresIn"],
    )
