"""What waits in a queue outlives the process."""

from tests.local_cloud.client import Client, step
from tests.local_cloud.server import Server


def test_a_wait_goes_on_after_kill_9(client: Client, server: Server) -> None:
    """The messages are in the log: that of a far moment is still kept back, and that of a near one wakes its run, once."""
    client.start(step("pause", kind="wait", config={"seconds": 600}), step("gate", kind="approval_gate"))
    run_id = client.start(step("pause", kind="wait", config={"seconds": 15}), step("gate", kind="approval_gate"))
    client.until(lambda: waiting(server) == 2)
    server.kill()
    server.start()
    assert waiting(server) == 2
    client.until(lambda: client.steps(run_id)["pause"]["status"] == "completed", 40)
    assert [event["d"]["epoch"] for event in server.journal(run_id) if event["t"] == "burst.claimed"] == [1, 2]
    client.until(lambda: waiting(server) == 1)


def test_what_is_sent_after_a_restart_is_heard(client: Client, server: Server) -> None:
    """The queue has another address then, and functions know the one of before; well before the sweep would look."""
    server.stop()
    server.start()
    run_id = client.start(step("pause", kind="wait", config={"seconds": 2}), step("gate", kind="approval_gate"))
    client.until(lambda: client.steps(run_id)["pause"]["status"] == "completed", 25)


def waiting(server: Server) -> int:
    """How many messages the queue of wakes holds, whether kept back, visible or being handled."""
    sqs = server.aws("sqs")
    name = server.variable("WAKES_QUEUE_URL").rpartition("/")[2]
    url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return sum(int(value) for key, value in found.items() if key.startswith("ApproximateNumberOfMessages"))
