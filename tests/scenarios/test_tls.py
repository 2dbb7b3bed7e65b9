"""Who may come in by MLLP: a certificate is bound to its feed, MSH-3|MSH-4 chooses among those that are left."""

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from tests.isthmus import Isthmus, running
from tests.mllp import Line, code
from tests.scenarios.messages import message, person


class Papers:
    """A hospital's CA with a server's certificate and three senders', and the certificate of a stranger's CA."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ca = trustme.CA()
        self.ca.cert_pem.write_to_path(str(folder / "ca.pem"))
        served = self.ca.issue_cert("localhost")
        served.private_key_pem.write_to_path(str(folder / "server.key"))
        served.cert_chain_pems[0].write_to_path(str(folder / "server.pem"))
        names = ("east.example.org", "west.example.org", "unbound.example.org")
        self.senders = {name.partition(".")[0]: self.ca.issue_cert(name) for name in names}
        self.senders["stranger"] = trustme.CA().issue_cert("east.example.org")

    @property
    def served(self) -> dict[str, object]:
        """The settings of a feed with TLS."""
        return {"certificate": str(self.folder / "server.pem"), "private-key": str(self.folder / "server.key")}

    @property
    def mutual(self) -> dict[str, object]:
        """The settings of a feed that asks for certificates."""
        return self.served | {"client-ca": str(self.folder / "ca.pem")}

    def showing(self, sender: str | None) -> ssl.SSLContext:
        """A sender's context, with its certificate or none."""
        context = ssl.create_default_context(cafile=str(self.folder / "ca.pem"))
        if sender:
            self.senders[sender].configure_cert(context)
        return context


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    """All certificates of this file."""
    return Papers(tmp_path_factory.mktemp("papers"))


@pytest.fixture(scope="module")
def isthmus(backend: str, tmp_path_factory: pytest.TempPathFactory, papers: Papers) -> Iterator[Isthmus]:
    """A feed with TLS, one bound to a certificate, and two shared ports: three feeds told apart in both ways, and two
    of two tenants of which one is bound and the other is open to every certificate of the CA.
    """
    made = Isthmus(tmp_path_factory.mktemp("tls"), feed={"senders": ["SCHED|NORTH"]}, tenants=("main", "other"))
    made.client("guest", ["admin"], "other")
    made.peer("served", papers.served)
    made.peer("bound", papers.mutual | {"certificates": ["DNS:east.example.org"]})
    shared = made.peer("east", papers.mutual | {"certificates": ["DNS:east.example.org"]})
    west = papers.mutual | {"certificates": ["DNS:west.example.org"]}
    made.peer("west", west | {"senders": ["SCHED|WEST"]}, port=shared)
    made.peer("lab", west | {"senders": ["LAB|WEST"]}, port=shared)
    mixed = made.peer("clinic", papers.mutual | {"certificates": ["DNS:east.example.org"], "max-bytes": 2000})
    made.peer("anyone", papers.mutual | {"senders": ["SCHED|NORTH"]}, tenant="other", port=mixed)
    with running(made) as started:
        yield started


def hello(control: str, sender: str = "SCHED|NORTH", msh: str = "") -> bytes:
    return message("ADT^A31", control, "EVN|A31|20250110", person(), sender=sender, msh=msh)


def knock(port: int, raw: bytes, context: ssl.SSLContext | None = None) -> str:
    """The code that comes back; nothing where the handshake fails or the line is closed."""
    try:
        with Line(port, context=context) as line:
            return code(line.say(raw))
    except (ssl.SSLError, ConnectionError):
        return ""


def feed_of(isthmus: Isthmus, control: str) -> list[str]:
    """By which feed a message was kept; nothing if it was not."""
    found = [isthmus.ask("GET", f"/v1/messages?controlId={control}", client=one).json for one in ("admin", "guest")]
    return [one["feed"] for page in found for one in page["items"]]


def test_tls(isthmus: Isthmus, papers: Papers) -> None:
    """A feed with a certificate speaks TLS, and with whoever trusts it."""
    assert "AA" == knock(isthmus.ports["served"], hello("T1"), papers.showing(None))
    assert ["served"] == feed_of(isthmus, "T1")


@pytest.mark.parametrize("feed", ["served", "bound", "east"])
def test_nobody_comes_in_in_the_clear(isthmus: Isthmus, feed: str) -> None:
    """Plain bytes on a TLS port are a failed handshake, and nothing is kept."""
    assert "" == knock(isthmus.ports[feed], hello("T2"))
    assert [] == feed_of(isthmus, "T2")


