"""What a vendor client never gets to see, and what never gets into an error text."""

import logging
import queue
import socket
import ssl
import struct
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests
import responses
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from connector.errors import ConnectorError, LookFirst, Paused, TryLater
from connector.http import Session, retry_after_seconds
from connector.limits import Allowance, Meter

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
SECRET = "tok-9f8e7d6c5b4a"
ADDRESS = "jane.roe@example.com"
VENDOR = "https://api.vendor.example"

Act = Callable[[socket.socket], None]


@dataclass
class Heard:
    line: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Server:
    """A loopback server that plays one act per request and keeps what it heard."""

    acts: "queue.Queue[Act]" = field(default_factory=queue.Queue)
    heard: list[Heard] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def then(self, *acts: Act) -> None:
        for act in acts:
            self.acts.put(act)

    def stop(self) -> None:
        self.released.set()
        with suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)  # wakes accept()
        self.listener.close()
        self.thread.join(5)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                self.heard.append(_read(connection))
                self.acts.get(timeout=5)(connection)


def _read(connection: socket.socket) -> Heard:
    data = b""
    while b"\r\n\r\n" not in data and (more := connection.recv(65536)):
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    line, *rest = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, _, value in (h.partition(": ") for h in rest)}
    while len(body) < int(headers.get("content-length", 0)):
        body += connection.recv(65536)
    return Heard(line, headers, body)


def reply(status: int, body: str = "{}", **headers: str) -> Act:
    extra = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    length = f"Content-Length: {len(body)}\r\nConnection: close\r\n"
    text = f"HTTP/1.1 {status} X\r\n{extra}{length}\r\n{body}"
    return lambda connection: connection.sendall(text.encode())


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def hang_up(connection: socket.socket) -> None:
    connection.shutdown(socket.SHUT_RDWR)


