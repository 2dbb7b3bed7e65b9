"""A payer: a process that answers 270 and 278 in real time over CAQH CORE's HTTP MIME envelope.

    python tests/simulators/payer.py [--port 0] [--host 127.0.0.1] [--pause 3]

It prints one JSON line when it listens (`{"port": N}`). Its X12 is written and cut here with plain string work, and the
envelope is read by a library, so that a mistake of ours is not shared. What it does follows from the member id:

    COVERED      everything asked about is covered; an MRI (62) needs leave
    NOTCOVERED   an active plan that does not cover what was asked about
    INACTIVE     a plan that ended
    NOBODY       AAA 75 at the subscriber, correct and resubmit
    BUSY         AAA 42 at the payer, resubmit
    CORRECTED    covered, with another first name and date of birth than was asked with
    APPROVED     (278) every service certified; DENIED, CONTACT likewise
    PENDED       (278) the first service certified and the others pended; all certified when the same is asked again
    REFUSED      a 999 that rejects the transaction
    STRANGER     the answer to somebody else's question
    CUT          an answer that ends in its middle
    MISCOUNTED   an answer whose control numbers differ
    ENVELOPE     a CORE envelope error: PayloadTypeNotSupported
    RECEIVER     a CORE envelope error: Receiver
    SLOW         the answer comes after a pause
    DOWN         503; DROP closes the connection; GARBLED answers 200 with something else; ACCEPTED answers 202

    POST /core                 a question
    GET  /asked                [{"payloadId", "payloadType", "member", "at"}]
"""

import argparse
import asyncio
import json
import sys
import time
import uuid
from http import HTTPStatus
from io import BytesIO
from typing import Any

from multipart import MultipartError, MultipartParser, parse_options_header

Response = tuple[int, dict[str, str], bytes]
REQUIRED = ("PayloadType", "ProcessingMode", "PayloadID", "TimeStamp", "SenderID", "ReceiverID", "CORERuleVersion")
ANSWERS = {
    "X12_270_Request_005010X279A1": "X12_271_Response_005010X279A1",
    "X12_278_Request_005010X217": "X12_278_Response_005010X217",
}


class Asked:
    """A question taken apart: its segments, and what the answer needs of them."""

    def __init__(self, payload: bytes) -> None:
        text = payload.decode("ascii")
        assert text.startswith("ISA"), "no interchange"
        self.element, self.component, self.repetition, self.end = text[3], text[104], text[82], text[105]
        self.segments = [one.strip("\r\n").split(self.element) for one in text.split(self.end) if one.strip()]
        assert self.first("IEA")[2] == self.first("ISA")[13], "control numbers"
        self.member = next((one[9] for one in self.segments if one[:2] == ["NM1", "IL"] and len(one) > 9), "")
        self.kind = self.first("ST")[1]

    def first(self, name: str, n: int = 0) -> list[str]:
        return [one for one in self.segments if one[0] == name][n]

    def text(self, segment: list[str]) -> str:
        return "*".join(segment).replace(self.component, ":").replace(self.repetition, "^")

    def answer(self, kind: str, lines: list[str], group: str) -> bytes:
        """Segments in an envelope that goes back, with `*:^~` whatever the question was written with."""
        isa, gs, st = self.first("ISA"), self.first("GS"), self.first("ST")
        head = ["ISA", *isa[1:5], isa[7], isa[8], isa[5], isa[6], *isa[9:11], "^", isa[12], "000000777", "0", isa[15]]
        body = [
            "*".join([*head, ":"]),
            f"GS*{group}*{gs[3]}*{gs[2]}*{gs[4]}*{gs[5]}*1*X*{gs[8]}",
            f"ST*{kind}*0001*{st[3]}",
            *lines,
            f"SE*{len(lines) + 2}*0001",
            "GE*1*1",
            "IEA*1*000000777",
        ]
        return "".join(f"{line}~" for line in body).encode()


