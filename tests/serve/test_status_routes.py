"""Health and metrics."""

from collections.abc import Callable

from prometheus_client.parser import text_string_to_metric_families
from serving import Client

Serve = Callable[..., Client]


def figures(client: Client) -> dict[tuple[str, tuple[str, ...]], float]:
    text = client.get("/metrics").text
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_what_was_done_is_counted(serve: Serve) -> None:
    client = serve(idle=0.05)
    first, second, third = (client.open() for _ in range(3))
    client.step(first, 1, ["a"])
    client.step(first, 1, ["a"])
    client.step(second, 5, ["a"])
    client.delete(f"/streams/{second}")
    client.get("/nothing/<script>")
    while client.get("/health").json()["streams"]:
        pass
    found = figures(client)
    assert third
    for name, labels, value in (
        ("recurra_requests_total", ("/streams", "201"), 3),
        ("recurra_requests_total", ("/streams/{stream}/steps", "200"), 2),
        ("recurra_requests_total", ("/streams/{stream}/steps", "409"), 1),
        ("recurra_requests_total", ("other", "404"), 1),
        ("recurra_request_seconds_count", ("/streams/{stream}/steps",), 3),
        ("recurra_streams_opened_total", (), 3),
        ("recurra_streams_ended_total", ("expired",), 2),
        ("recurra_streams_ended_total", ("closed",), 1),
        ("recurra_streams_live", (), 0),
        ("recurra_pushes_total", (), 1),
        ("recurra_batch_pushes_count", (), 1),
    ):
        assert found[name, labels] == value, (name, labels)
    assert found["process_resident_memory_bytes", ()] > 1e7


def test_paths_that_are_asked_for_do_not_become_labels(serve: Serve) -> None:
    client = serve()
    for k in range(50):
        client.get(f"/streams/{k}")
        client.get(f"/{k}")
    routes = {labels[0] for name, labels in figures(client) if name == "recurra_requests_total"}
    assert routes == {"/streams/{stream}", "other"}


def test_a_model_without_streams_has_no_figures_of_them(serve: Serve) -> None:
    found = figures(serve("translator"))
    assert not [name for name, _ in found if name.startswith("recurra_streams")]


def test_two_servers_in_one_process_count_apart(serve: Serve) -> None:
    one, other = serve(), serve()
    one.open()
    assert (one.figure("recurra_streams_live"), other.figure("recurra_streams_live")) == (1, 0)
