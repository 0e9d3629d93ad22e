"""A browser without a window: it keeps cookies and sends the page's token."""

import re
from typing import Any

from httpx import Response
from starlette.testclient import TestClient

from flows.desk.app import create_app
from flows.desk.desk import Desk

PAGE = {"accept": "text/html"}


class Browser(TestClient):
    """Looks at the pages of a desk, and asks it as its scripts do."""

    def __init__(self, desk: Desk, address: str = "http://127.0.0.1") -> None:
        super().__init__(create_app(desk), base_url=address, follow_redirects=False)
        self.token = ""

    def look(self, path: str, **more: Any) -> Response:
        """Loads a page and remembers its token."""
        answer = self.get(path, headers=PAGE, **more)
        found = re.search(r'name="csrf-token" content="([^"]+)"', answer.text)
        self.token = found[1] if found else self.token
        return answer

    def ask(self, path: str, body: object = None) -> Response:
        """Posts JSON with the token."""
        return self.post(path, json=body, headers={"x-csrf-token": self.token})


def ids(page: str) -> list[str]:
    """The incidents that a page shows."""
    return re.findall(r'data-id="([^"]+)"', page)
