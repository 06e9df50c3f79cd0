"""`messages list --titular`: a person's requests, named on stdin and never in an argument."""

import base64
import json
from dataclasses import replace

from infra.local.rest import Rest
from smartlink.domain.titular import TitularKeys
from tests.cli.place import Place
from tests.support.samples import done, pending

KEY = "k" * 40
CPF = "52998224725"
LIST = ("messages", "list", "--titular", "--tenant", "acme", "--reason", "art. 18")


def furnish(place: Place) -> None:
    hashed = TitularKeys((KEY.encode(),)).written("CPF", CPF)
    assert hashed
    url = f"http://{place.hosts.secrets}/v1/projects/{place.project}/secrets"
    secret = {"replication": {"automatic": {}}, "labels": {"smartlink": "titular"}}
    Rest().call("POST", f"{url}?secretId=smartlink-titular-acme", secret)
    data = base64.b64encode(json.dumps({"keys": [KEY]}).encode()).decode()
    Rest().call("POST", f"{url}/smartlink-titular-acme:addVersion", {"payload": {"data": data}})
    place.keep("acme", replace(pending("alive"), titular=(hashed,)), pending("other"))
    place.end("acme", *done(replace(pending("gone"), titular=(hashed,))))


def test_a_persons_requests(place: Place) -> None:
    """However the CPF is written; on the emulator's own index; who looked is in the log."""
    furnish(place)
    for written in ("529.982.247-25\n", CPF, f"CPF={CPF}", f" cpf = {CPF[:9]}-{CPF[9:]} \n"):
        ran = place.run(*LIST, "--json", text=written)
        assert ran.code == 0, ran.err
        assert [it["id"] for it in ran.json] == ["alive", "gone"]
    screen = place.run(*LIST, text=CPF)
    assert (screen.code, screen.err) == (0, "")
    rows = [line.split()[:3] for line in screen.out.splitlines() if "SGDPDataCommand" in line]
    assert rows == [
        ["alive", "SGDPDataCommand", "Pendente"],
        ["gone", "SGDPDataCommand", "Concluida"],
    ]
    nobody = place.run(*LIST, text="ana@example.com")
    assert "No request of this person is known" in nobody.out
    lines = place.run("logs", "--tenant", "acme", "--message", "titular", "--json").json
    assert len(lines) == 6
    assert all("ana looked for the requests of Titular" in it["text"] for it in lines)
    assert CPF not in json.dumps(lines)


def test_what_it_refuses(place: Place) -> None:
    """Nothing is guessed, nothing is quoted, and nobody looks without a reason."""
    furnish(place)
    for text in ("", "\n", "12345", "RG=", "=1", "Ana Silva"):
        ran = place.run(*LIST, text=text)
        assert (ran.code, ran.out) == (2, ""), text
        assert "write it as KIND=VALUE" in ran.err
        assert not {"12345", "Ana", "Silva"} & set(ran.err.split())
    for wrong in (LIST[:-2], (*LIST[:3], "--reason", "x"), (*LIST, "--history")):
        assert place.run(*wrong, text=CPF).code == 2
    missing = place.run(*LIST[:4], "globex", *LIST[5:], text=CPF)
    assert missing.code == 3
    assert "smartlink-titular-globex" in missing.err
