"""What the tests drive: a Smart Link client, and a clock that they move."""

from dataclasses import dataclass, field

import requests

from infra.simulator.running import RunningSimulator

LINK = "/api/v1/link"


@dataclass
class Clock:
    """Seconds since the epoch, standing still."""

    now: float = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class Client:
    """A Smart Link client of one tenant, with a cookie jar and a token of its own."""

    simulator: RunningSimulator
    tenant: str = "acme"
    secret: str = "s3cret"
    http: requests.Session = field(default_factory=requests.Session)

    def token(self, **changes: str) -> requests.Response:
        form = {
            "client_id": f"{self.tenant}-client",
            "client_secret": self.secret,
            "grant_type": "client_credentials",
            "scope": "authorization_api",
        }
        return self.http.post(self.simulator.rac_token_url, data=form | changes, timeout=5)

    def login(self) -> "Client":
        self.http.headers["Authorization"] = f"Bearer {self.token().json()['access_token']}"
        return self

    def setup(self, *subscriptions: str) -> requests.Response:
        return self.post("/setup", {"subscriptions": list(subscriptions)})

    def get(self) -> requests.Response:
        return self.http.get(self.simulator.url + LINK + "/get", timeout=5)

    def ack(self, tag: object, *, ack: object = True) -> requests.Response:
        return self.post("/ack", {"deliveryTag": tag, "ack": ack})

    def send(self, path: str, content: str | bytes) -> requests.Response:
        return self.http.post(self.simulator.url + LINK + "/send/" + path, data=content, timeout=5)

    def post(self, path: str, body: object) -> requests.Response:
        return self.http.post(self.simulator.url + LINK + path, json=body, timeout=5)

    def admin(self, method: str, path: str, body: object = None) -> requests.Response:
        return self.http.request(
            method, f"{self.simulator.url}/simulator/{path}", json=body, timeout=5
        )
