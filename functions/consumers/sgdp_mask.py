"""SGDPMaskCommand: make a person's data anonymous, or say what that would come to.

Delivered twice, it answers twice the same: the answer is kept in the transaction that masks.
"""

from consumers.sgdp.erp import open_erp
from consumers.sgdp.exceptions import exceptions
from consumers.sgdp.masking import changes, earlier_answer, keep_answer, mask
from consumers.sgdp.messages import MaskRequest, respond
from consumers.sgdp.person import find_person
from consumers.sgdp.titulares import asked, known, note, record_titulares, same_person
from consumers.sgdp.told import reasons, told
from smartlink.consumer import Context, FatalError, Reply, consumer


@consumer("SGDPMaskCommand")
def answer_with_exceptions(request: MaskRequest, context: Context) -> Reply:
    """Mask every row about the person, and answer with what had to be kept."""
    erp = open_erp(context)
    identifiers = request.identifiers.needed(erp.models.identifiers)
    note(context, asked(identifiers))
    with erp.transaction() as connection:
        # First: what another delivery of the request commits from here on is told by the database.
        answer = earlier_answer(connection, context.tenant, request.request_id)
        records = find_person(connection, erp.models, identifiers)
        identities = asked(identifiers).union(*known(records).values())
        note(context, identities)
        to_mask = changes(connection, records, erp.models.salt)
        if answer is None:
            answer = exceptions(records)
            if not request.to_verify:
                # What a mask takes away, no answer can show any more.
                context.answered_first("SGDPDataCommand", same_person(identities))
                mask(connection, context, to_mask)
                keep_answer(
                    connection, context, request.request_id, rows=len(to_mask), answer=answer
                )
                record_titulares(connection, context, records)
        elif to_mask:
            # Masking again might hit somebody who registered since; not masking might leave a
            # second person's data under a used id.
            message = (
                "this requestID was carried out before, yet its identifiers fit data that is not "
                "masked: have it sent again under a new requestID if that data is to be masked"
            )
            raise FatalError(message)
    template = "Would mask %d rows (dry run)" if request.to_verify else "Masked %d rows"
    rows, kept = len(to_mask), reasons(answer)
    debug = told(rows=rows, dryRun=request.to_verify, kept=kept)
    context.log.info(template, rows, debug=debug)
    copies = {} if request.to_verify else _copies(context)
    return respond(context, "SGDPMaskResponse", request, exceptionAttributes=answer, **copies)


def _copies(context: Context) -> dict[str, object]:
    """Until when copies of the messages live on. What keeps copies of the ERP is the ERP's."""
    if context.copies is None:
        return {}
    until = context.copies.until(context.now)
    return {"messageCopies": [{"place": it, "until": day.isoformat()} for it, day in until.items()]}
