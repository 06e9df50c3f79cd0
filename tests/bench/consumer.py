"""The consumer of the bench: one line of log, one reply. It is deployed as `consumers.bench`."""

from smartlink.consumer import Context, Payload, Reply, consumer


class BenchRequest(Payload):
    """What the bench asks."""

    requestID: str  # noqa: N815  (a name on the wire)


@consumer("BenchCommand")
def answer(request: BenchRequest, context: Context) -> Reply:
    """Answer the request."""
    context.log.info("Answered")
    return Reply("BenchReply", {"requestID": request.requestID, "status": "done"})


@consumer("BenchQuietCommand")
def quiet(_request: BenchRequest, context: Context) -> None:
    """The same, without a reply."""
    context.log.info("Answered")


@consumer("BenchSilentCommand")
def silent(_request: BenchRequest, _context: Context) -> None:
    """Neither a line nor a reply: what is left is the relay's."""
