"""The Compose files: what Compose makes of them, and that what they start fits together. No container is started."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from backends import compose, dashboard, install
from backends.collector import CONFIGS, collecting
from backends.needed import program
from backends.prometheus import CONFIG as PROMETHEUS
from backends.servers import free_port, get, wait_until
from e2e.examples import EXAMPLES
from e2e.processes import Programs

FILES = ["docker-compose.jaeger.yml", "docker-compose.grafana.yml"]
JAEGER_RELEASES = {"1.76.0": "2.13.0"}
"""The number of a release of Jaeger 1, and that of Jaeger 2 of the same release."""
GRAFANA = CONFIGS / "grafana"

Read = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def read() -> Read:
    """``read(file, *profiles)``: the services of a file, by their names."""
    command = program("compose")
    return lambda file, *profiles: compose.read(command, file, *profiles)["services"]


@pytest.fixture
def services(read: Read) -> dict[str, Any]:
    """All services of the first file."""
    return read(FILES[0], "metrics")


@pytest.fixture(params=FILES)
def every(read: Read, request: pytest.FixtureRequest) -> dict[str, Any]:
    """All services of one of the files."""
    return read(request.param, "metrics")


def test_jaeger_is_all_that_runs_without_a_profile(read):
    assert read(FILES[0]).keys() == {"jaeger"}
    assert read(FILES[0], "metrics").keys() == {"jaeger", "collector", "prometheus", "grafana"}
    assert read(FILES[1]).keys() == {"lgtm"}


def test_ports_are_open_on_this_machine_only_and_each_once(every):
    ports = [port for service in every.values() for port in service["ports"]]
    assert {port["host_ip"] for port in ports} == {"127.0.0.1"}
    published = [port["published"] for port in ports]
    assert len(published) == len(set(published))
    assert "network_mode" not in {name for service in every.values() for name in service}


def test_ports_are_those_that_are_told(read):
    told = {name: published(service) for name, service in read(FILES[0], "metrics").items()}
    assert told == {
        "jaeger": {"16686": 16686, "4317": 4317, "4318": 4318},
        "collector": {"14317": 4317, "14318": 4318},
        "prometheus": {"9090": 9090},
        "grafana": {"3000": 3000},
    }
    assert published(read(FILES[1])["lgtm"]) == {"3000": 3000, "4317": 4317, "4318": 4318}


def published(service: dict[str, Any]) -> dict[str, int]:
    return {port["published"]: port["target"] for port in service["ports"]}


def test_images_are_of_one_release(every):
    for service in every.values():
        assert re.fullmatch(r"[a-z-]+/[a-z-]+:v?\d+\.\d+\.\d+", service["image"])


def test_images_are_of_the_releases_that_tests_use(services):
    assert services["collector"]["image"] == f"otel/opentelemetry-collector-contrib:{install.COLLECTOR}"
    assert services["jaeger"]["image"] == f"jaegertracing/jaeger:{JAEGER_RELEASES[install.JAEGER]}"


def test_what_is_mounted_exists_and_cannot_be_written(every):
    volumes = [volume for service in every.values() for volume in service.get("volumes", [])]
    for volume in volumes:
        assert volume["type"] == "bind"
        assert volume["read_only"]
        assert Path(volume["source"]).exists()


def mounted(service: dict[str, Any], path: Path) -> str:
    """Where a file or directory of this project is in a container."""
    return next(volume["target"] for volume in service["volumes"] if Path(volume["source"]) == path)


def test_files_are_mounted_where_the_images_look_for_them(services):
    assert mounted(services["collector"], CONFIGS / "llm.yaml") == "/etc/otelcol-contrib/config.yaml"
    assert mounted(services["prometheus"], PROMETHEUS) == "/etc/prometheus/prometheus.yml"
    assert mounted(services["grafana"], GRAFANA / "provisioning") == "/etc/grafana/provisioning"


def test_every_variable_of_the_collector_is_one_that_its_configuration_reads(services):
    read = set(re.findall(r"\$\{env:(\w+)", (CONFIGS / "llm.yaml").read_text(encoding="utf-8")))
    assert services["collector"]["environment"].keys() <= read


def test_prometheus_reads_from_where_the_collector_writes(services):
    (scraped,) = yaml.safe_load(PROMETHEUS.read_text(encoding="utf-8"))["scrape_configs"]
    (target,) = scraped["static_configs"][0]["targets"]
    port = services["collector"]["environment"]["PROMETHEUS_ENDPOINT"].rpartition(":")[2]
    assert target == f"collector:{port}"


def data_sources() -> dict[str, dict[str, Any]]:
    text = (GRAFANA / "provisioning/datasources/datasources.yaml").read_text(encoding="utf-8")
    return {source["uid"]: source for source in yaml.safe_load(text)["datasources"]}


def test_data_sources_are_services(services):
    for source in data_sources().values():
        url = urlsplit(source["url"])
        assert url.port in published(services[url.hostname]).values()
        assert source["type"] == url.hostname


def test_dashboard_asks_a_data_source_that_is_there():
    document = dashboard.document()
    asked = [document["templating"]["list"][0], *document["panels"]]
    asked += [target for panel in document["panels"] for target in panel["targets"]]
    assert {(one["datasource"]["type"], one["datasource"]["uid"]) for one in asked} == {("prometheus", "prometheus")}
    step = yaml.safe_load(PROMETHEUS.read_text(encoding="utf-8"))["global"]["scrape_interval"]
    assert data_sources()["prometheus"]["jsonData"]["timeInterval"] == step
    assert {panel["interval"] for panel in document["panels"]} == {step}


def test_dashboard_links_to_jaeger(services):
    (link,) = dashboard.document()["links"]
    assert urlsplit(link["url"]).netloc == f"localhost:{next(iter(published(services['jaeger'])))}"


def test_grafana_finds_the_dashboard(services):
    (provider,) = yaml.safe_load((GRAFANA / "provisioning/dashboards/dashboards.yaml").read_text())["providers"]
    directory = mounted(services["grafana"], dashboard.FILE.parent)
    assert provider["options"]["path"] == directory
    home = services["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home == f"{directory}/{dashboard.FILE.name}"


def test_grafana_shows_to_everyone_and_lets_nobody_change(services):
    environ = services["grafana"]["environment"]
    assert (environ["GF_AUTH_ANONYMOUS_ENABLED"], environ["GF_AUTH_ANONYMOUS_ORG_ROLE"]) == ("true", "Viewer")
    assert (environ["GF_AUTH_DISABLE_LOGIN_FORM"], environ["GF_AUTH_BASIC_ENABLED"]) == ("true", "false")


def test_collector_works_with_these_variables(services, collector_program, the_jaeger, tmp_path):
    """Only hosts and ports are those of this machine."""
    environ = dict(services["collector"]["environment"])
    addresses = {name: environ.pop(name) for name in list(environ) if name.endswith("_ENDPOINT")}
    assert addresses == {
        "OTLP_GRPC_ENDPOINT": "0.0.0.0:4317",
        "OTLP_HTTP_ENDPOINT": "0.0.0.0:4318",
        "PROMETHEUS_ENDPOINT": "0.0.0.0:8889",
        "JAEGER_ENDPOINT": "jaeger:4317",
    }
    environ |= {"PROMETHEUS_ENDPOINT": f"127.0.0.1:{free_port()}", "JAEGER_ENDPOINT": the_jaeger.grpc}
    programs = Programs(tmp_path)
    with collecting(collector_program, "llm.yaml", tmp_path, **environ) as collector:
        programs.run(str(EXAMPLES / "map_reduce.py"), OTEL_EXPORTER_OTLP_ENDPOINT=collector.grpc)
        (trace,) = programs.read()
        arrived = the_jaeger.spans(trace.trace_id, len(trace.spans))
        assert {span.span_id for span in arrived} == {span.span_id for span in trace.spans}
        page = f"http://{environ['PROMETHEUS_ENDPOINT']}/metrics"
        wait_until(lambda: b"traces_pocketflow_flow_cost_USD_total" in get(page))