def test_a_certificate_opens_its_feed(isthmus: Isthmus, papers: Papers) -> None:
    """mTLS with the certificate that the feed names."""
    assert "AA" == knock(isthmus.ports["bound"], hello("T3"), papers.showing("east"))
    assert ["bound"] == feed_of(isthmus, "T3")


@pytest.mark.parametrize("sender", [None, "stranger"])
def test_who_has_no_certificate_of_the_ca_is_not_let_in(isthmus: Isthmus, papers: Papers, sender: str | None) -> None:
    """Not without one, and not with the right name from another CA."""
    assert "" == knock(isthmus.ports["bound"], hello("T4"), papers.showing(sender))
    assert [] == feed_of(isthmus, "T4")


@pytest.mark.parametrize(("msh", "answer"), [("", "AR"), ("|||AL|AL", "CR"), ("|||NE|NE", "")])
def test_another_certificate_of_the_ca_is_turned_away(isthmus: Isthmus, papers: Papers, msh: str, answer: str) -> None:
    """It may connect, and is told that this door is not open to it; nothing is kept, and it is counted."""
    with Line(isthmus.ports["bound"], context=papers.showing("unbound")) as line:
        line.send(hello("T5", msh=msh))
        said = line.say(hello("T6")) or b""  # where nothing comes for the first, this is the answer to the second
    metrics = isthmus.ask("GET", "/metrics", client=None).body.decode()

    assert (answer or "AR", b"|T5\r" in said) == (code(said), bool(answer))
    assert b"ERR||MSH^1^3|207" in said
    assert [] == feed_of(isthmus, "T5") + feed_of(isthmus, "T6")
    assert 'isthmus_messages_total{feed="bound",outcome="turned_away",type="ADT"}' in metrics


@pytest.mark.parametrize(
    ("sender", "says", "feed"),
    [
        ("east", "ANY|ONE", "east"),
        ("west", "SCHED|WEST", "west"),
        ("west", "LAB|WEST", "lab"),
        ("west", "ERP|WEST", None),
        ("unbound", "LAB|WEST", None),
    ],
)
def test_a_shared_port(isthmus: Isthmus, papers: Papers, sender: str, says: str, feed: str | None) -> None:
    """The certificate leaves some feeds, and of these MSH-3|MSH-4 takes one; else AR, and nothing is kept."""
    control = f"S-{sender}-{says[:3]}"
    assert ("AA" if feed else "AR") == knock(isthmus.ports["east"], hello(control, says), papers.showing(sender))
    assert ([feed] if feed else []) == feed_of(isthmus, control)


@pytest.mark.parametrize(
    ("sender", "says", "feed"),
    [
        ("east", "SCHED|NORTH", "clinic"),
        ("east", "LAB|WEST", "clinic"),
        ("unbound", "SCHED|NORTH", "anyone"),
        ("unbound", "LAB|WEST", None),
    ],
)
def test_a_bound_certificate_goes_to_no_open_feed(
    isthmus: Isthmus, papers: Papers, sender: str, says: str, feed: str | None
) -> None:
    """Whatever MSH-3|MSH-4 says: who shows a certificate that a feed names is that feed's alone, of its tenant."""
    control = f"M-{sender}-{says[:3]}"
    assert ("AA" if feed else "AR") == knock(isthmus.ports["clinic"], hello(control, says), papers.showing(sender))
    assert ([feed] if feed else []) == feed_of(isthmus, control)


def test_the_largest_message_is_the_feed_s_own(isthmus: Isthmus, papers: Papers) -> None:
    """On a shared port too: what its neighbour would take is refused, not kept, and the connection goes on."""
    padded = "|".join(["", "", "", "AL", "AL", *["x" * 3000]])
    with Line(isthmus.ports["clinic"], context=papers.showing("east")) as line:
        refused = line.say(hello("L1", msh=padded))
        taken = line.say(hello("L2"))
    neighbour = knock(isthmus.ports["clinic"], hello("L3", msh="|||||" + "x" * 3000), papers.showing("unbound"))

    assert ["CR", "AA", "AA"] == [code(refused), code(taken), neighbour]
    assert [[], ["clinic"], ["anyone"]] == [feed_of(isthmus, one) for one in ("L1", "L2", "L3")]


def test_a_feed_of_its_own_shows_who_knocked(isthmus: Isthmus) -> None:
    """On a port with one feed a sender that is not listed is refused and kept: its owner will want to see it."""
    assert ["AR", "AA"] == [knock(isthmus.mllp, hello(says[:1], says)) for says in ("A|B", "SCHED|NORTH")]
    (refused,) = isthmus.all("/v1/messages?controlId=A")

    assert ("refused", ["ROUTE"]) == (refused["state"], [one["code"] for one in refused["problems"]])
