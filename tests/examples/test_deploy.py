"""The deployment files are read by what reads them, and name nothing that does not exist."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

import guardkit
from guardkit.cli._main import app
from guardkit.guard import loads
from guardkit.server._counters import Counters
from guardkit.server._exposition import joined, labelled
from guardkit.telemetry import Monitors
from guardkit.types import Ledger

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "examples" / "deploy"
UNIT = DEPLOY / "guardkit.service"

POLICY = """guardkit 1
policy watched
  title "Watched"
  owner "a@b.example"
  version "1"

check forbidden = pattern { match /FORBIDDEN/ }

rule stop {
  tier safety
  on   input, output
  when forbidden
  then block "No."
}

monitor attacks {
  watch stop on input
  alarm above 5% over 1h
}
"""


def text_of(name: str) -> str:
    return (DEPLOY / name).read_text(encoding="utf-8")


def yaml_of(name: str) -> list[Any]:
    yaml = pytest.importorskip("yaml")
    return list(yaml.safe_load_all(text_of(name)))


# --- every command line


def run_by_the_unit() -> list[str]:
    lines = text_of("guardkit.service").replace("\\\n", " ").splitlines()
    (command,) = [line for line in lines if line.startswith("ExecStart=")]
    return shlex.split(command.removeprefix("ExecStart="))


def run_by_compose() -> list[list[str]]:
    (compose,) = yaml_of("compose.yaml")
    services = compose["services"]
    return [
        ["guardkit", "serve", *service["command"]]
        for name, service in services.items()
        if name.startswith("guardkit")
    ]


def pod() -> Any:
    (found,) = [doc for doc in yaml_of("kubernetes.yaml") if doc["kind"] == "StatefulSet"]
    return found["spec"]["template"]["spec"]


def run_by_kubernetes() -> list[str]:
    (container,) = pod()["containers"]
    return ["guardkit", "serve", *container["args"]]


def parsed(command: list[str], folder: Path) -> dict[str, Any]:
    """What the command line of `guardkit serve` makes of it; files it names are put there first."""
    assert Path(command[0]).name == "guardkit"
    assert command[1] == "serve"
    arguments = []
    for word in command[2:]:
        option, equals, value = word.partition("=")
        place = value if equals else word
        if place.startswith("/"):
            file = folder / place.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            if not file.exists():
                file.write_text("", encoding="utf-8")
            word = f"{option}={file}" if equals else str(file)
        arguments.append(word)
    with click.Context(app) as above:
        serve = app.get_command(above, "serve")
        assert serve is not None
        with serve.make_context("serve", arguments, parent=above) as context:
            return dict(context.params)


def every_command() -> list[tuple[str, list[str]]]:
    found = [("unit", run_by_the_unit()), ("kubernetes", run_by_kubernetes())]
    return found + [(f"compose-{n}", one) for n, one in enumerate(run_by_compose(), 1)]


def test_every_command_line_is_one_that_the_cli_takes(tmp_path: Path) -> None:
    for name, command in every_command():
        told = parsed(command, tmp_path / name)
        assert told["upstream"] == "https://models.example/v1", name
        assert told["keys"] is not None, name
        assert told["audit"].endswith("/var/lib/guardkit/audit.db"), name
        assert told["log_format"] == "json", name
        assert not told["insecure"], name


def test_a_command_line_with_a_word_too_much_is_found(tmp_path: Path) -> None:
    with pytest.raises(click.UsageError):
        parsed([*run_by_the_unit(), "--surplus"], tmp_path)


def test_whoever_stops_the_server_waits_longer_than_it_drains(tmp_path: Path) -> None:
    drain = parsed(run_by_the_unit(), tmp_path)["drain_s"]
    stops = re.search(r"^TimeoutStopSec=(\d+)$", text_of("guardkit.service"), re.M)
    assert stops is not None
    assert int(stops[1]) > drain
    (compose,) = yaml_of("compose.yaml")
    for name in ("guardkit-1", "guardkit-2"):
        assert int(compose["services"][name]["stop_grace_period"].rstrip("s")) > drain
    (container,) = pod()["containers"]
    sleeps = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pod()["terminationGracePeriodSeconds"] > drain + sleeps


# --- the unit


def test_the_unit_is_one_for_systemd(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("platform: systemd-analyze is not installed")
    here = tmp_path / "guardkit.service"
    text = text_of("guardkit.service").replace("/opt/guardkit/bin/guardkit", "/bin/true")
    here.write_text(text, encoding="utf-8")

    def said(*arguments: str) -> tuple[int, str]:
        done = subprocess.run(
            [program, *arguments, str(here)], capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout + done.stderr

    # It names whatever it does not understand, and ends with 0 all the same.
    code, told = said("verify")
    assert (code, [line for line in told.splitlines() if here.name in line]) == (0, [])
    code, told = said("security", "--offline=true", "--threshold=20")
    assert code == 0, told.splitlines()[-1]


def test_the_unit_locks_the_server_in() -> None:
    lines = set(text_of("guardkit.service").splitlines())
    assert {"NoNewPrivileges=yes", "ProtectSystem=strict", "CapabilityBoundingSet="} <= lines
    assert {"User=guardkit", "LimitCORE=0", "UMask=0077"} <= lines


# --- the containers


def test_the_image_is_built_of_what_there_is() -> None:
    text = text_of("Containerfile")
    copied = re.findall(r"^COPY (?!--from)(.+)$", text, re.M)
    names = {word for line in copied for word in line.split()[:-1]}
    assert all((ROOT / name).exists() for name in names)
    let_in = set(re.findall(r"^!(\S+)$", text_of("Containerfile.dockerignore"), re.M))
    assert let_in == names
    installed = re.search(r'"\.\[([a-z,]+)\]"', text)
    assert installed is not None
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert set(installed[1].split(",")) <= set(project["optional-dependencies"])
    assert {"serve", "redis", "otel"} <= set(installed[1].split(","))


def test_the_image_runs_as_nobody_and_asks_itself_whether_it_is_ready() -> None:
    text = text_of("Containerfile")
    assert re.findall(r"^FROM (\S+)", text, re.M) == ["python:3.11-slim"] * 2  # no registry
    assert re.findall(r"^USER (\S+)$", text, re.M) == ["10001:10001"]
    asked = re.search(r"^  CMD (\[.*\])$", text, re.M)
    assert asked is not None
    python, flag, program = json.loads(asked[1])
    assert (python, flag) == ("python", "-c")
    compile(program, "healthcheck", "exec")
    assert "/readyz" in program


def test_the_replicas_of_compose_differ_in_their_address_and_their_log_only() -> None:
    (compose,) = yaml_of("compose.yaml")
    one, two = (dict(compose["services"][name]) for name in ("guardkit-1", "guardkit-2"))
    assert one.pop("ports") != two.pop("ports")
    assert one.pop("volumes") != two.pop("volumes")
    assert one == two
    assert one["read_only"]
    assert one["cap_drop"] == ["ALL"]
    redis = compose["services"]["redis"]
    assert redis["networks"] == ["back"]
    assert compose["networks"]["back"]["internal"]
    assert "ports" not in redis
    assert "--maxmemory-policy=noeviction" in redis["command"]
    secrets = {secret["source"] for secret in one["secrets"]}
    assert secrets <= set(compose["secrets"])
    for service in compose["services"].values():
        for volume in service["volumes"]:
            assert volume.split(":")[0] in compose["volumes"]


def test_redis_takes_its_command_line(tmp_path: Path) -> None:
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed")
    (compose,) = yaml_of("compose.yaml")
    asked = compose["services"]["redis"]["command"][1:]
    options = [word for one in asked for word in one.split("=", 1)]
    # A port that nobody may listen at: it reads its options, complains and ends.
    done = subprocess.run(
        [program, *options, "--bind", "203.0.113.1", "--port", "6379", "--dir", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    told = done.stdout + done.stderr
    assert "FATAL CONFIG FILE ERROR" not in told
    assert "Failed listening" in told


def test_the_keys_file_of_the_example_is_one() -> None:
    tenants = tomllib.loads(text_of("keys.example.toml"))["tenants"]
    assert re.fullmatch("sha256:0{64}", tenants["acme"]["keys"][0])  # nobody has that key


# --- the cluster


def test_the_pods_are_locked_in_and_probed() -> None:
    spec = pod()
    assert spec["securityContext"]["runAsNonRoot"]
    assert not spec["automountServiceAccountToken"]
    (container,) = spec["containers"]
    locked = container["securityContext"]
    assert locked["readOnlyRootFilesystem"]
    assert not locked["allowPrivilegeEscalation"]
    assert locked["capabilities"]["drop"] == ["ALL"]
    probes = {
        kind: container[f"{kind}Probe"]["httpGet"]["path"]
        for kind in ("startup", "readiness", "liveness")
    }
    assert probes == {"startup": "/readyz", "readiness": "/readyz", "liveness": "/healthz"}
    budgets = [doc for doc in yaml_of("kubernetes.yaml") if doc["kind"] == "PodDisruptionBudget"]
    assert budgets[0]["spec"]["minAvailable"] == 1


def test_everything_the_cluster_names_is_there() -> None:
    documents = yaml_of("kubernetes.yaml")
    (workload,) = [doc for doc in documents if doc["kind"] == "StatefulSet"]
    labels = workload["spec"]["template"]["metadata"]["labels"]
    for doc in documents:
        selector = doc.get("spec", {}).get("selector")
        if selector is not None:
            assert selector.get("matchLabels", selector) == labels
    services = {doc["metadata"]["name"] for doc in documents if doc["kind"] == "Service"}
    assert workload["spec"]["serviceName"] in services
    (container,) = pod()["containers"]
    volumes = {volume["name"] for volume in pod()["volumes"]}
    volumes |= {claim["metadata"]["name"] for claim in workload["spec"]["volumeClaimTemplates"]}
    assert {mount["name"] for mount in container["volumeMounts"]} == volumes
    maps = {doc["metadata"]["name"]: doc for doc in documents if doc["kind"] == "ConfigMap"}
    folders = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    (policy,) = [volume for volume in pod()["volumes"] if "configMap" in volume]
    files = maps[policy["configMap"]["name"]]["data"]
    assert container["args"][0] in {f"{folders['policy']}/{name}" for name in files}
    assert f"--keys={folders['keys']}/keys.toml" in container["args"]
    # What a variable holds comes from a secret, and the file says how that one is made.
    for name in re.findall(r"\$\((\w+)\)", " ".join(container["args"])):
        assert f"--from-literal={name}=" in text_of("kubernetes.yaml")


def test_the_policy_of_the_cluster_does_what_it_says() -> None:
    (policy,) = [doc for doc in yaml_of("kubernetes.yaml") if doc["kind"] == "ConfigMap"]
    guard = guardkit.loads(policy["data"]["support.guard"])
    assert guard.check("The password is hunter2-Xk94-vbQ").action == "block"
    key = "AKIA" + "IOSFODNN7" + "EXAMPLQ"
    assert guard.check(f"use {key}").action == "block"
    assert guard.check("I paid with 4111 1111 1111 1111", on="output").text == "I paid with [CARD]"
    assert guard.check("Where is my parcel?").action == "pass"


# --- the dashboard


def exposed() -> tuple[dict[str, str], dict[str, set[str]]]:
    """Every metric there is, with its kind, and the labels it has."""
    counters = Counters()
    counters.began()
    counters.ended("chat", "openai", 200, "block", 0.2, 0.1)
    counters.shed("overloaded")
    counters.upstream_error("chat", "timeout")
    counters.cut("block")
    counters.reloaded("ok")
    counters.held(12)
    guard = loads(POLICY)
    monitors = Monitors(guard.plan, alarms=())
    monitors.saw(guard.check("FORBIDDEN")._replace(unknown=("forbidden",)))
    monitors.ended(Ledger("refused", "model", refusal="full"))
    kinds: dict[str, str] = {}
    labels: dict[str, set[str]] = {}
    text = joined([counters.metrics(), labelled(monitors.metrics(), "guard", "watched")])
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            kinds[name] = kind
        elif not line.startswith("#"):
            name = re.split(r"[{ ]", line)[0]
            labels.setdefault(name, set()).update(re.findall(r'([a-z_]+)="', line))
    return kinds, labels


def queries() -> Iterator[str]:
    dashboard = json.loads(text_of("grafana.json"))
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            yield target["expr"]
    for annotation in dashboard["annotations"]["list"]:
        yield annotation["expr"]
    for variable in dashboard["templating"]["list"]:
        if isinstance(variable["query"], dict):
            yield variable["query"]["query"]


def test_every_query_of_the_dashboard_asks_for_a_metric_that_there_is() -> None:
    kinds, labels = exposed()
    asked = set()
    for query in queries():
        names = re.findall(r"guardkit_\w+", query)
        assert names, query
        for name in names:
            asked.add(re.sub("_bucket$", "", name))
            assert name in labels, f"{name} is exposed by nothing"
            known = labels[name] | {"job", "instance"}
            for selector in re.findall(name + r"\{([^}]*)\}", query):
                assert set(re.findall(r"(\w+)\s*(?:=~|!=|!~|=)", selector)) <= known, query
        every = set.union(*(labels[name] for name in names)) | {"job", "instance"}
        for group in re.findall(r"by \(([^)]*)\)", query):
            assert {word.strip() for word in group.split(",")} <= every, query
    # Nothing that the server counts is left out of the picture.
    assert {name for name in kinds if not name.startswith("guardkit_monitor")} - asked <= {
        "guardkit_exchanges_total",
        "guardkit_exchange_seconds",
        "guardkit_judgements_total",
        "guardkit_alarm_failures_total",
        "guardkit_alarms_dropped_total",
    }


def test_rates_are_of_counters_and_quantiles_of_histograms() -> None:
    kinds, _ = exposed()
    for query in queries():
        for name in re.findall(r"(?:rate|increase)\((guardkit_\w+)", query):
            stem = re.sub("_bucket$", "", name)
            assert kinds[stem] == ("counter" if stem == name else "histogram"), query
        if "histogram_quantile" in query:
            assert "_bucket" in query
            assert "le" in query
        assert query.count("(") == query.count(")")
        assert query.count("{") == query.count("}")


def test_the_panels_of_the_dashboard_lie_beside_each_other() -> None:
    panels = json.loads(text_of("grafana.json"))["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells
        assert panel["type"] == "row" or panel["description"]


def test_the_readme_names_every_file() -> None:
    named = set(re.findall(r"`([A-Za-z.]+)`", text_of("README.md")))
    assert {path.name for path in DEPLOY.iterdir()} - {"README.md"} <= named