def truncated(connection: socket.socket) -> None:
    connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{"half": ')


def truncated_chunks(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{abc")


def garbage(connection: socket.socket) -> None:
    connection.sendall(b"this is no HTTP\r\n\r\n")


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.stop()


@pytest.fixture
def silent(server: Server) -> Act:
    def wait(_: socket.socket) -> None:
        server.released.wait(5)

    return wait


@pytest.fixture
def session(server: Server) -> Iterator[Session]:
    with Session(base_url=server.url, timeout=(1, 0.3)) as session:
        yield session


def call(session: Session, method: str) -> requests.Response:
    return session.request(
        method,
        f"{VENDOR}/v2/people/{ADDRESS}?email={ADDRESS}&token={SECRET}",
        json={"comment": "my own words"},
        headers={"Authorization": f"Bearer {SECRET}"},
    )


def error_of(session: Session, method: str) -> ConnectorError:
    with pytest.raises(ConnectorError) as caught:
        call(session, method)
    said = "".join(traceback.format_exception(caught.value))
    message = str(caught.value)
    assert method in message
    assert "/v2/people/" in message
    for private in (SECRET, ADDRESS, "jane.roe", "my own words", "email="):
        assert private not in message
        assert private not in repr(caught.value)
        assert private not in said.replace(f"{ADDRESS}?email={ADDRESS}&token={SECRET}", "")
    assert caught.value.__context__ is None  # the cause's own text holds the whole URL
    return caught.value


# -- lost, broken and late answers ---------------------------------------------------------------

BROKEN = [reset, hang_up, truncated, truncated_chunks, garbage]


@pytest.mark.parametrize("act", BROKEN)
def test_a_write_whose_answer_is_lost_may_have_happened(
    server: Server, session: Session, act: Act
) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        server.then(act)
        assert isinstance(error_of(session, method), LookFirst)
    assert len(server.heard) == 4  # none was repeated in secret


@pytest.mark.parametrize("act", BROKEN)
def test_a_read_whose_answer_is_lost_may_simply_be_repeated(
    server: Server, session: Session, act: Act
) -> None:
    server.then(act)
    assert isinstance(error_of(session, "GET"), TryLater)
    assert len(server.heard) == 1


def test_a_silent_server_is_left_after_the_time_out_whatever_the_client_asks(
    server: Server, session: Session, silent: Act
) -> None:
    server.then(silent)
    with pytest.raises(LookFirst, match="no answer in time"):
        session.post(f"{VENDOR}/v2/things", timeout=3600)


def test_silence_in_the_middle_of_an_answer_is_no_answer_in_time(
    server: Server, session: Session, silent: Act
) -> None:
    def half(connection: socket.socket) -> None:
        truncated(connection)
        silent(connection)

    server.then(half)
    with pytest.raises(LookFirst, match="no answer in time"):
        session.post(f"{VENDOR}/v2/things")


def test_without_a_connection_nothing_happened(server: Server) -> None:
    server.stop()
    with Session(base_url=server.url) as session:
        assert isinstance(error_of(session, "POST"), TryLater)
        assert isinstance(error_of(session, "GET"), TryLater)


def test_a_host_that_does_not_exist_was_not_reached() -> None:
    with Session() as session, pytest.raises(TryLater, match="no connection"):
        session.post("https://nowhere.invalid/v2/things")


def test_a_connection_that_takes_too_long_never_carried_the_request() -> None:
    with responses.RequestsMock() as vendor, Session() as session:
        vendor.post(f"{VENDOR}/v2/things", body=requests.ConnectTimeout("late"))
        with pytest.raises(TryLater, match="no connection in time"):
            session.post(f"{VENDOR}/v2/things")


def test_nothing_is_sent_to_a_host_whose_certificate_is_not_trusted(tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed(tmp_path))
    listener = socket.create_server(("127.0.0.1", 0))
    heard: list[bytes] = []

    def serve() -> None:
        connection, _ = listener.accept()
        with suppress(OSError), context.wrap_socket(connection, server_side=True) as secure:
            heard.append(secure.recv(65536))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    address = f"https://127.0.0.1:{listener.getsockname()[1]}/v2/things"
    with Session() as session, pytest.raises(TryLater, match="certificate"):
        session.post(address)
    thread.join(5)
    listener.close()
    assert heard == []


def self_signed(directory: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2096, 1, 1, tzinfo=UTC))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path = directory / "both.pem"
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return path


# -- statuses ------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [500, 502, 504, 520, 522, 524, 529])
def test_a_failing_service_may_have_written_but_not_read(
    server: Server, session: Session, status: int
) -> None:
    server.then(reply(status, "<html>Bad gateway</html>"), reply(status))
    assert isinstance(error_of(session, "POST"), LookFirst)
    assert isinstance(error_of(session, "GET"), TryLater)


def test_a_rate_limit_makes_everybody_wait_for_the_account(
    server: Server, session: Session
) -> None:
    server.then(reply(429, Retry_After="37"))
    error = error_of(session, "POST")
    assert isinstance(error, TryLater)
    assert error.account_wide
    assert error.retry_after_seconds == 37


def test_an_unavailable_service_did_nothing(server: Server, session: Session) -> None:
    server.then(reply(503, Retry_After="5"), reply(503))
    first, second = error_of(session, "POST"), error_of(session, "POST")
    assert isinstance(first, TryLater)
    assert isinstance(second, TryLater)
    assert (first.retry_after_seconds, first.account_wide) == (5, False)
    assert second.retry_after_seconds is None


@pytest.mark.parametrize("status", [200, 201, 400, 401, 403, 404, 409, 422, 501])
def test_every_other_answer_reaches_the_client(
    server: Server, session: Session, status: int
) -> None:
    server.then(reply(status, '{"whole": true}'))
    response = call(session, "POST")
    assert response.status_code == status
    assert response.json() == {"whole": True}


def test_a_post_that_only_reads_counts_as_a_read(server: Server, session: Session) -> None:
    server.then(reset, reset)
    with session.reading():
        assert isinstance(error_of(session, "POST"), TryLater)
    assert isinstance(error_of(session, "POST"), LookFirst)


def test_a_redirect_is_followed_for_a_read(server: Server, session: Session) -> None:
    server.then(reply(302, Location=f"{VENDOR}/v2/moved"), reply(200, '{"here": 1}'))
    assert session.get(f"{VENDOR}/v2/things").json() == {"here": 1}
    assert [one.line.split()[1] for one in server.heard] == ["/v2/things", "/v2/moved"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_never_followed_for_a_write(
    server: Server, session: Session, status: int
) -> None:
    server.then(reply(status, Location=f"{VENDOR}/v2/moved"))
    error = error_of(session, "POST")
    assert isinstance(error, Paused)
    assert "domain" in str(error)
    assert len(server.heard) == 1


def test_a_redirect_that_leads_nowhere_is_a_failed_read(server: Server, session: Session) -> None:
    server.then(reply(302, Location=f"ftp://files.example/{ADDRESS}"))
    with pytest.raises(TryLater, match=r"^GET /…: the address leads nowhere$"):
        session.get(f"{VENDOR}/v2/things")


# -- Retry-After ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30", 30),
        (" 30 ", 30),
        ("1.5", 1.5),
        ("0", 1),
        ("86400", 3600),
        ("Wed, 25 Nov 2026 12:02:00 GMT", 120),
        ("Wed, 25 Nov 2026 11:00:00 GMT", 1),
        ("Thu, 26 Nov 2026 12:00:00 GMT", 3600),
        ("", None),
        ("-5", None),
        ("soon", None),
        ("nan", None),
        ("99999999999999999999", None),
        ("Wed, 99 Nov 2026 12:02:00 GMT", None),
    ],
)
def test_retry_after_is_read_in_both_forms_clamped_and_never_trusted(
    text: str, seconds: float | None
) -> None:
    assert retry_after_seconds({"Retry-After": text}, NOON) == seconds


def test_a_retry_after_date_counts_from_the_clock_of_the_far_side() -> None:
    headers = {
        "Retry-After": "Wed, 25 Nov 2026 09:00:30 GMT",
        "Date": "Wed, 25 Nov 2026 09:00:00 GMT",
    }
    assert retry_after_seconds(headers, NOON) == 30


# -- what goes out -------------------------------------------------------------------------------


def test_base_url_replaces_the_host_and_the_client_keeps_its_own_view(server: Server) -> None:
    server.then(reply(200))
    with Session(base_url=f"{server.url}/gateway/") as session:
        response = session.get("https://acme.vendor.example/v2/things?a=1%2F2&b=%C3%A9")
    assert server.heard[0].line == "GET /gateway/v2/things?a=1%2F2&b=%C3%A9 HTTP/1.1"
    assert response.url == "https://acme.vendor.example/v2/things?a=1%2F2&b=%C3%A9"
    assert response.request.url == response.url


def test_a_proxy_meant_for_the_vendor_is_not_asked_for_the_base_url(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    server.then(reply(200))
    with Session(base_url=server.url) as session:
        assert session.get(f"{VENDOR}/v2/things").ok


def test_frozen_bytes_go_out_exactly_with_their_headers(server: Server, session: Session) -> None:
    server.then(reply(200), reply(201), reply(201))
    frozen = b'{"frozen":  "\xc3\xa9"}'
    with session.exactly(frozen, {"Idempotency-Key": "nps-1"}):
        session.get(f"{VENDOR}/v2/things")
        session.post(f"{VENDOR}/v2/things", json={"other": "words"})
    session.post(f"{VENDOR}/v2/things", json={"later": 1})
    read, write, later = server.heard
    assert (read.body, read.headers.get("idempotency-key")) == (b"", None)
    assert write.body == frozen
    assert write.headers["content-length"] == str(len(frozen))
    assert write.headers["content-type"] == "application/json"
    assert write.headers["idempotency-key"] == "nps-1"
    assert b"later" in later.body
    assert "idempotency-key" not in later.headers


def test_frozen_bytes_replace_a_streamed_body_whole(server: Server, session: Session) -> None:
    server.then(reply(201))
    with session.exactly(b'{"frozen": 1}'):
        session.post(f"{VENDOR}/v2/things", data=iter([b"a", b"b"]))
    assert server.heard[0].body == b'{"frozen": 1}'
    assert "transfer-encoding" not in server.heard[0].headers


def test_a_client_that_logs_in_again_half_way_repeats_the_frozen_bytes(
    server: Server, session: Session
) -> None:
    server.then(reply(401), reply(200), reply(201))
    with session.exactly(b'{"frozen": 1}'):
        session.patch(f"{VENDOR}/v2/things/1", json={})
        with session.reading():
            session.post(f"{VENDOR}/token", data={"grant_type": "x"})
        session.patch(f"{VENDOR}/v2/things/1", json={})
    assert [one.body for one in server.heard] == [
        b'{"frozen": 1}',
        b"grant_type=x",
        b'{"frozen": 1}',
    ]


def test_another_write_inside_does_not_get_the_frozen_bytes(
    server: Server, session: Session
) -> None:
    server.then(reply(201), reply(201))
    with session.exactly(b'{"frozen": 1}'):
        session.post(f"{VENDOR}/v2/things", json={})
        session.post(f"{VENDOR}/v2/others", json={"own": 1})
    assert [one.body for one in server.heard] == [b'{"frozen": 1}', b'{"own": 1}']


def test_a_meter_hears_of_every_request_and_of_every_answer(server: Server) -> None:
    calls: list[int] = []
    left: list[str | None] = []

    class Listening(Meter):
        def call(self) -> None:
            calls.append(len(server.heard))

        def hear(self, headers: Mapping[str, str]) -> None:
            left.append(headers.get("X-Left"))

    moved = reply(302, Location=f"{VENDOR}/v2/moved")
    server.then(moved, reply(200, **{"X-Left": "3"}), reply(429, **{"X-Left": "0"}))
    with Session(base_url=server.url) as session:
        session.report_to(Listening(Allowance()))
        session.get(f"{VENDOR}/v2/things")
        with pytest.raises(TryLater, match="429"):
            session.get(f"{VENDOR}/v2/things")
    assert calls == [0, 1, 2]  # each step of a redirect is a request, too
    assert (left[0], left[-1]) == ("3", "0")


def test_a_netrc_of_the_machine_does_not_replace_our_credentials(
    server: Server, session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine api.vendor.example login other password other\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    server.then(reply(200))
    call(session, "GET")
    assert server.heard[0].headers["authorization"] == f"Bearer {SECRET}"


def test_no_cookie_outlives_the_answer_that_set_it(server: Server, session: Session) -> None:
    server.then(reply(200, Set_Cookie="session=kept; Path=/"), reply(200))
    session.get(f"{VENDOR}/v2/things")
    session.get(f"{VENDOR}/v2/things")
    assert "cookie" not in server.heard[1].headers


# -- what is said --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/v2/tickets/35436.json", "/v2/tickets/35436.json"),
        ("/contacts/jane%40example.com/tasks", "/contacts/…/tasks"),
        ("/services/T0/B0/abcdefghijklmnopqrstuvwx", "/services/T0/B0/…"),
    ],
)
def test_addresses_and_tokens_in_a_path_are_left_out(
    server: Server, session: Session, path: str, shown: str
) -> None:
    server.then(reset)
    with pytest.raises(LookFirst) as caught:
        session.post(f"{VENDOR}{path}?q=secret")
    assert f"POST {shown}:" in str(caught.value)


def test_the_log_shows_no_query_even_at_debug_level(
    server: Server, session: Session, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.then(reply(200))
    call(session, "POST")
    assert SECRET not in caplog.text
    assert ADDRESS not in caplog.text
