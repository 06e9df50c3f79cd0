"""SGDPMaskCommand: make a person's data anonymous, or say what that would come to.

Delivered twice, it answers twice the same: the answer is kept in the transaction that masks.
"""

from consumers.sgdp.erp import open_erp
from consumers.sgdp.exceptions import exceptions
from consumers.sgdp.masking import changes, earlier_answer, keep_answer, mask
from consumers.sgdp.messages import MaskRequest, respond
from consumers.sgdp.person import find_person
from smartlink.consumer import Context, FatalError, Reply, consumer


@consumer("SGDPMaskCommand")
def answer_with_exceptions(request: MaskRequest, context: Context) -> Reply:
    """Mask every row about the person, and answer with what had to be kept."""
    erp = open_erp(context)
    identifiers = request.identifiers.needed(erp.models.identifiers)
    with erp.transaction() as connection:
        # First: what another delivery of the request commits from here on is told by the database.
        answer = earlier_answer(connection, context.tenant, request.request_id)
        records = find_person(connection, erp.models, identifiers)
        to_mask = changes(connection, records, erp.models.salt)
        if answer is None:
            answer = exceptions(records)
            if not request.to_verify:
                mask(connection, context, to_mask)
                keep_answer(
                    connection, context, request.request_id, rows=len(to_mask), answer=answer
                )
        elif to_mask:
            # Masking again might hit somebody who registered since; not masking might leave a
            # second person's data under a used id.
            message = (
                "this requestID was carried out before, yet its identifiers fit data that is not "
                "masked: have it sent again under a new requestID if that data is to be masked"
            )
            raise FatalError(message)
    template = "Would mask %d rows (dry run)" if request.to_verify else "Masked %d rows"
    context.log.info(template, len(to_mask))
    return respond(context, "SGDPMaskResponse", request, exceptionAttributes=answer)