class Payer:
    """What it was asked, and which requests it has pended."""

    def __init__(self, pause: float) -> None:
        self.pause = pause
        self.asked: list[dict[str, Any]] = []
        self.pended: set[str] = set()

    async def respond(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Response | None:
        if method == "GET" and path == "/asked":
            return 200, {"content-type": "application/json"}, json.dumps(self.asked).encode()
        if method != "POST" or path != "/core":
            return 404, {}, b""
        fields = read_fields(headers.get("content-type", ""), body)
        if fields is None:
            return 400, {}, b"no multipart/form-data"
        missing = next((name for name in REQUIRED if not fields.get(name)), None)
        if missing:
            return enveloped(fields, "CoreEnvelopeError", f"{missing}Required", b"")
        if fields["ProcessingMode"] != b"RealTime":
            return enveloped(fields, "CoreEnvelopeError", "ProcessingModeNotSupported", b"")
        uuid.UUID(fields["PayloadID"].decode())
        return await self.play(fields, Asked(fields["Payload"]))

    async def play(self, fields: dict[str, bytes], asked: Asked) -> Response | None:
        """The scenario of this member."""
        kind = fields["PayloadType"].decode()
        scenario = asked.member.rstrip("0123456789")
        known = {"payloadId": fields["PayloadID"].decode(), "payloadType": kind, "member": asked.member}
        self.asked.append({**known, "at": time.time()})
        match scenario:
            case "DOWN":
                return 503, {"retry-after": "7"}, b""
            case "DROP":
                return None
            case "GARBLED":
                return 200, {"content-type": "text/html"}, b"<html>maintenance</html>"
            case "ACCEPTED":
                return 202, {}, b""
            case "ENVELOPE":
                return enveloped(fields, "CoreEnvelopeError", "PayloadTypeNotSupported", b"")
            case "RECEIVER":
                return enveloped(fields, "CoreEnvelopeError", "Receiver", b"")
            case "REFUSED":
                return enveloped(fields, "X12_999_Response_005010X231A1", "Success", rejection(asked))
            case "SLOW":
                await asyncio.sleep(self.pause)
        if kind not in ANSWERS:
            return enveloped(fields, "CoreEnvelopeError", "PayloadTypeIllegal", b"")
        answer = benefits(asked, scenario) if asked.kind == "270" else self.review(asked, scenario)
        return enveloped(fields, ANSWERS[kind], "Success", spoilt(answer, scenario))

    def review(self, asked: Asked, scenario: str) -> bytes:
        """The decision about every service that was asked for."""
        trace = asked.first("TRN")[2]
        action, final = {"DENIED": "A3", "CONTACT": "CT"}.get(scenario, "A1"), "18"
        if scenario == "PENDED" and trace not in self.pended:
            self.pended.add(trace)
            action, final = "A4", "19"
        return reviewed(asked, scenario, action, final)


def read_fields(content_type: str, body: bytes) -> dict[str, bytes] | None:
    kind, options = parse_options_header(content_type)
    if kind != "multipart/form-data" or "boundary" not in options:
        return None
    try:
        parts = MultipartParser(BytesIO(body), options["boundary"], strict=True)
        return {part.name: part.raw for part in parts}
    except MultipartError:
        return None


def enveloped(fields: dict[str, bytes], kind: str, error: str, payload: bytes) -> Response:
    """CORE's envelope around an answer."""
    mark = "payer-answers"
    given = {
        "PayloadType": kind.encode(),
        "ProcessingMode": b"RealTime",
        "PayloadID": str(uuid.uuid4()).encode(),
        "TimeStamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()).encode(),
        "SenderID": fields.get("ReceiverID", b""),
        "ReceiverID": fields.get("SenderID", b""),
        "CORERuleVersion": fields.get("CORERuleVersion", b"2.2.0"),
        "ErrorCode": error.encode(),
        "ErrorMessage": b"" if error == "Success" else b"see ErrorCode",
        "Payload": payload,
    }
    body = b"".join(
        b'--%b\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n' % (mark.encode(), name.encode(), value)
        for name, value in given.items()
        if value or name != "Payload"
    )
    return 200, {"content-type": f"multipart/form-data; boundary={mark}"}, body + b"--%b--\r\n" % mark.encode()


def people(asked: Asked, purpose: str, final: str, upto: int, scenario: str) -> list[str]:
    """The header and the levels down to the patient as they were asked with, the traces turned into theirs."""
    bht = asked.first("BHT")
    lines = [f"BHT*{bht[1]}*{purpose}*{bht[3]}*{bht[4]}*{bht[5]}{f'*{final}' if final else ''}"]
    for segment in asked.segments[asked.segments.index(bht) + 1 : upto]:
        text = asked.text(segment)
        if segment[0] == "TRN":
            trace = "SOMEBODYELSE" if scenario == "STRANGER" else segment[2]
            text = f"TRN*2*{trace}*{segment[3]}"
        if scenario == "CORRECTED" and segment[:2] == ["NM1", "IL"]:
            text = text.replace(f"*{segment[3]}*{segment[4]}*", f"*{segment[3]}*CORINNA*")
        if scenario == "CORRECTED" and segment[0] == "DMG":
            text = f"DMG*D8*19501224*{segment[3] if len(segment) > 3 else 'U'}"
        if segment[0] != "DTP":
            lines.append(text)
        if scenario == "BUSY" and segment[:2] in (["NM1", "PR"], ["NM1", "X3"]):
            lines.append("AAA*Y**42*R")
        if scenario == "NOBODY" and segment[:2] == ["NM1", "IL"]:
            lines.append("AAA*N**75*C")
    return lines


def benefits(asked: Asked, scenario: str) -> bytes:
    """A 271."""
    first = next(n for n, one in enumerate(asked.segments) if one[0] == "EQ")
    lines = people(asked, "11", "", first, scenario)
    types = [one for segment in asked.segments if segment[0] == "EQ" for one in segment[1].split(asked.repetition)]
    if scenario in ("NOBODY", "BUSY"):
        return asked.answer("271", lines, "HB")
    lines.append("DTP*346*D8*20200101")
    if scenario == "INACTIVE":
        return asked.answer("271", [*lines, "DTP*347*D8*20201231", "EB*6**30"], "HB")
    lines.append("EB*1**30*HM*GOLD HMO")
    status = "I" if scenario == "NOTCOVERED" else "1"
    for one in types:
        if one and one != "30":
            lines += [f"EB*{status}**{one}"]
            lines += [f"EB*A*IND*{one}*****.2***Y*Y", "MSG*CALL US FIRST"] if one == "62" and status == "1" else []
    return asked.answer("271", [*lines, "EB*C*IND*30***29*412.5*****Y"], "HB")


def reviewed(asked: Asked, scenario: str, action: str, final: str) -> bytes:
    """A 278 answer: the event as it was asked with, and each service with its decision."""
    events = [n for n, one in enumerate(asked.segments) if one[0] == "HL" and one[3] == "EV"]
    services = [n for n, one in enumerate(asked.segments) if one[0] == "HL" and one[3] == "SS"]
    end = next(n for n, one in enumerate(asked.segments) if one[0] == "SE")
    lines = people(asked, "11", final, (services or [end])[0], scenario)
    if scenario in ("NOBODY", "BUSY"):
        lines = people(asked, "11", final, events[0], scenario)
        return asked.answer("278", lines, "HI")
    lines = [line for line in lines if not line.startswith("NM1*DK")]
    for place, (begin, stop) in enumerate(zip(services, [*services[1:], end], strict=True)):
        decision = "A1" if action == "A4" and place == 0 else action
        for segment in asked.segments[begin:stop]:
            trace = segment[0] == "TRN"
            lines.append(f"TRN*2*{segment[2]}*{segment[3]}" if trace else asked.text(segment))
            if trace and scenario == "STRANGER":
                lines[-1] = f"TRN*2*SOMEBODYELSE{place}*{segment[3]}"
            if trace:
                lines.append({"A1": f"HCR*A1*AUTH{place + 1}", "A4": "HCR*A4**0U"}.get(decision, f"HCR*{decision}**0V"))
    return asked.answer("278", lines, "HI")


def rejection(asked: Asked) -> bytes:
    """A 999 that rejects what was asked."""
    gs, st = asked.first("GS"), asked.first("ST")
    lines = [
        f"AK1*{gs[1]}*{gs[6]}*{gs[8]}",
        f"AK2*{st[1]}*{st[2]}*{st[3]}",
        "IK3*NM1*9*2100C*8",
        "IK4*9*67*1",
        "IK5*R*5",
        "AK9*R*1*1*0",
    ]
    return asked.answer("999", lines, "FA").replace(gs[8].encode() + b"~ST", b"005010X231A1~ST", 1)


def spoilt(answer: bytes, scenario: str) -> bytes:
    if scenario == "CUT":
        return answer[: len(answer) // 2]
    if scenario == "MISCOUNTED":
        return answer.replace(b"IEA*1*000000777", b"IEA*1*000000778")
    return answer


class Connection(asyncio.Protocol):
    """HTTP/1.1 as far as this needs it: one request after another, each with its content-length."""

    def __init__(self, payer: Payer) -> None:
        self.payer = payer
        self.buffer = b""
        self.working: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            first, *rest = self.buffer[:end].decode("latin-1").split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)}
            stop = end + 4 + int(headers.get("content-length", 0))
            if len(self.buffer) < stop:
                return
            method, path, _ = first.split(" ")
            task = asyncio.create_task(self.work(method, path, headers, self.buffer[end + 4 : stop]))
            self.working.add(task)
            task.add_done_callback(self.working.discard)
            self.buffer = self.buffer[stop:]

    async def work(self, method: str, path: str, headers: dict[str, str], body: bytes) -> None:
        try:
            answer = await self.payer.respond(method, path, headers, body)
        except Exception as fault:  # what it cannot make sense of is the sender's fault, and is told
            answer = 400, {}, type(fault).__name__.encode()
        if answer is None:
            self.transport.abort()
            return
        status, given, content = answer
        lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *(f"{name}: {one}" for name, one in given.items())]
        self.transport.write("\r\n".join([*lines, f"content-length: {len(content)}", "", ""]).encode() + content)


async def serve(arguments: argparse.Namespace) -> None:
    payer = Payer(arguments.pause)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(payer), arguments.host, arguments.port)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--pause", type=float, default=3.0, help="seconds before a SLOW answer")
    try:
        asyncio.run(serve(parser.parse_args()))
    except KeyboardInterrupt:
        sys.exit(0)


if __name__ == "__main__":
    main()
